#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Make tables of what the benchmark of preserved PCI functions has measured, and
# hold it against what is promised.

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

COLUMNS = ["contender", "layout", "order", "functions", "segments", "operation",
           "calls", "samples", "ps_min", "ps_median", "ps_max", "counted",
           "record_bytes", "heap_bytes", "allocations"]

# As the text calls them.
TITLES = {
    "bitmap": "bare bitmap",
    "set": "index, as a set",
    "index": "index",
    "array": "sorted array",
    "list": "list of slots",
    "radix": "kho_radix_tree",
}


class Key(NamedTuple):
    contender: str
    layout: str
    order: str
    functions: int
    segments: int
    operation: str


@dataclass(frozen=True)
class Result:
    calls: int
    samples: int
    ps_min: int
    ps_median: int
    ps_max: int
    counted: int
    record_bytes: int
    heap_bytes: int
    allocations: int

    @property
    def ns(self) -> float:
        """Of one call. What disturbs a measurement only ever makes it longer."""
        return self.ps_min / 1000

    @property
    def seconds(self) -> float:
        """Of all calls."""
        return self.ps_min * self.calls / 1e12

    @property
    def count(self) -> float:
        """Events of one call."""
        return self.counted / self.samples / self.calls


Results = Dict[Key, Result]


class Malformed(Exception):
    pass


def read(path: Path) -> Results:
    results: Results = {}

    with path.open(newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        header = next(rows, None)
        if header != COLUMNS:
            raise Malformed(f"{path}: the first line is not the names of {len(COLUMNS)} columns")
        for row in rows:
            if len(row) != len(COLUMNS):
                raise Malformed(f"{path}: {len(row)} columns, not {len(COLUMNS)}: {','.join(row)}")
            try:
                key = Key(row[0], row[1], row[2], int(row[3]), int(row[4]), row[5])
                numbers = [int(value) for value in row[6:]]
            except ValueError as error:
                raise Malformed(f"{path}: {error}: {','.join(row)}") from error
            if key in results:
                raise Malformed(f"{path}: twice: {','.join(row)}")
            if not numbers[2] <= numbers[3] <= numbers[4]:
                raise Malformed(f"{path}: the median is not in the middle: {','.join(row)}")
            results[key] = Result(*numbers)
    if not results:
        raise Malformed(f"{path}: there are no results")
    return results


def contenders(results: Results) -> List[str]:
    there = {key.contender for key in results}
    return [name for name in TITLES if name in there]


def dense(results: Results, contender: str, functions: int, segments: int,
          operation: str, order: str = "random") -> Optional[Result]:
    return results.get(Key(contender, "dense", order, functions, segments, operation))


def layout_of(functions: int) -> int:
    """Segments that the tables show a number of functions in."""
    return 1 if functions <= 65536 else 16


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def amount(value: int) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value} B"


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    print(f"\n{title}\n")
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print(("  " + "  ".join(cells)).rstrip())


def sizes(results: Results) -> List[int]:
    return sorted({key.functions for key in results if key.layout == "dense"
                   and key.segments == layout_of(key.functions)})


def operation_table(results: Results, operation: str, title: str) -> None:
    columns = [n for n in sizes(results) if n >= 16]
    rows = []

    for name in contenders(results):
        row = [TITLES[name]]
        for functions in columns:
            result = dense(results, name, functions, layout_of(functions), operation)
            row.append(f"{result.ns:,.1f}" if result else "-")
        rows.append(row)
    print_table(title, ["", *(f"{n:,}" for n in columns)], rows)


def extrapolate(results: Results, contender: str, functions: int) -> Optional[float]:
    """Of what is quadratic and was not run: seconds of a whole life."""
    known = [key.functions for key in results if key.contender == contender
             and key.operation == "life" and key.order == "random" and key.layout == "dense"
             and key.segments == layout_of(key.functions)]

    if not known or max(known) < 65536:
        return None
    last = dense(results, contender, max(known), layout_of(max(known)), "life")
    return last.seconds * (functions / max(known)) ** 2 if last else None


def life_table(results: Results) -> None:
    columns = [n for n in sizes(results) if n >= 16]
    rows = []

    for name in contenders(results):
        row = [TITLES[name]]
        for functions in columns:
            result = dense(results, name, functions, layout_of(functions), "life")
            if result:
                row.append(duration(result.seconds))
                continue
            guess = None if name == "bitmap" else extrapolate(results, name, functions)
            row.append("~" + duration(guess) if guess else "-")
        if set(row[1:]) != {"-"}:
            rows.append(row)
    print_table("Whole life cycle: preserve, restore, look up, finish all functions, random order"
                " (~: not run, grows with the square)",
                ["", *(f"{n:,}" for n in columns)], rows)


