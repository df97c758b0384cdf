#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Show the devices that a live update wrote to in configuration space.

Reads the trace of QEMU, and from the guest the contents of configuration space
before and after. Prints each write that changed a register, between the old
kernel's shutdown and finish, side by side for a stock kernel and ours, and the
writes that the guard of our kernel refused.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

MARK_SHUTDOWN = 0x5A
MARK_FINISH = 0xA5
MARK_DEVICE = "0000:00:1d.0"
INTERRUPT_LINE = 0x3C

COMMAND = 0x04
BRIDGE_CONTROL = 0x3E


@dataclass(frozen=True)
class Register:
    """A register: its width in bytes, bits that a write clears, and actions."""

    name: str
    width: int
    rw1c: int = 0
    action: int = 0


HEADER = {
    0x04: Register("Command", 2),
    0x06: Register("Status", 2, rw1c=0xFFFF),
    0x0C: Register("Cache Line Size", 1),
    0x0D: Register("Latency Timer", 1),
    0x0F: Register("BIST", 1, action=0x40),
    0x3C: Register("Interrupt Line", 1),
}
HEADER_0 = {
    **{0x10 + 4 * i: Register(f"BAR {i}", 4) for i in range(6)},
    0x30: Register("Expansion ROM", 4),
}
HEADER_1 = {
    0x10: Register("BAR 0", 4),
    0x14: Register("BAR 1", 4),
    0x18: Register("Bus Numbers", 4),
    0x19: Register("Secondary Bus", 1),
    0x1A: Register("Subordinate Bus", 1),
    0x1B: Register("Secondary Latency Timer", 1),
    0x1C: Register("I/O Window", 2),
    0x1E: Register("Secondary Status", 2, rw1c=0xFFFF),
    0x20: Register("Memory Window", 4),
    0x24: Register("Prefetchable Window", 4),
    0x28: Register("Prefetchable Base Upper", 4),
    0x2C: Register("Prefetchable Limit Upper", 4),
    0x30: Register("I/O Window Upper", 4),
    0x38: Register("Expansion ROM", 4),
    0x3E: Register("Bridge Control", 2, rw1c=0x400, action=0x40),
}
CAPABILITIES = {
    0x01: {4: Register("Power Management Control", 2, rw1c=0x8000)},
    0x03: {2: Register("VPD Address", 2)},
    0x05: {
        2: Register("MSI Control", 2),
        4: Register("MSI Address", 4),
        8: Register("MSI Address Upper or Data", 4),
        12: Register("MSI Data", 2),
    },
    0x10: {
        8: Register("Device Control", 2, action=0x8000),
        10: Register("Device Status", 2, rw1c=0xFFFF),
        16: Register("Link Control", 2, action=0x20),
        18: Register("Link Status", 2, rw1c=0xFFFF),
        24: Register("Slot Control", 2),
        26: Register("Slot Status", 2, rw1c=0xFFFF),
        28: Register("Root Control", 2),
        32: Register("Root Status", 4, rw1c=0xFFFFFFFF),
        40: Register("Device Control 2", 2),
        48: Register("Link Control 2", 2),
    },
    0x11: {2: Register("MSI-X Control", 2)},
    0x13: {4: Register("AF Control", 1, action=0x1)},
}
EXTENDED = {
    0x01: {
        0x04: Register("AER Uncorrectable Status", 4, rw1c=0xFFFFFFFF),
        0x08: Register("AER Uncorrectable Mask", 4),
        0x0C: Register("AER Uncorrectable Severity", 4),
        0x10: Register("AER Correctable Status", 4, rw1c=0xFFFFFFFF),
        0x14: Register("AER Correctable Mask", 4),
        0x18: Register("AER Control", 4),
        0x2C: Register("AER Root Command", 4),
        0x30: Register("AER Root Status", 4, rw1c=0xFFFFFFFF),
    },
    0x0D: {6: Register("ACS Control", 2)},
    0x0E: {6: Register("ARI Control", 2)},
    0x0F: {6: Register("ATS Control", 2)},
    0x13: {
        4: Register("PRI Control", 2, action=0x2),
        6: Register("PRI Status", 2, rw1c=0x3),
        12: Register("PRI Allocation", 4),
    },
    0x15: {8: Register("Resizable BAR Control", 4)},
    0x18: {4: Register("LTR Max Snoop", 2), 6: Register("LTR Max No-Snoop", 2)},
    0x1B: {6: Register("PASID Control", 2)},
    0x10: {
        0x08: Register("SR-IOV Control", 2),
        0x10: Register("NumVFs", 2),
        0x20: Register("System Page Size", 4),
        **{0x24 + 4 * i: Register(f"VF BAR {i}", 4) for i in range(6)},
    },
    0x1D: {6: Register("DPC Control", 2), 8: Register("DPC Status", 2, rw1c=0xFFFF)},
    0x1E: {8: Register("L1 PM Substates Control", 4)},
    0x1F: {8: Register("PTM Control", 4)},
}

