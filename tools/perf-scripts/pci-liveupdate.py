#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Report the latency of each phase of a PCI live update.

Reads what perf script or the kernel's trace file says of the tracepoints of
include/trace/events/pci_liveupdate.h. Prints a table, a histogram of each phase
and the slowest devices. Exits with 1 if there is nothing to report, or if it
is not all there.
"""

import argparse
import errno
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

# In the order in which they happen.
PHASES = ("preserve", "unpreserve", "retrieve", "incoming", "finish")

BAR_WIDTH = 40

EVENT = re.compile(r"\bpci_liveupdate_(?P<name>[a-z]+): *(?P<text>.*)$")
FUNCTION = re.compile(
    r"(?P<address>[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) "
    r"(?P<id>\[[0-9a-f]{4}:[0-9a-f]{4}\]) err=(?P<err>-?\d+) "
    r"duration_ns=(?P<ns>\d+)"
)
RECORD = re.compile(
    r"root_pa=(?P<root>0x[0-9a-f]+) nr_devices=(?P<devices>\d+) "
    r"nr_segments=(?P<segments>\d+) err=(?P<err>-?\d+) duration_ns=(?P<ns>\d+)"
)
DAMAGE = re.compile(
    r"(?P<address>(?P<domain>[0-9a-f]{4,8}):\S+) scope=(?P<scope>\w+) "
    r'field="(?P<field>.*)" found=(?P<found>0x[0-9a-f]+) '
    r'rule="(?P<rule>.*)" expected=(?P<expected>0x[0-9a-f]+)'
)
BLOCKED = re.compile(
    r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] where=0x[0-9a-f]+ size=[124] "
    r"val=0x[0-9a-f]+ old=0x[0-9a-f]+ passed=0x[0-9a-f]+ caller=\S+( \[\w+\])?"
)
# What perf script and the trace file say of events that did not fit.
LOST = re.compile(r"PERF_RECORD_LOST\w*.*lost (\d+)|\[LOST (\d+) EVENTS\]")


@dataclass(frozen=True)
class Operation:
    """One event: what was done to whom, with what result, and for how long."""

    phase: str
    what: str
    err: int
    ns: int


@dataclass
class Trace:
    """All that was read."""

    operations: list[Operation] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    blocked: int = 0
    garbled: list[str] = field(default_factory=list)
    lost: int = 0

    def add(self, line: str) -> None:
        """Add what LINE says, if it is about an event."""
        lost = LOST.search(line)
        if lost:
            self.lost += int(lost[1] or lost[2])
            return
        event = EVENT.search(line)
        if event and not self._add_event(event["name"], event["text"].rstrip()):
            self.garbled.append(line.strip())

    def _add_event(self, name: str, text: str) -> bool:
        if name == "damage":
            return self._add_damage(text)
        if name == "blocked":
            self.blocked += 1
            return BLOCKED.fullmatch(text) is not None
        match = (RECORD if name == "retrieve" else FUNCTION).fullmatch(text)
        if not match or name not in PHASES:
            return False
        what = (
            f"the record at {match['root']}: {match['devices']} devices "
            f"in {match['segments']} segments"
            if name == "retrieve"
            else f"{match['address']} {match['id']}"
        )
        self.operations.append(
            Operation(name, what, int(match["err"]), int(match["ns"]))
        )
        return True

    def _add_damage(self, text: str) -> bool:
        match = DAMAGE.fullmatch(text)
        if not match:
            return False
        where = {"record": "", "segment": f" of segment {match['domain']}"}.get(
            match["scope"], f" of {match['address']}"
        )
        self.damage.append(
            f"{match['field']}{where} is {match['found']}, "
            f"expected {match['rule']} {match['expected']}"
        )
        return True


def duration(ns: float) -> str:
    """NS as a person reads it."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.1f} {unit}"
    return f"{ns:.0f} ns"


