# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel modules for an initramfs, with everything that they depend on."""

import lzma
import re
import subprocess
from pathlib import Path


def add(archive, kernel_root, names):
    """Adds the modules, uncompressed, and the lists that busybox's modprobe reads."""
    base = _modules_directory(Path(kernel_root))
    paths = _read_dependencies(base / "modules.dep")
    soft = _read_soft_dependencies(base / "modules.softdep", _read_aliases(base / "modules.alias"))
    builtin = {_name(line) for line in (base / "modules.builtin").read_text().split()}
    needed = {}
    for name in names:
        _resolve(_canonical(name), paths, soft, builtin, needed, required_by=None)
    target = f"lib/modules/{base.name}"
    for path in needed:
        archive.add_bytes(f"{target}/{_plain(path)}", _content(base / path))
    lines = [f"{_plain(path)}: {' '.join(map(_plain, needs))}".rstrip() for path, needs in needed.items()]
    archive.add_bytes(f"{target}/modules.dep", ("\n".join(lines) + "\n").encode())
    archive.add_file(f"{target}/modules.builtin", base / "modules.builtin")


def _modules_directory(kernel_root):
    found = [path for path in (kernel_root / "lib/modules").iterdir() if (path / "modules.dep").exists()]
    if len(found) != 1:
        raise ValueError(f"{kernel_root}/lib/modules: expected one version with a modules.dep, found {len(found)}")
    return found[0]


def _resolve(name, paths, soft, builtin, needed, required_by):
    """Fills needed with {path: paths to load first}. What is built in needs nothing."""
    if name in builtin:
        return []
    if name not in paths:
        if required_by:  # a soft dependency may name what this kernel does not have
            return []
        raise ValueError(f"the kernel has no module '{name}'")
    path, hard = paths[name]
    if path not in needed:
        needed[path] = []
        before = []
        for other in [*soft.get(name, []), *(_name(path) for path in hard)]:
            before += _resolve(other, paths, soft, builtin, needed, required_by=name)
        # modprobe loads the list from its end: what depends on nothing must stand last
        needed[path] = list(reversed(dict.fromkeys(before)))
    return [*reversed(needed[path]), path]


def _read_dependencies(file):
    result = {}
    for line in file.read_text().splitlines():
        path, _, needs = line.partition(":")
        result[_name(path)] = (path, needs.split())
    return result


def _read_soft_dependencies(file, aliases):
    """Only what must come before: `softdep NAME pre: A B post: C`. A and B may be aliases of several modules."""
    result = {}
    for match in re.finditer(r"^softdep (\S+) .*?pre: ([^:]*?)(?: \w+:.*)?$", file.read_text(), re.MULTILINE):
        names = [_canonical(name) for name in match[2].split()]
        result[_canonical(match[1])] = [module for name in names for module in aliases.get(name, [name])]
    return result


def _read_aliases(file):
    """{alias: module names}; patterns, which only devices match, are left out."""
    result = {}
    for line in file.read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "alias" and "*" not in words[1]:
            result.setdefault(_canonical(words[1]), []).append(_canonical(words[2]))
    return result


def _content(path):
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    return path.read_bytes()


def _plain(path):
    return re.sub(r"\.(xz|zst|gz)$", "", path)


def _name(path):
    return _canonical(Path(path).name.split(".ko")[0])


def _canonical(name):
    return name.replace("-", "_")