# Registers that a bound port service may change on a bridge, and the reason. The guard
# lets these pass, and others that no service writes in a live update.
SERVICES = {
    "MSI Control": "the port driver sets up its own interrupt",
    "MSI Address": "the port driver sets up its own interrupt",
    "MSI Address Upper or Data": "the port driver sets up its own interrupt",
    "MSI Data": "the port driver sets up its own interrupt",
    "MSI-X Control": "the port driver sets up its own interrupt",
    "Slot Control": "pciehp enables notification of what happens in the slot",
    "Root Control": "the PME service enables its interrupt",
    "AER Root Command": "the AER service enables its interrupt",
    "Link Bandwidth Interrupts": "the bandwidth service enables its interrupts",
    "Interrupt Disable": "the port driver uses MSI instead of INTx",
    "DPC Control": "the DPC service enables containment and its interrupt",
}

# The reason for the only change of a PF that is preserved for its VFs.
IDLE_PF = "the old kernel clears Bus Master: nothing preserves the PF's own memory"
BUS_MASTER = 0x4

# The bits of these registers that a port service leaves alone: power and
# interlock of a slot, and the software trigger of DPC.
NOT_OF_SERVICES = {"Slot Control": 0xC00, "DPC Control": 0x40}


@dataclass
class Device:
    """A function as the guest saw it, and the writes to it since."""

    address: str
    config: bytearray
    registers: dict[int, Register] = field(default_factory=dict)
    writes: int = 0
    changes: list[tuple[str, int, int]] = field(default_factory=list)
    rw1c: int = 0
    actions: list[str] = field(default_factory=list)
    closed: int = 0
    mapped_out: int = 0
    start: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registers = dict(HEADER)
        self.registers.update(HEADER_1 if self.is_bridge else HEADER_0)
        self._add_capabilities()
        self._add_extended()

    @property
    def is_bridge(self) -> bool:
        return self.config[0x0E] & 0x7F == 1

    def value(self, offset: int, width: int) -> int:
        return int.from_bytes(self.config[offset : offset + width], "little")

    def _add_capabilities(self) -> None:
        offset = self.config[0x34]
        while offset:
            known = CAPABILITIES.get(self.config[offset], {})
            for place, register in known.items():
                self.registers[offset + place] = register
            offset = self.config[offset + 1]

    def _add_extended(self) -> None:
        offset = 0x100 if len(self.config) > 0x100 else 0
        while offset:
            head = self.value(offset, 4)
            for place, register in EXTENDED.get(head & 0xFFFF, {}).items():
                self.registers[offset + place] = register
            offset = head >> 20

    def register_name(self, offset: int) -> str:
        """The register that a byte belongs to."""
        for start in range(offset, max(offset - 4, -1), -1):
            known = self.registers.get(start)
            if known and offset < start + known.width:
                return known.name
        return f"offset {offset:#x}"

    def register(self, offset: int) -> Register:
        known = self.registers.get(offset)
        if known:
            return known
        return Register(f"offset {offset:#x}", 4 if offset % 4 == 0 else 2 - offset % 2)

    def write(self, offset: int, value: int) -> None:
        register = self.register(offset)
        # After a renumbering another function may have this address.
        value &= (1 << 8 * register.width) - 1
        old = self.value(offset, register.width)
        self.writes += 1
        if value & register.rw1c:
            self.rw1c += 1
        if value & register.action:
            self.actions.append(register.name)
        mask = ~(register.rw1c | register.action)
        new = value & mask | old & ~mask
        if new != old:
            self.changes.append((register.name, old, new))
            if offset == COMMAND and old & 2 and not new & 2:
                self.closed += 1
        self.config[offset : offset + register.width] = new.to_bytes(
            register.width, "little"
        )

    def read(self, offset: int, value: int) -> None:
        """Take over the value in the device: some bits are read-only."""
        register = self.registers.get(offset)
        if register and value < 1 << 8 * register.width:
            self.config[offset : offset + register.width] = value.to_bytes(
                register.width, "little"
            )


