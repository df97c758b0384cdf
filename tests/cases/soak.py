#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judge live updates in a row.

Reads the logs of the guest of tests/cases/soak.guest.sh. Prints the number of live
updates and of operations, the time of each phase, and the memory of the first and the
last boot of each kernel, without the boot from firmware, which hands no memory over.
Fails with the number of the live update in which something went wrong.
"""

import argparse
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SCANNER = Path(__file__).resolve().parent.parent / "vm" / "scan-console.sh"

# Names of phases for the table, and the words of the guest that begin and end them.
PHASES = {
    "preserve": ("preserve", "load"),
    "load": ("load", "kexec"),
    "kexec, boot": ("kexec", "check"),
    "check": ("check", "finish"),
    "finish": ("finish", "change"),
}

# Figures of /proc/meminfo in kB, and how much less or more the last boot may have. No
# page that a previous kernel preserved may be lost: the total is the same. The caches of
# the allocators differ with the order of events, by less than 10 kB for each of 100
# updates: a leak of 3 pages in each is noticed.
MEMORY = {"MemTotal": 0, "MemFree": 1024, "MemAvailable": 1024, "Slab": 512}

# KASAN keeps freed objects for a while, and allocations at boot differ by some pages:
# kmemleak, which the guest asks, tells of leaks.
DEBUG_MEMORY = {"MemTotal": 64}


@dataclass
class Boot:
    """A kernel, from its first line to the kexec."""

    release: str
    times: dict[str, float] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def version(self) -> str:
        return ".".join(self.release.split(".")[:2])


def read_line(boot: Boot, when: float, text: str) -> None:
    kind, _, rest = text.partition(" ")
    words = rest.split()
    if kind == "phase":
        boot.times[words[0]] = when
    elif kind == "ok":
        boot.passed += 1
    elif text.startswith(("not ok ", "data failed ")):
        boot.failed.append(text)
    elif text.startswith("data memory "):
        boot.memory = [int(word) for word in words[1:]]
    elif text.startswith("data did "):
        boot.did[" ".join(words[1:-1])] += int(words[-1])
    elif text == "end last":
        boot.ended = True


def read_boots(side: Path) -> list[Boot]:
    """Read the lines of the guest, each behind the time of the host."""
    boots: list[Boot] = []
    for line in side.read_text(errors="replace").splitlines():
        when, _, text = line.partition(" ")
        if text.startswith("data release "):
            boots.append(Boot(text.split()[-1]))
        if boots:
            read_line(boots[-1], float(when), text)
    return boots


def read_console(console: Path, boots: list[Boot]) -> None:
    """Give each report of a kernel bug to its boot."""
    reports = subprocess.run([SCANNER, console], capture_output=True, text=True,
                             errors="replace", check=False).stdout.splitlines()
    lines = console.read_text(errors="replace").split("\n")
    starts = [number for number, line in enumerate(lines, 1) if "] Linux version " in line]
    for report in reports:
        number = int(report.partition(":")[0])
        boot = max(0, sum(start <= number for start in starts) - 1)
        boots[min(boot, len(boots) - 1)].failed.append("console: " + report)


def show_did(boots: list[Boot]) -> None:
    total: Counter[str] = Counter()
    for boot in boots:
        total += boot.did
    print("  Done and checked:\n")
    for name, number in sorted(total.items()):
        print(f"    {name:34}{number:8}")
    print(f"    {'checks of the guest':34}{sum(boot.passed for boot in boots):8}")


def phase_times(boots: list[Boot], name: str) -> dict[str, list[float]]:
    """Get the seconds of a phase by kind of live update."""
    begin, end = PHASES[name]
    times: dict[str, list[float]] = {}
    for old, new in zip(boots, boots[1:]):
        both = old.times if end in ("load", "kexec") else new.times
        since = old.times if begin == "kexec" else both
        if begin in since and end in both:
            kind = f"{old.version} to {new.version}"
            times.setdefault(kind, []).append(both[end] - since[begin])
    return times


def show_times(boots: list[Boot]) -> None:
    kinds = list(dict.fromkeys(f"{old.version} to {new.version}"
                               for old, new in zip(boots, boots[1:])))
    print("\n  Seconds, median (maximum):\n")
    print(f"    {'':14}" + "".join(f"{kind:>20}" for kind in kinds))
    for name in PHASES:
        times = phase_times(boots, name)
        cells = (f"{statistics.median(times[kind]):.1f} ({max(times[kind]):.1f})"
                 if kind in times else "" for kind in kinds)
        print(f"    {name:14}" + "".join(f"{cell:>20}" for cell in cells))


def check_memory(boots: list[Boot], limits: dict[str, int]) -> None:
    """Compare boots that have nothing preserved. Figures without a limit are shown."""
    print("\n  Memory of the first and the last boot by kexec in kB, nothing preserved:\n")
    print(f"    {'':14}{'boots':>12}" + "".join(f"{name:>20}" for name in MEMORY))
    for version in dict.fromkeys(boot.version for boot in boots):
        same = [(number, boot) for number, boot in enumerate(boots, 1)
                if number > 1 and boot.version == version and boot.memory]
        if len(same) < 2:
            continue
        (first_number, first), (last_number, last) = same[0], same[-1]
        cells = []
        for index, name in enumerate(MEMORY):
            before, after = first.memory[index], last.memory[index]
            cells.append(f"{before} {after - before:+}")
            if name in limits and abs(after - before) > limits[name]:
                last.failed.append(f"{name} of {version} was {before} kB in boot "
                                   f"{first_number} and is {after} kB")
        print(f"    {version:14}{f'{first_number}, {last_number}':>12}" +
              "".join(f"{cell:>20}" for cell in cells))


def show_failures(boots: list[Boot]) -> bool:
    failed = False
    for number, boot in enumerate(boots, 1):
        for text in boot.failed:
            where = "before live update 1" if number == 1 else f"after live update {number - 1}"
            print(f"  FAILED in {boot.release}, {where}: {text}")
            failed = True
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the logs of the machine")
    parser.add_argument("rounds", type=int, help="number of live updates")
    parser.add_argument("--debug", action="store_true", help="of a kernel with KASAN")
    args = parser.parse_args()

    boots = read_boots(args.folder / "side")
    if not boots:
        print("the first kernel did not come up")
        return 1
    read_console(args.folder / "console", boots)
    print(f"  Live updates: {len(boots) - 1} of {args.rounds}\n")
    show_did(boots)
    show_times(boots)
    check_memory(boots, DEBUG_MEMORY if args.debug else MEMORY)
    if not boots[-1].ended:
        boots[-1].failed.append("the kernel did not come to its end")
    return int(show_failures(boots) or len(boots) != args.rounds + 1)


if __name__ == "__main__":
    sys.exit(main())
