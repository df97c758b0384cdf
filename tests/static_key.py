#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count what the tracepoints of PCI live update cost while they are off.

Reads two objects of drivers/pci/liveupdate.c, one as it is and one that was
compiled with -DNOTRACE. Each place where an event may be on must be a no-op in
the first. The instructions that can be reached from there without taking the
jump that replaces the no-op are all that is left of the tracepoints, and are
compared with the second object.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Who has an event -> how many: each measures its time, and reports at its end.
FUNCTIONS = {
    "pci_liveupdate_outgoing_preserve": 2,
    "pci_liveupdate_outgoing_unpreserve": 2,
    # And a damaged entry, which is inlined.
    "pci_liveupdate_setup_device": 3,
    "pci_liveupdate_incoming_finish": 2,
}

# struct jump_entry: code and target in 4 bytes each, then the key.
ENTRY_SIZE = 16
KEY = 8
# A bit of the key: objtool makes a no-op of the jump that the compiler has put
# there, see arch/x86/include/asm/jump_label.h.
OBJTOOL_NOPS_IT = 2

# What events may add to a call while they are off: two no-ops, the jumps around
# what they guard, and a result and a time that are kept over a call.
MOST = 16

EVENTS = "__tracepoint_pci_liveupdate_"

LINE = re.compile(r"^ +(?P<at>[0-9a-f]+):\t(?P<raw>(?:[0-9a-f]{2} )+) *\t(?P<text>.*)$")
START = re.compile(r"^[0-9a-f]+ <(?P<name>[^>]+)>:$")
RELOCATION = re.compile(
    r"^(?P<at>[0-9a-f]+) +R_X86_64_PC(?:32|64) +(?P<symbol>\S+?)(?P<add>[+-]0x[0-9a-f]+)?$"
)
BRANCH = re.compile(r"^(?P<op>j\w+) +(?P<to>[0-9a-f]+) ")


@dataclass(frozen=True)
class Instruction:
    """An instruction, its size in bytes, and where else it may go."""

    text: str
    size: int
    target: int | None

    @property
    def is_nop(self) -> bool:
        return self.text.startswith(("nop", "xchg   %ax,%ax", "data16 nop"))

    @property
    def ends(self) -> bool:
        """Nothing is behind it."""
        return self.text.startswith(("ret", "jmp", "ud2"))


class Object:
    """The code of an object file, and the branches that are patched."""

    def __init__(self, path: Path) -> None:
        self.code: dict[int, Instruction] = {}
        self.starts: dict[str, int] = {}
        self.owner: dict[int, str] = {}
        self.branches: set[int] = set()
        self.nops: set[int] = set()
        self._read_code(path)
        self._read_branches(path)

    def _read_code(self, path: Path) -> None:
        name = ""
        for line in objdump("-d", "-w", "-j", ".text", path):
            start = START.match(line)
            if start:
                name = start["name"]
            instruction = LINE.match(line)
            if not instruction:
                continue
            at = int(instruction["at"], 16)
            self.starts.setdefault(name, at)
            self.owner[at] = name
            branch = BRANCH.match(instruction["text"])
            self.code[at] = Instruction(
                instruction["text"],
                len(instruction["raw"].split()),
                int(branch["to"], 16) if branch else None,
            )

    def _read_branches(self, path: Path) -> None:
        inside, code = False, 0
        for line in objdump("-r", path):
            if line.startswith("RELOCATION RECORDS"):
                inside = "[__jump_table]" in line
            match = RELOCATION.match(line)
            if not inside or not match:
                continue
            place = int(match["at"], 16) % ENTRY_SIZE
            if place == 0:
                code = int(match["add"] or "0", 16)
            # Others are those of dynamic debug.
            elif place == KEY and match["symbol"].startswith(EVENTS):
                self.branches.add(code)
                if self.code[code].is_nop or int(match["add"] or "0", 16) & OBJTOOL_NOPS_IT:
                    self.nops.add(code)

    def reachable(self, name: str) -> dict[int, int]:
        """Instructions of a function that may run while no event is on.

        With each goes how many run at least, up to it and with it.
        """
        seen: dict[int, int] = {}
        todo = [(self.starts[name], 1)]
        for at, ran in todo:
            if at in seen or self.owner.get(at) != name:
                continue
            seen[at] = ran
            instruction = self.code[at]
            if instruction.target is not None and at not in self.nops:
                todo.append((instruction.target, ran + 1))
            if not instruction.ends or at in self.nops:
                todo.append((at + instruction.size, ran + 1))
        return seen

    def shortest(self, name: str) -> int:
        """How many instructions run at least before the function returns."""
        return min(
            ran
            for at, ran in self.reachable(name).items()
            if self.code[at].text.startswith("ret") or self._leaves(at, name)
        )

    def _leaves(self, at: int, name: str) -> bool:
        """A call at the end of the function is a jump."""
        instruction = self.code[at]
        return at not in self.nops and instruction.text.startswith("jmp") and (
            instruction.target is None or self.owner.get(instruction.target) != name
        )


def objdump(*arguments: object) -> list[str]:
    """What objdump prints, in lines."""
    return subprocess.run(
        ["objdump", *map(str, arguments)], check=True, capture_output=True, text=True
    ).stdout.splitlines()


def main() -> int:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("traced", type=Path)
    parser.add_argument("untraced", type=Path)
    args = parser.parse_args()
    traced, untraced = Object(args.traced), Object(args.untraced)
    bad = []

    if untraced.branches:
        bad.append(f"{args.untraced} has tracepoints, so there is nothing to compare with")
    print(f"{'':<36}{'shortest way':>16}{'all ways':>16}{'no-ops':>8}")
    print(f"{'':<36}" + f"{'none':>8}{'off':>8}" * 2)
    for name, sites in FUNCTIONS.items():
        off, none = traced.reachable(name), untraced.reachable(name)
        branches = traced.branches & off.keys()
        nops = traced.nops & branches
        print(
            f"{name:<36}{untraced.shortest(name):>8}{traced.shortest(name):>8}"
            f"{len(none):>8}{len(off):>8}{len(nops):>8}"
        )
        for at in sorted(branches - nops):
            bad.append(f"{name}+{at - traced.starts[name]:#x}: {traced.code[at].text}")
        if len(nops) != sites:
            bad.append(f"{name} has {len(nops)} patched no-ops, expected {sites}")
        if traced.shortest(name) - untraced.shortest(name) > MOST:
            bad.append(f"{name} runs more than {MOST} more instructions")
    for complaint in bad:
        print(complaint)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