EVENT = re.compile(
    r"(?P<event>pci_cfg_write|pci_cfg_read|pci_update_mappings_del) \S+ "
    r"(?P<bdf>[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) "
    r"(?:@(?P<offset>0x[0-9a-f]+) (?:<-|->) (?P<value>0x[0-9a-f]+))?"
)

# The begin of a trace line of the guard, and its fields.
ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
FIELD = re.compile(r"(\w+)=(\S+)")

COLUMNS = ("writes", "changed", "action", "rw1c", "closed", "unmapped")


class Run:
    """One live update: the devices that count, and all that happened to them."""

    def __init__(self, folder: Path) -> None:
        self.devices: dict[str, Device] = {}
        self.preserved: list[str] = []
        self.pfs: list[str] = []
        self.vfs: list[str] = []
        self.failed: list[str] = []
        self.refused: dict[tuple[str, str, str], int] = {}
        self.ended = False
        self.events: list[str] = []
        self._read_side(folder / "side")
        self._replay(folder / "trace")

    def _read_side(self, side: Path) -> None:
        for line in side.read_text(errors="replace").splitlines():
            words = line.split()[1:]
            if words[:3] == ["data", "config", "before"]:
                self.devices[words[3]] = Device(words[3], bytearray.fromhex(words[4]))
            elif words[:2] == ["data", "preserved"]:
                self.preserved = words[2:]
            elif words[:2] == ["data", "pfs"]:
                self.pfs = words[2:]
            elif words[:2] == ["data", "vfs"]:
                self.vfs = words[2:]
            elif words[:2] == ["data", "refused"]:
                self._add_refused(int(words[2]), " ".join(words[3:]))
            elif words[:2] == ["not", "ok"]:
                self.failed.append("not so: " + " ".join(words[2:]))
            elif words[:2] == ["data", "failed"] and self.failed:
                self.failed[-1] += "; " + " ".join(words[2:])
        if not self.preserved or not self.pfs or not self.vfs:
            sys.exit(f"{side}: the guest preserved nothing; see the console beside it")

    def _add_refused(self, count: int, text: str) -> None:
        address = ADDRESS.match(text)
        fields = dict(FIELD.findall(text))
        if not address or "where" not in fields or "caller" not in fields:
            sys.exit(f"no address, where= and caller= in the trace line: {text}")
        device = self.devices.get(address[0])
        where = int(fields["where"], 0)
        name = device.register_name(where) if device else f"offset {where:#x}"
        key = (address[0], name, fields["caller"].split("+")[0])
        self.refused[key] = self.refused.get(key, 0) + count

    def _replay(self, trace: Path) -> None:
        running = False
        for line in trace.open(errors="replace"):
            event = EVENT.search(line)
            if not event:
                continue
            address = "0000:" + event["bdf"]
            offset, value = (int(event[x] or "0", 16) for x in ("offset", "value"))
            if (
                event["event"] == "pci_cfg_write"
                and address == MARK_DEVICE
                and offset == INTERRUPT_LINE
                and value in (MARK_SHUTDOWN, MARK_FINISH)
            ):
                running = value == MARK_SHUTDOWN
                self.ended = not running
                if running:
                    self._begin()
                continue
            if running:
                self.events.append(line.rstrip())
            device = self.devices.get(address)
            if not running or not device:
                continue
            if event["event"] == "pci_cfg_write":
                device.write(offset, value)
            elif event["event"] == "pci_cfg_read":
                device.read(offset, value)
            else:
                device.mapped_out += 1
        if not self.ended:
            sys.exit(f"{trace}: it does not go from the shutdown to the finish")
        self._unmap_vfs()

    def _unmap_vfs(self) -> None:
        """QEMU does not trace that it unmaps VFs when they are disabled."""
        for pf in self.pfs:
            for vf in self.vfs:
                self.devices[vf].mapped_out += len(self.disabled_vfs(pf))

    def _begin(self) -> None:
        for device in self.devices.values():
            device.start = {
                register.name: device.value(offset, register.width)
                for offset, register in device.registers.items()
            }

    def bridges(self) -> list[str]:
        """The bridges above preserved functions."""
        buses = {int(address[5:7], 16) for address in self.preserved + self.pfs}
        return sorted(
            device.address
            for device in self.devices.values()
            if device.is_bridge
            and any(device.config[0x19] <= bus <= device.config[0x1A] for bus in buses)
        )

    def left_different(self, name: str) -> list[str]:
        """The bridges whose register has another value in the end."""
        return [
            device.address
            for device in self.devices.values()
            for offset, register in device.registers.items()
            if device.is_bridge
            and register.name == name
            and device.value(offset, register.width) != device.start[name]
        ]

    def disabled_vfs(self, pf: str) -> list[tuple[int, int]]:
        """Writes that cleared VF Enable of a PF: the old value and the new one."""
        return [
            (old, new)
            for name, old, new in self.devices[pf].changes
            if name == "SR-IOV Control" and old & 1 and not new & 1
        ]

    def counts(self, address: str) -> tuple[int, ...]:
        device = self.devices[address]
        return (
            device.writes,
            len(device.changes),
            len(device.actions),
            device.rw1c,
            device.closed,
            device.mapped_out,
        )


