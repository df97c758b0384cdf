#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Show the costs of live updates of PFs with VFs.

Reads the output of the guests of tests/cases/scale_sriov.guest.sh, one folder for
each live update. Prints a table by the share of VFs that is preserved, with the
largest number of PFs, and one by the number of VFs, with all of them preserved.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scale import READ_RECORD, exponent, show


@dataclass
class Update:
    """A live update: nanoseconds by phase, and accesses by class of functions."""

    pfs: int = 0
    vfs_of_pf: int = 0
    percent: int = 0
    found: int = 0
    cost: dict[tuple[str, str], int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    count: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def vfs(self) -> int:
        return self.pfs * self.vfs_of_pf


def read_data(update: Update, words: list[str]) -> None:
    """Take over a line "data KEY VALUE..." without its first word."""
    key, values = words[0], words[1:]
    if key == "cost":
        update.cost[values[0], values[1]] = int(values[2])
    elif key == "memory":
        update.memory[values[0]] = int(values[1])
    elif key == "count" and values[0] == "enumeration":
        update.count[values[1]] = (int(values[2]), int(values[3]), int(values[4]))
    elif key in ("pfs", "vfs_of_pf", "percent", "found"):
        setattr(update, key, int(values[0]))


def read_update(folder: Path) -> Update:
    """Read the lines of the guest, each behind the time of the host."""
    update = Update()
    kexec = up = uptime = 0.0
    for line in (folder / "side").read_text().splitlines():
        words = line.split()
        if words[1] == "data":
            read_data(update, words[2:])
        elif words[1:] == ["phase", "kexec"]:
            kexec = float(words[0])
        elif words[1:3] == ["phase", "up"]:
            up, uptime = float(words[0]), float(words[3])
    update.cost["kexec", "all"] = round((up - kexec - uptime) * 1e9)
    if ("finish", "ours") in update.cost:
        # The kernel sent each uevent twice, to measure it.
        update.cost["finish", "ours"] -= 2 * update.cost["finish", "uevents"]
    if ("remove", "all") in update.cost:
        # The PCI core waits a second after it disabled the VFs of a PF.
        update.cost["remove", "awake"] = update.cost["remove", "all"] - update.pfs * 10**9
    match = READ_RECORD.search((folder / "console").read_text(errors="replace"))
    if match:
        update.cost["read", "ours"] = int(match[1]) * 1000
    return update


def milliseconds(phase: str, whose: str) -> Callable[[Update], float | None]:
    def get(update: Update) -> float | None:
        ns = update.cost.get((phase, whose))
        return None if ns is None else ns / 1e6
    return get


def accesses(name: str, index: int) -> Callable[[Update], float | None]:
    """The accesses to each function of a class: 1 for reads, 2 for writes."""
    def get(update: Update) -> float | None:
        functions = update.count[name][0]
        return update.count[name][index] / functions if functions else None
    return get


Row = tuple[str, Callable[[Update], float | None]]

ACCESSES: list[Row] = [
    ("VFs found", lambda update: update.found),
    ("reads of each PF", accesses("pf", 1)),
    ("writes to each PF", accesses("pf", 2)),
    ("reads of each preserved VF", accesses("preserved-vf", 1)),
    ("writes to each preserved VF", accesses("preserved-vf", 2)),
    ("reads of each other VF", accesses("other-vf", 1)),
    ("writes to each other VF", accesses("other-vf", 2)),
]
TIMES: list[Row] = [
    ("old kernel: enumerate PFs", milliseconds("enumerate-old", "all")),
    ("old kernel: enable VFs", milliseconds("enable", "all")),
    ("old kernel: preserve", milliseconds("preserve", "ours")),
    ("load the next kernel", milliseconds("load", "all")),
    ("shut down, begin the next kernel", milliseconds("kexec", "all")),
    ("new kernel: read the record", milliseconds("read", "ours")),
    ("new kernel: enumerate", milliseconds("enumerate-new", "all")),
    ("  of that, scan buses and PFs", milliseconds("enumerate-new", "scan")),
    ("  of that, claim resources", milliseconds("enumerate-new", "claim")),
    ("  of that, add devices, with VFs", milliseconds("enumerate-new", "add")),
    ("finish", milliseconds("finish", "ours")),
    ("finish: uevents of the driver core", milliseconds("finish", "uevents")),
    ("disable all VFs", milliseconds("remove", "all")),
    ("  without a second for each PF", milliseconds("remove", "awake")),
]


def table(title: str, heads: list[str], rows: list[Row], updates: list[Update],
          growth: bool) -> None:
    print((f"\n{title:<42}" + "".join(f"{head:>10}" for head in heads) +
           ("  exponent" if growth else "")))
    for text, get in rows:
        values = [get(update) for update in updates]
        cells = ["-" if value is None else show(value) for value in values]
        points = [(update.vfs, value) for update, value in zip(updates, values)
                  if value is not None]
        print(f"  {text:<40}" + "".join(f"{cell:>10}" for cell in cells) +
              (f"{exponent(points):>10}" if growth else ""))


def write(path: Path, updates: list[Update]) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["PFs", "VFs", "per cent", "what", "whose", "value", "unit"])
        for u in updates:
            first = [u.pfs, u.vfs, u.percent]
            out.writerow(first + ["found", "", u.found, "VFs"])
            for (phase, whose), ns in u.cost.items():
                out.writerow(first + [phase, whose, ns, "ns"])
            for what, kb in u.memory.items():
                out.writerow(first + [f"memory {what}", "", kb, "kB"])
            for name, (_, reads, writes) in u.count.items():
                out.writerow(first + ["reads", name, reads, ""])
                out.writerow(first + ["writes", name, writes, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path, help="where to write all figures")
    parser.add_argument("folder", type=Path, nargs="+", help="of a live update")
    args = parser.parse_args()

    updates = sorted((read_update(folder) for folder in args.folder),
                     key=lambda update: (update.vfs, update.percent))
    most = updates[-1].vfs
    shares = [update for update in updates if update.vfs == most]
    sizes = [update for update in updates if update.percent == 100]
    heads = [f"{update.percent} %" for update in shares]
    table(f"{shares[0].pfs} PFs, {most:,} VFs: preserved", heads, ACCESSES, shares, False)
    table("Milliseconds", heads, TIMES, shares, False)
    if len(sizes) > 1:
        heads = [f"{update.vfs:,}" for update in sizes]
        table("Milliseconds, by VFs, all preserved", heads, TIMES, sizes, True)
    write(args.csv, updates)
    print(f"\nAll figures: {args.csv}")


if __name__ == "__main__":
    main()
