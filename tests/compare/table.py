# SPDX-License-Identifier: GPL-2.0-or-later
"""The same tests on a stock virtio-gpu and on ours: TAP lines, and a table.

Ours must pass every test that stock passes. What stock does not pass, ours may fail: it is skipped, or counts as passed.
"""

PASS, FAIL, SKIP, NONE = "pass", "FAIL", "skip", "-"


def outcomes(tap_text):
    """{test: PASS, FAIL or SKIP} of TAP lines."""
    results = {}
    for line in tap_text.splitlines():
        line = line.strip()
        if not line.startswith(("ok ", "not ok ")):
            continue
        name, _, directive = line.partition("#")
        words = name.split()
        number = 2 if words[0] == "not" else 1
        test = " ".join(words[number + 1:]).removeprefix("- ")
        failed = words[0] == "not"
        results[test] = SKIP if "SKIP" in directive.upper() else FAIL if failed else PASS
    return results


def rows(stock, ours):
    """[(test, stock, ours)] in the order of their first appearance."""
    return [(test, stock.get(test, NONE), ours.get(test, NONE)) for test in dict.fromkeys([*stock, *ours])]


def tap_line(number, test, stock, ours):
    if stock == PASS and ours != PASS:
        return f"not ok {number} - {test} (stock: {stock}, ours: {ours})"
    if ours == PASS:
        return f"ok {number} - {test}" + ("" if stock == PASS else f" (stock: {stock})")
    return f"ok {number} - {test} # SKIP stock: {stock}, ours: {ours}"


def print_tap(table):
    """Prints a line for each row; true when ours passes all that stock passes, and stock passes something."""
    lines = [tap_line(number, *row) for number, row in enumerate(table, 1)]
    print(*lines, f"1..{len(lines)}", sep="\n")
    return any(row[1] == PASS for row in table) and not any(line.startswith("not ok") for line in lines)


def markdown(table):
    return "".join(["| test | stock | ours |\n| --- | --- | --- |\n",
                    *(f"| {test} | {stock} | {ours} |\n" for test, stock, ours in table)])


def count(table):
    passed = [sum(row[side] == PASS for row in table) for side in (1, 2)]
    return f"{len(table)} tests: stock passes {passed[0]}, ours {passed[1]}"