def complaints_of_function(device: Device) -> list[str]:
    """A preserved function: nothing may change, not even for a moment."""
    found = [f"{name} {old:#x} -> {new:#x}" for name, old, new in device.changes]
    found += [f"action bit in {name}" for name in device.actions]
    if device.mapped_out:
        found.append(f"a BAR was unmapped {device.mapped_out} times")
    return found


def is_idle_pf(change: tuple[str, int, int]) -> bool:
    """Whether the change clears Bus Master, and nothing else."""
    name, old, new = change
    return name == "Command" and bool(old & BUS_MASTER) and new == old & ~BUS_MASTER


def complaints_of_pf(device: Device) -> list[str]:
    """A PF that is preserved for its VFs: only its own DMA may be stopped."""
    found = complaints_of_function(device)
    if device.changes and is_idle_pf(device.changes[0]):
        del found[0]
    return found


def allowed(name: str, old: int, new: int) -> str:
    """Why a port service may make this change on a bridge, or nothing."""
    if name == "Command" and old ^ new == 0x400:
        return SERVICES["Interrupt Disable"]
    if name == "Link Control" and (old ^ new) & ~0xC00 == 0:
        return SERVICES["Link Bandwidth Interrupts"]
    if (old ^ new) & NOT_OF_SERVICES.get(name, 0):
        return ""
    return SERVICES.get(name, "")


def complaints_of_bridge(device: Device) -> list[str]:
    """A bridge above: only registers of a port service may change."""
    found = [
        f"{name} {old:#x} -> {new:#x}"
        for name, old, new in device.changes
        if not allowed(name, old, new)
    ]
    found += [f"action bit in {name}" for name in device.actions]
    if device.mapped_out:
        found.append(f"a BAR was unmapped {device.mapped_out} times")
    return found


def print_table(stock: Run, ours: Run) -> None:
    head = "".join(f"{name:>9}" for name in COLUMNS)
    print(f"{'':14}{'stock':^{len(head)}} |{'preserved':^{len(head)}}")
    print(f"{'':14}{head} |{head}")
    for title, addresses in (
        ("functions", ours.preserved),
        ("PF of VFs", ours.pfs),
        ("VFs", ours.vfs),
        ("bridges above", ours.bridges()),
    ):
        print(title)
        for address in addresses:
            cells = [
                "".join(f"{count:9}" for count in run.counts(address))
                for run in (stock, ours)
            ]
            print(f"  {address}{cells[0]} |{cells[1]}")


