#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Name the functions that the processors of a stuck machine are in.

Reads the output of QEMU's monitor with the registers and the stack of each
processor, and a kernel's System.map. The first function of a line is where the
processor is. The others are words on its stack that point into the kernel: its
callers, and left-overs of earlier calls.
"""

from __future__ import annotations

import argparse
import re
import sys
from bisect import bisect_right
from pathlib import Path

MOST_FUNCTIONS = 16


class Symbols:
    """The symbols of a kernel."""

    def __init__(self, path: Path) -> None:
        """Read a System.map, which is sorted by address."""
        symbols = [line.split() for line in path.read_text().splitlines()]
        self.addresses = [int(address, 16) for address, _, _ in symbols]
        self.names = [name for _, _, name in symbols]
        places = dict(zip(self.names, self.addresses))
        self.text = [range(places[start], places[end]) for start, end in
                     (("_stext", "_etext"), ("_sinittext", "_einittext"))]

    def function(self, address: int) -> str | None:
        """Return the function that the address is within, if any.

        Its first byte does not count: no call returns there.
        """
        index = bisect_right(self.addresses, address) - 1
        if (not any(address in text for text in self.text)
                or address == self.addresses[index]):
            return None
        return f"{self.names[index]}+{address - self.addresses[index]:#x}"


def processors(state: str) -> list[list[int]]:
    """Return the instruction pointer and the words of the stack of each processor."""
    found: list[list[int]] = []
    for line in state.splitlines():
        if match := re.match(r"(?:RIP| PC)=([0-9a-f]{16}) ", line):
            found.append([int(match[1], 16)])
        elif found and re.match(r"[0-9a-f]{16}: ", line):
            found[-1] += [int(word, 16) for word in re.findall(r"0x([0-9a-f]+)", line)]
    return found


def main() -> int:
    """Print a line for each processor."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("symbols", type=Path, metavar="SYSTEM.MAP")
    parser.add_argument("state", type=Path)
    args = parser.parse_args()
    try:
        symbols = Symbols(args.symbols)
        state = processors(args.state.read_text(errors="replace"))
    except (OSError, ValueError) as error:
        sys.exit(f"stuck.py: {error}")
    except KeyError as name:
        sys.exit(f"stuck.py: {args.symbols} has no {name}: is it a System.map?")
    if not state:
        sys.exit(f"stuck.py: {args.state} names no processor: the monitor did not answer")
    for number, (pointer, *stack) in enumerate(state):
        callers = filter(None, map(symbols.function, stack))
        names = [symbols.function(pointer) or f"{pointer:#x}", *callers]
        print(f"processor {number}: {' < '.join(names[:MOST_FUNCTIONS])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
