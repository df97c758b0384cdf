#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Count the instructions that the guard adds to a write to other devices.

Reads two objects of drivers/pci/access.c, from kernels without and with
CONFIG_PCI_LIVEUPDATE, and counts the instructions from the start of each
function to the write to the bus, on the shortest way.
"""

import argparse
import sys
from pathlib import Path

from static_key import Object

# A load of the flags, a test of their bits, and the jump.
MOST = 3


def to_the_bus(code: Object, size: str) -> int:
    """How many instructions run before the write to the bus, or 0."""
    target = f"<pci_bus_write_config_{size}>"
    return min(
        (
            ran
            for at, ran in code.reachable(f"pci_write_config_{size}").items()
            if target in code.code[at].text
        ),
        default=0,
    )


def main() -> int:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("without", type=Path)
    parser.add_argument("guarded", type=Path)
    args = parser.parse_args()
    without, guarded = Object(args.without), Object(args.guarded)
    bad = 0

    print(f"{'':<26}{'without':>8}{'with':>8}")
    for size in ("byte", "word", "dword"):
        less, more = to_the_bus(without, size), to_the_bus(guarded, size)
        print(f"pci_write_config_{size:<9}{less:>8}{more:>8}")
        if not less or not less < more <= less + MOST:
            print(f"expected 1 to {MOST} instructions more")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