def print_pfs(stock: Run, ours: Run) -> None:
    print("\nVFs and their PF:")
    for address in ours.pfs:
        for old, new in stock.disabled_vfs(address):
            print(f"  {address} SR-IOV Control {old:#x} -> {new:#x}:"
                  " the stock kernel disables all VFs")
        for name, old, new in filter(is_idle_pf, ours.devices[address].changes):
            print(f"  {address} {name} {old:#x} -> {new:#x}: {IDLE_PF}")


def print_services(ours: Run) -> None:
    print("\nWhat changed on bridges, all of it owned by a port service:")
    for address in ours.bridges():
        for name, old, new in ours.devices[address].changes:
            reason = allowed(name, old, new)
            if reason:
                print(f"  {address} {name} {old:#x} -> {new:#x}: {reason}")


def print_refused(ours: Run) -> None:
    if not ours.refused:
        return
    print("\nRefused writes that would have changed something:")
    print(f"  {'device':14}{'register':28}{'count':>5}  caller")
    for (address, name, caller), count in sorted(ours.refused.items()):
        print(f"  {address:14}{name:28}{count:5}  {caller}")


def differences(stock: Run, idle: Run) -> list[str]:
    """With nothing preserved, the same accesses in the same order as stock."""
    for number, (one, other) in enumerate(zip(stock.events, idle.events)):
        if one != other:
            return [f"access {number} of the kernel with nothing preserved is"
                    f" '{other}', and '{one}' of the stock kernel"]
    if len(stock.events) != len(idle.events):
        return [f"{len(idle.events)} accesses of the kernel with nothing preserved,"
                f" and {len(stock.events)} of the stock kernel"]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stock", type=Path, help="folder of the run without the option")
    parser.add_argument("ours", type=Path, help="folder of the run with preserved devices")
    parser.add_argument("--idle", type=Path, help="folder of a run with none preserved")
    parser.add_argument("--guard-only", action="store_true",
                        help="only the guard keeps writes away, so it must refuse some")
    parser.add_argument("--red", help="register that the stock kernel leaves different")
    args = parser.parse_args()

    stock, ours = Run(args.stock), Run(args.ours)
    print_table(stock, ours)
    print_pfs(stock, ours)
    print_services(ours)
    print_refused(ours)

    complaints = stock.failed + ours.failed
    if args.guard_only:
        refused = {address for address, _, _ in ours.refused}
        complaints += [
            f"{address}: the guard refused no write"
            for address in ours.preserved + ours.pfs + ours.vfs
            if address not in refused
        ]
    if args.idle:
        idle = Run(args.idle)
        complaints += idle.failed
        print(f"\nWith nothing preserved: {len(idle.events)} accesses,"
              f" of the stock kernel: {len(stock.events)}")
        complaints += differences(stock, idle)
    if args.red:
        changed = stock.left_different(args.red)
        print(f"\nThe stock kernel leaves {args.red} different on: {' '.join(changed)}")
        if not changed:
            complaints.append(f"the stock kernel leaves {args.red} as it was")
    # With other bus numbers the PF has another address by then.
    if args.red != "Bus Numbers":
        complaints += [
            f"{address}: the stock kernel leaves its VFs enabled"
            for address in ours.pfs
            if not stock.disabled_vfs(address)
        ]
    complaints += [
        f"{address}: {text}"
        for addresses, find in (
            (ours.preserved + ours.vfs, complaints_of_function),
            (ours.pfs, complaints_of_pf),
            (ours.bridges(), complaints_of_bridge),
        )
        for address in addresses
        for text in find(ours.devices[address])
    ]
    if complaints:
        print("\nComplaints:")
        for complaint in complaints:
            print(f"  {complaint}")
        print(f"\nFAIL: {len(complaints)} complaints")
        return 1
    print("\nPASS: no preserved function was touched, nor anything it needs above it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
