#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Find the data races of a console log that are ours.

A report is ours if a function of our files is in one of its stacks. Races of other code
are only counted: a kernel has many that its maintainers accept. All other lines of the
log go to a file, in which other kinds of reports can be found.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

# Objects below the build. Accesses through liveupdate.h are inlined in access.o.
OURS = (
    "drivers/pci/liveupdate*.o",
    "drivers/pci/pci-liveupdate-stub.o",
    "drivers/pci/access.o",
    "drivers/vfio/pci/vfio_pci_liveupdate.o",
    "kernel/liveupdate/*.o",
    "lib/*pci_liveupdate*.o",
)

RULER = re.compile(r"^(\[ *[\d.]+\](\[ *[CT]\d+\])? )?={60,}$")
BEGIN = "BUG: KCSAN: "
FRAME = re.compile(r"([A-Za-z_][\w.]*)\+0x[0-9a-f]+/0x[0-9a-f]+")


def functions(build: Path) -> set[str]:
    """The functions that the compiler put into our objects."""
    objects = [path for pattern in OURS for path in build.glob(pattern)
               if not path.name.endswith(".mod.o")]
    if not objects:
        sys.exit(f"{build} has none of our objects")
    symbols = subprocess.run(["nm", *map(str, objects)], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    return {line.split()[-1] for line in symbols.splitlines()
            if len(line.split()) == 3 and line.split()[1] in "tT"}


def split(lines: list[str]) -> tuple[list[list[str]], list[str]]:
    """The reports, and all other lines."""
    reports: list[list[str]] = []
    rest: list[str] = []
    report: list[str] | None = None
    for line in lines:
        ruler = RULER.match(line)
        if report is None and ruler:
            report = []
        elif report is not None and ruler:
            reports.append(report)
            report = None
        elif report is not None:
            report.append(line)
            if len(report) == 1 and BEGIN not in line:
                rest += report
                report = None
        else:
            rest.append(line)
    return reports, rest + (report or [])


def title(report: list[str]) -> str:
    """The two functions of a race, or the one that is known."""
    return report[0].split(BEGIN)[1]


def main() -> int:
    """Print our races, and count the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("console", type=Path)
    parser.add_argument("build", type=Path, help="the folder of the kernel's objects")
    parser.add_argument("rest", type=Path, help="the file for all other lines")
    args = parser.parse_args()

    ours = functions(args.build)
    reports, rest = split(args.console.read_text(errors="replace").splitlines())
    args.rest.write_text("\n".join(rest) + "\n")

    bad = 0
    for report in reports:
        if ours & set(FRAME.findall("\n".join(report))):
            bad += 1
            print("\n".join(report))
    others = [title(report) for report in reports
              if not ours & set(FRAME.findall("\n".join(report)))]
    print(f"{bad} data races of this code, {len(others)} of other code")
    for other in sorted(set(others)):
        print(f"  {other}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
