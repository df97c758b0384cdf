#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Show the costs of live updates of more and more functions, phase by phase.

Reads the output of the guests of tests/cases/scale.guest.sh, one folder for each
live update. Prints time, memory and their growth, and writes all of it as CSV.
Exits with 1 if our part of a phase is one per cent of enumeration or more, with
65,536 functions or more: with few functions the fixed costs of a phase are higher.
"""

import argparse
import csv
import math
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

# Below this number of functions fixed costs prevail.
FIRST_SIZE = 1024
# Of the time that enumeration takes in the next kernel.
SHARE_LIMIT = 0.01
SHARE_FUNCTIONS = 65536

READ_RECORD = re.compile(r"devices in \d+ segments, read in (\d+) us")

Key = tuple[str, str]


@dataclass
class Update:
    """A live update: nanoseconds by phase and whose they are, and kilobytes."""

    functions: int = 0
    files: str = ""
    cost: dict[Key, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    calls: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    memfd_ns: int = 0


@dataclass(frozen=True)
class Row:
    """A line of the table of times."""

    text: str
    files: str
    phase: str
    whose: str


ROWS = [
    Row("old kernel: enumerate", "one", "enumerate-old", "all"),
    Row("old kernel: preserve", "one", "preserve", "ours"),
    Row("load the next kernel", "one", "load", "all"),
    Row("shut down, begin the next kernel", "one", "kexec", "all"),
    Row("new kernel: read the record", "one", "read", "ours"),
    Row("new kernel: enumerate", "one", "enumerate-new", "all"),
    Row("new kernel: enumerate", "one", "enumerate-new", "ours"),
    Row("new kernel: the rest of the boot", "one", "boot", "all"),
    Row("check each function", "one", "check", "all"),
    Row("finish", "one", "finish", "ours"),
    Row("finish: uevents of the driver core", "one", "finish", "uevents"),
    Row("a file each: bind", "each", "bind-old", "all"),
    Row("a file each: preserve", "each", "preserve", "all"),
    Row("a file each: shut down, begin", "each", "kexec", "all"),
    Row("a file each: bind, new kernel", "each", "bind-new", "all"),
    Row("a file each: retrieve, finish", "each", "finish", "all"),
]
MEMORY_ROWS = [
    ("enumeration", "one", "enumerate-new", "all"),
    ("the record", "one", "record", "ours"),
    ("a file each: bind", "each", "bind-old", "all"),
    ("a file each: preserve, and the record", "each", "preserve", "all"),
]


def read_data(update: Update, words: list[str]) -> None:
    """Take over a line "data KEY VALUE..." without its first word."""
    key, values = words[0], words[1:]
    if key == "cost":
        update.cost[values[0], values[1]] = int(values[2])
    elif key == "memory":
        update.memory[values[0]] = int(values[1])
    elif key == "call":
        update.calls[values[0], int(values[1])] = (int(values[2]), int(values[3]))
    elif key == "memfd":
        update.memfd_ns = int(values[0])
    elif key == "functions":
        update.functions = int(values[0])
    elif key == "files":
        update.files = values[0]


def read_side(update: Update, path: Path) -> None:
    """Read the lines of the guest, each behind the time of the host."""
    kexec = up = uptime = 0.0
    for line in path.read_text().splitlines():
        words = line.split()
        if words[1] == "data":
            read_data(update, words[2:])
        elif words[1:] == ["phase", "kexec"]:
            kexec = float(words[0])
        elif words[1:3] == ["phase", "up"]:
            up, uptime = float(words[0]), float(words[3])
    update.cost["kexec", "all"] = round((up - kexec - uptime) * 1e9)
    if update.files == "one":
        # The kernel sent each uevent twice, to measure it.
        update.cost["finish", "ours"] -= 2 * update.cost["finish", "uevents"]
    # The functions are enumerated within the boot.
    update.cost["boot", "all"] = round(uptime * 1e9) - update.cost["enumerate-new", "all"]


def read_update(folder: Path) -> Update:
    update = Update()
    read_side(update, folder / "side")
    match = READ_RECORD.search((folder / "console").read_text(errors="replace"))
    if not match:
        sys.exit(f"{folder}/console does not say how long the record was read")
    update.cost["read", "ours"] = int(match[1]) * 1000
    return update


def exponent(points: list[tuple[int, float]]) -> str:
    """The slope of a line through the logarithms, by least squares."""
    logs = [(math.log(n), math.log(y)) for n, y in points if n >= FIRST_SIZE and y > 0]
    if len(logs) < 2:
        return "-"
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    above = sum((x - mean_x) * (y - mean_y) for x, y in logs)
    return f"{above / sum((x - mean_x) ** 2 for x, _ in logs):.2f}"


def show(value: float) -> str:
    """Three digits, or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}"


