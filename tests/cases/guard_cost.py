#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the instructions that the guard adds to a write to other devices.

Reads two objects of drivers/pci/access.c, from kernels without and with
CONFIG_PCI_LIVEUPDATE, and counts the instructions from the start of each
function to the write to the bus, on the shortest way.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# A load of the flags, a test of their bits, and the jump.
MOST = 3

START = re.compile(r"^[0-9a-f]+ <(?P<name>[^>]+)>:$")
LINE = re.compile(r"^ +(?P<at>[0-9a-f]+):\t(?P<raw>(?:[0-9a-f]{2} )+) *\t(?P<text>.*)$")
BRANCH = re.compile(r"^j\w+ +(?P<to>[0-9a-f]+) ")


@dataclass(frozen=True)
class Instruction:
    """An instruction, its size in bytes, and the target of a branch."""

    text: str
    size: int
    target: int | None

    @property
    def ends(self) -> bool:
        """The processor does not go on behind it."""
        return self.text.startswith(("ret", "jmp", "ud2"))


def read_functions(path: Path) -> dict[str, dict[int, Instruction]]:
    """Read the instructions of each function, by their offsets."""
    functions: dict[str, dict[int, Instruction]] = {}
    code: dict[int, Instruction] = {}
    listing = subprocess.run(
        ["objdump", "-d", "-w", "-j", ".text", path],
        check=True, capture_output=True, text=True,
    ).stdout
    for line in listing.splitlines():
        if start := START.match(line):
            code = functions.setdefault(start["name"], {})
        elif found := LINE.match(line):
            branch = BRANCH.match(found["text"])
            code[int(found["at"], 16)] = Instruction(
                found["text"],
                len(found["raw"].split()),
                int(branch["to"], 16) if branch else None,
            )
    return functions


def instructions_until(code: dict[int, Instruction], call: str) -> int:
    """Count the instructions on the shortest way to a call, or return 0."""
    seen: set[int] = set()
    todo = [(min(code, default=0), 1)]
    for at, ran in todo:
        if at in seen or at not in code:
            continue
        seen.add(at)
        instruction = code[at]
        if f"<{call}>" in instruction.text:
            return ran
        if instruction.target is not None:
            todo.append((instruction.target, ran + 1))
        if not instruction.ends:
            todo.append((at + instruction.size, ran + 1))
    return 0


def main() -> int:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("without", type=Path)
    parser.add_argument("guarded", type=Path)
    args = parser.parse_args()
    without, guarded = read_functions(args.without), read_functions(args.guarded)
    bad = 0

    print(f"{'':<26}{'without':>8}{'with':>8}")
    for size in ("byte", "word", "dword"):
        name, call = f"pci_write_config_{size}", f"pci_bus_write_config_{size}"
        less = instructions_until(without.get(name, {}), call)
        more = instructions_until(guarded.get(name, {}), call)
        print(f"{name:<26}{less:>8}{more:>8}")
        if not less or not less < more <= less + MOST:
            print(f"expected 1 to {MOST} instructions more")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
