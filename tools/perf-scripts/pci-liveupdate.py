#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Report the latency of each phase of a PCI live update.

Reads events of include/trace/events/pci_liveupdate.h from the output of perf
script or the trace file of the kernel. Prints a table, a histogram of each phase
and the slowest devices. Exits with 1 if the input has no events, or lost or
malformed ones.
"""

import argparse
import errno
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

# In order of time
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
# Lines of perf script and the trace file about lost events
LOST = re.compile(r"PERF_RECORD_LOST\w*.*lost (\d+)|\[LOST (\d+) EVENTS\]")


@dataclass(frozen=True)
class Operation:
    """One event: phase, device or record, errno and duration."""

    phase: str
    subject: str
    err: int
    ns: int


@dataclass
class Trace:
    """Parsed events."""

    operations: list[Operation] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    blocked: int = 0
    garbled: list[str] = field(default_factory=list)
    lost: int = 0

    def add(self, line: str) -> None:
        """Parse LINE, and add its event if it has one."""
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
        subject = (
            f"the record at {match['root']}: {match['devices']} devices "
            f"in {match['segments']} segments"
            if name == "retrieve"
            else f"{match['address']} {match['id']}"
        )
        self.operations.append(
            Operation(name, subject, int(match["err"]), int(match["ns"]))
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
    """Format NS with a unit."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.1f} {unit}"
    return f"{ns:.0f} ns"


def percentile(values: list[int], percent: int) -> int:
    """The smallest of the sorted VALUES that PERCENT of them do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def timed(operations: Iterable[Operation]) -> list[Operation]:
    """Sort successful operations by duration. 0 means an unknown duration."""
    return sorted((op for op in operations if op.ns and not op.err), key=lambda op: op.ns)


def print_table(phases: dict[str, list[Operation]]) -> None:
    """Print one line for each phase."""
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
    """Print a bar for each power of two."""
    buckets = Counter(op.ns.bit_length() - 1 for op in operations)
    most = max(buckets.values())

    print(f"\n{phase}:")
    for bucket in range(min(buckets), max(buckets) + 1):
        count = buckets[bucket]
        width = -(-count * BAR_WIDTH // most)
        low, high = duration(1 << bucket), duration(2 << bucket)
        print(f"  {low:>9} to {high:>9} |{'#' * width:<{BAR_WIDTH}}| {count}")


def print_slowest(phases: dict[str, list[Operation]], top: int) -> None:
    """Print the slowest devices."""
    print("\nslowest:")
    for phase, operations in phases.items():
        for op in reversed(timed(operations)[-top:]):
            print(f"  {phase:<12}{duration(op.ns):>10}  {op.subject}")


def print_errors(operations: list[Operation]) -> None:
    """Print each device with each errno."""
    errors = Counter((op.phase, op.subject, op.err) for op in operations if op.err)
    if errors:
        print("\nerrors:")
    for (phase, subject, err), count in errors.items():
        name = errno.errorcode.get(-err, str(-err))
        times = f"  {count} times" if count > 1 else ""
        print(f"  {phase:<12}{'-' + name:>12}  {subject}{times}")


def report(trace: Trace, top: int) -> None:
    """Print the report."""
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
    """List reasons why the report is incomplete."""
    complaints = []
    if not trace.operations and not trace.damage and not trace.garbled:
        complaints.append(
            "no pci_liveupdate events: no function was preserved or finished "
            "during the recording"
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
    """Parse a positive number."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main() -> int:
    """Report the events on the standard input."""
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