def record_of(results: Results, contender: str, layout: str, functions: int,
              segments: int) -> Optional[Result]:
    return results.get(Key(contender, layout, "random", functions, segments, "preserve"))


def memory_table(results: Results) -> None:
    cases = [("65,536 in one segment", "dense", 65536, 1),
             ("1,048,576 in 16 segments", "dense", 1048576, 16),
             ("256, one a segment", "segment", 256, 256),
             ("256, one a bus", "bus", 256, 1),
             ("65,536, one a bus", "bus", 65536, 256)]
    rows = []

    for text, layout, functions, segments in cases:
        row = [text]
        for name in contenders(results):
            result = record_of(results, name, layout, functions, segments)
            row.append(amount(result.record_bytes) if result else "-")
        rows.append(row)
    print_table("Memory that is handed over", ["", *(TITLES[n] for n in contenders(results))], rows)


def sparse_table(results: Results) -> None:
    cases = [("256, one a segment", "segment", 256, 256), ("256, one a bus", "bus", 256, 1),
             ("256, all on one bus", "dense", 256, 1)]
    rows = []

    for text, layout, functions, segments in cases:
        for operation in ("first", "restore", "life"):
            row = [f"{text}: {operation}"]
            for name in contenders(results):
                result = results.get(Key(name, layout, "random", functions, segments, operation))
                row.append(duration(result.seconds) if result else "-")
            rows.append(row)
    print_table("Sparse segments and buses: time of 256 functions, all together",
                ["", *(TITLES[n] for n in contenders(results))], rows)


def count_table(results: Results, what: str) -> None:
    """Of the largest number of functions in one segment."""
    most = max(key.functions for key in results if key.segments == 1)
    rows = []

    for name in contenders(results):
        row = [TITLES[name]]
        for operation in ("preserve", "hit", "miss", "any", "finish", "restore"):
            result = dense(results, name, most, 1, operation)
            row.append(f"{result.count:,.1f}" if result and result.counted else "-")
        rows.append(row)
    print_table(f"{what} a call, {most:,} functions in one segment",
                ["", "preserve", "look-up", "miss", "any below", "finish", "restore"], rows)


@dataclass(frozen=True)
class Claim:
    text: str
    measured: float
    unit: str
    target: Optional[float]
    at_least: bool = False

    @property
    def kept(self) -> bool:
        if self.target is None:
            return True
        if self.at_least:
            return self.measured >= self.target
        return self.measured <= self.target

    def row(self) -> List[str]:
        if self.target is None:
            return [self.text, f"{self.measured:,.2f}{self.unit}", "-", "-"]
        bound = "at least" if self.at_least else "at most"
        return [self.text, f"{self.measured:,.2f}{self.unit}",
                f"{bound} {self.target:,.4g}{self.unit}", "yes" if self.kept else "NO"]


WORDS = {"preserve": "preserve", "hit": "look-up", "finish": "finish"}