def percentile(values: list[int], percent: int) -> int:
    """The smallest of the sorted VALUES that PERCENT of them do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def timed(operations: Iterable[Operation]) -> list[Operation]:
    """From fast to slow, what was done. 0 is what began before the event was on."""
    return sorted((op for op in operations if op.ns and not op.err), key=lambda op: op.ns)


def print_table(phases: dict[str, list[Operation]]) -> None:
    """One line a phase."""
    columns = "{:<12}{:>8}{:>8}{:>12}{:>12}{:>12}{:>12}"
    print(columns.format("phase", "count", "errors", "min", "median", "p99", "max"))
    for phase, operations in phases.items():
        values = [op.ns for op in timed(operations)]
        figures = (
            [values[0], percentile(values, 50), percentile(values, 99), values[-1]]
            if values
            else []
        )
        texts = [duration(value) for value in figures] or ["-"] * 4
        errors = sum(op.err != 0 for op in operations)
        print(columns.format(phase, len(operations), errors, *texts))


def print_histogram(phase: str, operations: list[Operation]) -> None:
    """A bar for each power of two."""
    buckets = Counter(op.ns.bit_length() - 1 for op in operations)
    most = max(buckets.values())

    print(f"\n{phase}:")
    for bucket in range(min(buckets), max(buckets) + 1):
        count = buckets[bucket]
        width = -(-count * BAR_WIDTH // most)
        low, high = duration(1 << bucket), duration(2 << bucket)
        print(f"  {low:>9} to {high:>9} |{'#' * width:<{BAR_WIDTH}}| {count}")


def print_slowest(phases: dict[str, list[Operation]], top: int) -> None:
    """Name the slowest devices."""
    print("\nslowest:")
    for phase, operations in phases.items():
        for op in reversed(timed(operations)[-top:]):
            print(f"  {phase:<12}{duration(op.ns):>10}  {op.what}")


def print_errors(operations: list[Operation]) -> None:
    """Each device with each errno it met."""
    met = Counter((op.phase, op.what, op.err) for op in operations if op.err)
    if met:
        print("\nerrors:")
    for (phase, what, err), count in met.items():
        name = errno.errorcode.get(-err, str(-err))
        times = f"  {count} times" if count > 1 else ""
        print(f"  {phase:<12}{'-' + name:>12}  {what}{times}")


def report(trace: Trace, top: int) -> None:
    """Print all there is."""
    phases: dict[str, list[Operation]] = defaultdict(list)

    for phase in PHASES:
        operations = [op for op in trace.operations if op.phase == phase]
        if operations:
            phases[phase] = operations

    if phases:
        print("PCI live update: latency of each phase\n")
        print_table(phases)
        for phase, operations in phases.items():
            if timed(operations):
                print_histogram(phase, timed(operations))
        print_slowest(phases, top)
        print_errors([op for operations in phases.values() for op in operations])
    if trace.damage:
        print("\nthe record was damaged:")
        for line in trace.damage:
            print(f"  {line}")
    if trace.blocked:
        print(f"\nwrites that the guard refused: {trace.blocked}")


def complain(trace: Trace) -> list[str]:
    """What makes the report less than the whole truth."""
    complaints = []
    if not trace.operations and not trace.damage and not trace.garbled:
        complaints.append(
            "no pci_liveupdate events: nothing was preserved or finished "
            "while it was recorded"
        )
    if trace.lost:
        complaints.append(
            f"{trace.lost} events were lost: record again with a larger buffer, "
            "perf record -m"
        )
    if trace.garbled:
        complaints.append(
            f"{len(trace.garbled)} lines are not as this kernel prints them, "
            f"such as: {trace.garbled[0]}"
        )
    return complaints


def positive(text: str) -> int:
    """A number of devices to name."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main() -> int:
    """Read the standard input."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--top", type=positive, default=5, metavar="N")
    args = parser.parse_args()
    trace = Trace()

    for line in sys.stdin.buffer:
        trace.add(line.decode(errors="replace"))
    report(trace, args.top)
    complaints = complain(trace)
    sys.stdout.flush()
    for complaint in complaints:
        print(f"pci-liveupdate-report: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