class Report:
    """The live updates by size, once for each way to preserve."""

    def __init__(self, updates: list[Update], counted: bool) -> None:
        self.counted = counted
        self.by = {(u.files, u.functions): u for u in updates}
        self.sizes = sorted({u.functions for u in updates})

    def head(self, title: str, last: str) -> None:
        print((f"\n{title:<40} {'':<5}" + "".join(f"{size:>10,}" for size in self.sizes) +
               f"{last:>10}").rstrip(" "))

    def line(self, text: str, whose: str, files: str, values: dict[int, float]) -> None:
        cells = [show(values[s]) if s in values else "-" for s in self.sizes]
        print(f"  {text:<38} {whose:<5}" + "".join(f"{c:>10}" for c in cells) +
              f"{exponent(sorted(values.items())):>10}")

    def times(self) -> None:
        """Print the time of each phase. A nanosecond is an instruction if QEMU counts."""
        self.head("Millions of instructions, by functions" if self.counted
                  else "Milliseconds, by functions", "exponent")
        for row in ROWS:
            if row.phase == "kexec" and self.counted:
                continue  # This one is taken by the clock of the host.
            values = {size: u.cost[row.phase, row.whose] / 1e6
                      for (files, size), u in self.by.items()
                      if files == row.files and (row.phase, row.whose) in u.cost}
            if values:
                self.line(row.text, row.whose if row.whose == "ours" else "all", row.files, values)

    def memory(self) -> None:
        self.head("Kilobytes, by functions", "exponent")
        for text, files, what, whose in MEMORY_ROWS:
            values = {size: float(u.memory[what]) for (f, size), u in self.by.items()
                      if f == files and what in u.memory}
            if values:
                self.line(text, whose, files, values)

    def shares(self) -> bool:
        """Our part of each phase against enumeration; whether all are small."""
        good = True
        judged = [s for f, s in self.by if f == "one" and s >= SHARE_FUNCTIONS]
        self.head("Per cent of enumeration", "")
        for row in ROWS:
            if row.whose != "ours":
                continue
            values = {size: u.cost[row.phase, "ours"] / u.cost["enumerate-new", "all"]
                      for (files, size), u in self.by.items() if files == row.files}
            cells = [f"{100 * values[s]:.2f}" if s in values else "-" for s in self.sizes]
            print(f"  {row.text:<38} {'ours':<5}" + "".join(f"{c:>10}" for c in cells))
            good = good and all(values[size] < SHARE_LIMIT for size in judged)
        if not judged:
            print(f"  Less than 1 is promised for {SHARE_FUNCTIONS:,}: not judged here.")
        return good

    def calls(self, update: Update) -> None:
        """The cost of one call, with one thread and with several."""
        many = max(threads for _, threads in update.calls)
        print(f"\n{f'Nanoseconds a call, {update.functions:,} functions':<42}"
              f"{'1 thread':>12}{f'{many} threads':>12}")
        for name in ("preserve", "is_preserved", "finish"):
            cells = [f"{ns / calls:,.0f}" for calls, ns in
                     (update.calls[name, threads] for threads in (1, many))]
            text = name + ", with its uevent" * (name == "finish")
            print(f"  {text:<40}" + "".join(f"{c:>12}" for c in cells))
        print(f"  {'LUO: preserve a memfd of one page':<40}{update.memfd_ns:>12,}")
        for (files, size), other in sorted(self.by.items()):
            if files == "each":
                ns = other.cost["preserve", "all"] / size
                print(f"  {f'LUO: preserve one of {size:,} files':<40}{ns:>12,.0f}")

    def write(self, path: Path) -> None:
        with path.open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["functions", "files", "what", "whose", "value", "unit"])
            for (files, size), u in sorted(self.by.items()):
                for (phase, whose), ns in u.cost.items():
                    out.writerow([size, files, phase, whose, ns, "ns"])
                for what, kb in u.memory.items():
                    out.writerow([size, files, f"memory {what}", "", kb, "kB"])
                for (name, threads), (calls, ns) in u.calls.items():
                    out.writerow([size, files, f"{calls} calls {name}",
                                  f"{threads} threads", ns, "ns"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path, help="where to write all figures")
    parser.add_argument("--calls", type=Path, metavar="FOLDER",
                        help="of a live update with several threads")
    parser.add_argument("--counted", action="store_true",
                        help="the guests' clock counted instructions")
    parser.add_argument("folder", type=Path, nargs="+", help="of a live update")
    args = parser.parse_args()

    report = Report([read_update(folder) for folder in args.folder], args.counted)
    report.times()
    report.memory()
    good = report.shares()
    if args.calls:
        report.calls(read_update(args.calls))
    report.write(args.csv)
    print(f"\nAll figures: {args.csv}")
    if not good:
        sys.exit("FAIL: our part of a phase takes one per cent of enumeration or more")


if __name__ == "__main__":
    main()