class Claims:
    """What is promised. A figure that is not there is a promise not kept."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.claims: List[Claim] = []

    def ns(self, contender: str, functions: int, segments: int, operation: str) -> float:
        result = dense(self.results, contender, functions, segments, operation)
        return result.ns if result else float("nan")

    def seconds(self, contender: str, functions: int, segments: int, operation: str) -> float:
        result = dense(self.results, contender, functions, segments, operation)
        return result.seconds if result else float("nan")

    def flat(self) -> None:
        for operation, word in WORDS.items():
            ratio = self.ns("set", 1048576, 16, operation) / self.ns("set", 64, 1, operation)
            self.claims.append(Claim(f"set: {word}, 1,048,576 in 16 segments / 64 in one",
                                     ratio, "x", 1.2))

    def floor(self, contender: str, operation: str, target: float) -> None:
        places = [(64, 1), (65536, 1), (1048576, 16)]
        ratio = max(self.ns(contender, n, segments, operation) /
                    self.ns("bitmap", n, segments, operation) for n, segments in places)
        self.claims.append(Claim(f"{contender}: {WORDS[operation]} / bare bitmap, worst of 64, "
                                 "65,536 and 1,048,576", ratio, "x", target))

    def life(self) -> None:
        for other, target in (("array", 200), ("list", 1000)):
            for ours in ("set", "index"):
                ratio = (self.seconds(other, 65536, 1, "life") /
                         self.seconds(ours, 65536, 1, "life"))
                # The others keep a set, so this is what they are held against.
                self.claims.append(Claim(f"life of 65,536 in one segment: {TITLES[other]} / {ours}",
                                         ratio, "x", target if ours == "set" else None,
                                         at_least=True))

    def restore(self) -> None:
        one = self.seconds("index", 65536, 1, "restore")
        many = self.seconds("index", 1048576, 16, "restore")
        self.claims.append(Claim("restore 65,536 in one segment", one * 1e6, " us", 3))
        self.claims.append(Claim("restore 1,048,576 in 16 segments / that", many / one, "x", 16))

        few = dense(self.results, "index", 64, 1, "restore")
        full = dense(self.results, "index", 65536, 1, "restore")
        more = few is None or full is None or full.allocations > few.allocations
        self.claims.append(Claim("allocations of a restore: 65,536 functions more than 64 do, in one segment",
                                 float("nan") if not few or not full else
                                 full.allocations - few.allocations, "", 0))
        if more and few and full:
            print(f"allocations: {few.allocations} and {full.allocations}", file=sys.stderr)

    def print(self) -> bool:
        self.flat()
        self.floor("set", "preserve", 1.5)
        self.floor("set", "finish", 1.5)
        self.floor("set", "hit", 6)
        self.floor("index", "preserve", 6)
        self.life()
        self.restore()
        print_table("What is promised, in random order, of this run",
                    ["", "measured", "promised", "kept"], [claim.row() for claim in self.claims])
        return all(claim.kept for claim in self.claims)


def print_small(results: Results) -> None:
    parts = []

    for name in ("set", "index", "array", "list"):
        result = dense(results, name, 4096, 1, "life")
        if result:
            parts.append(f"{TITLES[name]} {result.seconds * 1e3:.2f} ms")
    if parts:
        print("\nAt 4,096 functions, the whole life cycle of all of them: " + ", ".join(parts) + ".")


def callgrind_rows(directory: Path) -> Dict[Tuple[str, ...], int]:
    """Instructions by what a Key has."""
    counts: Dict[Tuple[str, ...], int] = {}

    for path in directory.glob("callgrind.out.*"):
        name: Optional[Tuple[str, ...]] = None
        for line in path.read_text().splitlines():
            if line.startswith("desc: Trigger: Client Request: "):
                name = tuple(line.rsplit(" ", 1)[1].split(","))
            elif line.startswith(("summary:", "totals:")) and name:
                counts[name] = counts.get(name, 0) + int(line.split()[1])
                break
    return counts


def add_counts(results: Results, directory: Path) -> Results:
    counts = callgrind_rows(directory)
    merged: Results = {}

    for key, result in results.items():
        name = tuple(str(value) for value in key)
        values = dict(result.__dict__, counted=counts.get(name, 0))
        merged[key] = Result(**values)
    return merged


def write(results: Results, path: Path) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for key, result in results.items():
            rows.writerow([*key, *(getattr(result, name) for name in COLUMNS[len(key):])])


def main() -> int:
    parser = argparse.ArgumentParser(description="Make tables of what the benchmark has measured.")
    parser.add_argument("csv", type=Path, help="what the benchmark printed")
    parser.add_argument("--check", action="store_true", help="only see whether it is well formed")
    parser.add_argument("--claims", action="store_true",
                        help="hold it against what is promised, and fail if that is not kept")
    parser.add_argument("--count", metavar="EVENT", help="show what was counted, instead of times")
    parser.add_argument("--callgrind", type=Path, metavar="DIR",
                        help="add instructions, of which valgrind left the files here")
    args = parser.parse_args()

    try:
        results = read(args.csv)
    except (Malformed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if args.callgrind:
        results = add_counts(results, args.callgrind)
        write(results, args.csv)
    if args.check:
        print(f"{len(results)} results of {', '.join(contenders(results))}")
        return 0
    if args.count:
        count_table(results, args.count)
        return 0

    for operation, title in (("preserve", "Preserve: ns a call, random order"),
                             ("hit", "Look-up of what is there: ns a call, random order"),
                             ("miss", "Look-up of what is not there: ns a call, random order"),
                             ("any", "Is anything preserved below a bridge: ns a call, random order"),
                             ("finish", "Finish: ns a call, random order")):
        operation_table(results, operation, title)
    life_table(results)
    memory_table(results)
    sparse_table(results)
    print_small(results)
    if args.claims and not Claims(results).print():
        print("\nSomething that is promised was not kept. On a busy machine, try again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
