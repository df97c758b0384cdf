#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Show the writes of two kernels to functions in reset mode, and check that they stop.

Reads the trace of QEMU, and from the guest the functions and their configuration
space. Prints the registers that each kernel wrote from preserve to finish, and the
values. The old kernel must reset each function, and leave its bus mastering disabled.
The next kernel must not write to a function until user space binds its file.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from touch import BUS_MASTER, COMMAND, EVENT, INTERRUPT_LINE, MARK_DEVICE, Device

# The old kernel preserves the files until it ends; the next one enumerates devices,
# user space retrieves the files, and from then on uses the devices until finish.
OLD, NEW, IN_USE = "old kernel", "new kernel, before its use", "new kernel, in use"
MARKS = {0x5A: OLD, 0x69: IN_USE, 0xA5: ""}

# The first register that a kernel writes to a function: it finds out the size of BAR 0.
BAR_0 = 0x10
ALL_ONES = 0xFFFFFFFF

BRIDGE_CONTROL = 0x3E
BUS_RESET = 0x40


@dataclass(frozen=True)
class Write:
    """A write of a kernel to a function in use."""

    device: Device
    offset: int
    value: int

    def name(self) -> str:
        return self.device.register_name(self.offset)

    def enables_dma(self) -> bool:
        return self.offset == COMMAND and bool(self.value & BUS_MASTER)

    def stops_dma(self) -> bool:
        return self.offset == COMMAND and not self.value & BUS_MASTER

    def resets(self) -> bool:
        """A function-level reset."""
        register = self.device.register(self.offset)
        return register.name == "Device Control" and bool(self.value & register.action)


@dataclass
class Update:
    """One live update: the writes by phase, and ports that reset the bus below them."""

    writes: dict[str, list[Write]] = field(
        default_factory=lambda: {OLD: [], NEW: [], IN_USE: []}
    )
    resets: set[str] = field(default_factory=set)
    ended: bool = False


def read_side(side: Path) -> tuple[dict[str, Device], dict[str, str]]:
    """The functions in use with their contents, and the port above each."""
    devices: dict[str, Device] = {}
    ports: dict[str, str] = {}
    for line in side.read_text(errors="replace").splitlines():
        words = line.split()[1:]
        if words[:3] == ["data", "config", "before"]:
            devices[words[3]] = Device(words[3], bytearray.fromhex(words[4]))
        elif words[:2] == ["data", "port"]:
            ports[words[2]] = words[3]
    return devices, ports


class Run:
    """All live updates of a machine."""

    def __init__(self, folder: Path) -> None:
        self.devices, self.ports = read_side(folder / "side")
        self.updates: list[Update] = []
        self.phase = ""
        for line in (folder / "trace").open(errors="replace"):
            event = EVENT.search(line)
            if event and event["event"] == "pci_cfg_write":
                self._write(
                    "0000:" + event["bdf"], int(event["offset"], 16), int(event["value"], 16)
                )

    def _write(self, address: str, offset: int, value: int) -> None:
        if address == MARK_DEVICE:
            self._mark(offset, value)
        elif self.phase and address in self.devices:
            write = Write(self.devices[address], offset, value)
            self.updates[-1].writes[self.phase].append(write)
        elif self.phase == OLD and offset == BRIDGE_CONTROL and value & BUS_RESET:
            self.updates[-1].resets.add(address)

    def _mark(self, offset: int, value: int) -> None:
        if offset == BAR_0 and value == ALL_ONES and self.phase == OLD:
            self.phase = NEW
        elif offset == INTERRUPT_LINE and value in MARKS:
            self.phase = MARKS[value]
            if self.phase == OLD:
                self.updates.append(Update())
            elif not self.phase and self.updates:
                self.updates[-1].ended = True


def print_writes(number: int, update: Update) -> None:
    print(f"Live update {number}")
    for phase, writes in update.writes.items():
        print(f"  {phase}: {len(writes)} writes")
        values: dict[tuple[str, str], Counter[str]] = {}
        for write in writes:
            key = (write.device.address, write.name())
            values.setdefault(key, Counter())[f"{write.value:#x}"] += 1
        for (address, name), counts in sorted(values.items()):
            text = ", ".join(
                value if count == 1 else f"{count} times {value}"
                for value, count in counts.items()
            )
            print(f"    {address} {name:28} {sum(counts.values()):3}: {text}")
    print(f"  buses that the old kernel reset: below {' '.join(sorted(update.resets))}")


def complaints_of_function(update: Update, device: Device, port: str) -> list[str]:
    """The old kernel stops and resets the function, the next one waits for its use."""
    old, new, in_use = (
        [write for write in writes if write.device is device]
        for writes in update.writes.values()
    )
    found = [f"the new kernel writes {write.name()} before its use" for write in new]
    commands = [write for write in old if write.stops_dma() or write.enables_dma()]
    if not commands or commands[-1].enables_dma():
        found.append("the old kernel leaves its bus mastering enabled")
    if port not in update.resets and not any(write.resets() for write in old):
        found.append("the old kernel does not reset it")
    if not any(write.enables_dma() for write in in_use):
        found.append("it is not in use in the new kernel")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the run")
    parser.add_argument("--updates", type=int, default=2, help="number of live updates")
    run = Run(parser.parse_args().folder)

    complaints = []
    for number, update in enumerate(run.updates, 1):
        print_writes(number, update)
        if not update.ended:
            complaints.append(f"live update {number} has no end")
        for address, device in run.devices.items():
            complaints += [
                f"live update {number}: {address}: {text}"
                for text in complaints_of_function(update, device, run.ports[address])
            ]
    if len(run.updates) != parser.parse_args().updates or not run.devices:
        complaints.append(f"{len(run.updates)} live updates of {len(run.devices)} devices")
    for complaint in complaints:
        print(f"not so: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
