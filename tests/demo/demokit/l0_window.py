# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the guest's window on the compositor's desktop: what is not background."""

BACKGROUND = b"\x20\x40\x60"  # as in l1_weston.py and l1_sway.py


def read_ppm(path):
    """Width, height and pixels (three bytes each) of a screendump."""
    data = path.read_bytes()
    magic, size, depth, rest = data.split(b"\n", 3)
    if magic != b"P6" or depth != b"255":
        raise ValueError(f"{path} is no PPM of QEMU's")
    width, height = (int(word) for word in size.split())
    return width, height, rest


def write_ppm(path, width, height, pixels):
    path.write_bytes(b"P6\n%d %d\n255\n" % (width, height) + pixels)


def crop(path, out):
    """Writes the window's pixels to out; returns (x, y, width, height), or None when there is no window."""
    width, height, pixels = read_ppm(path)
    empty = BACKGROUND * width
    rows = {y: pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)}
    inside = [y for y, row in rows.items() if row != empty]
    if not inside:
        return None
    top, bottom = inside[0], inside[-1] + 1
    spans = [_span(rows[y], width) for y in inside]
    left, right = min(first for first, _ in spans), max(last for _, last in spans)
    write_ppm(out, right - left, bottom - top,
              b"".join(rows[y][left * 3:right * 3] for y in range(top, bottom)))
    return left, top, right - left, bottom - top


def _span(row, width):
    """The first pixel that is not background, and the one after the last."""
    first, last = 0, width
    while first < width and row[first * 3:first * 3 + 3] == BACKGROUND:
        first += 1
    while last > first and row[last * 3 - 3:last * 3] == BACKGROUND:
        last -= 1
    return first, last
