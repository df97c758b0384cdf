#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make mutants of C source: change it in one place each.

All mutants of a file are compiled at once. A mutant is an alternative to a
condition, an expression or a statement, and runs if pci_liveupdate_mutant holds
its number. Its name, FUNCTION.OPERATOR.NTH, survives edits of other functions.

  if    negate a condition, or the value that a bool function returns
  and   && becomes ||, and the reverse
  cmp   < becomes <=, == becomes !=, and the reverse; the same for >
  not   drop a ! or a ~
  bit   & becomes |, and the reverse, also in assignments
  sign  + becomes -, and the reverse
  num   add 1 to a number in arithmetic or in a comparison
  del   delete an expression statement
  init  set a designated initializer to 0
  ret   return 0 instead of an error, or an error instead of 0

Messages, assertions, tracepoints, guard() and the code of an #else have no mutants.
"""

from __future__ import annotations

import argparse
import re
import sys
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

TOKEN = re.compile(r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/) |
    (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*) |
    (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*') |
    (?P<word>[A-Za-z_]\w*) |
    (?P<number>\d\w*) |
    (?P<mark>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)

SILENT = re.compile(r"(pr_\w+|pci_(err|warn|info|dbg)|WARN\w*|lockdep_\w+|trace_\w+"
                    r"|KUNIT_\w+|guard|panic|return|goto|break|continue)$")
LOOP = re.compile(r"(if|while|for|switch|scoped_guard|\w*for_each\w*)$")
DECLARATION = re.compile(r"(const|static|struct|unsigned|int|long|bool|char|void|size_t"
                         r"|[su](8|16|32|64)|\w+_t|DECLARE_\w+)$")
SWAPS = {"&&": ("and", "||"), "||": ("and", "&&"),
         "<": ("cmp", "<="), "<=": ("cmp", "<"), ">": ("cmp", ">="), ">=": ("cmp", ">"),
         "==": ("cmp", "!="), "!=": ("cmp", "=="),
         "&": ("bit", "|"), "|": ("bit", "&"), "&=": ("bit", "|="), "|=": ("bit", "&="),
         "+": ("sign", "-"), "-": ("sign", "+")}
ARITHMETIC = set("+ - * / % << >> < <= > >= == !=".split())
ASSIGN = set("= , ( { [ ? : ; return += -= |= &= ^=".split())
OPEN, CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class Mutant:
    """One change: the replacement of a region of the source."""
    name: str
    line: int
    old: str
    new: str
    region: str     # The whole region with the change


@dataclass(frozen=True)
class Region:
    start: int
    end: int
    statement: bool
    mutants: list[Mutant]


def tokenize(source: str) -> list[Token]:
    """Leave out white space, comments, directives and the code of an #else."""
    tokens = []
    skipping = 0
    for match in TOKEN.finditer(source):
        kind, text = match.lastgroup or "", match.group()
        if kind == "directive" and re.match(r"\s*#\s*else", text):
            skipping = 1
        elif kind == "directive" and re.match(r"\s*#\s*endif", text):
            skipping = 0
        elif kind not in ("space", "directive") and not skipping:
            tokens.append(Token(kind, text, match.start()))
    return tokens


class Function:
    """Finds the regions of one function: tokens[pos] is its {."""

    def __init__(self, source: str, tokens: list[Token], pos: int, name: str, kind: str):
        self.source, self.tokens, self.name, self.kind = source, tokens, name, kind
        self.regions: list[Region] = []
        self.count: Counter[str] = Counter()
        self.end = self.statement(pos)

    def text(self, pos: int) -> str:
        return self.tokens[pos].text if 0 <= pos < len(self.tokens) else ""

    def close(self, pos: int) -> int:
        """Where the bracket at pos is closed."""
        depth = 0
        while True:
            depth += (self.text(pos) in OPEN) - (self.text(pos) in CLOSE)
            if not depth:
                return pos
            pos += 1

    def find(self, pos: int, marks: str) -> int:
        """The first of some marks from pos on, outside of brackets."""
        while self.text(pos) not in marks:
            pos = self.close(pos) + 1 if self.text(pos) in OPEN else pos + 1
        return pos

    def statement(self, pos: int) -> int:
        """Returns the position after the statement."""
        word, after = self.text(pos), self.text(pos + 1)
        if word == "{":
            pos += 1
            while self.text(pos) != "}":
                pos = self.statement(pos)
            return pos + 1
        if word in ("do", "else"):
            return self.statement(pos + 1)
        if word == "case":
            return self.find(pos, ":") + 1
        if after == ":":
            return pos + 2
        if LOOP.match(word):
            return self.compound(pos)
        end = self.find(pos, ";")
        if DECLARATION.match(word) or self.tokens[pos + 1].kind == "word" and word != "return":
            self.declaration(pos, end)
        elif word == "return":
            self.returned(pos + 1, end)
        elif not SILENT.match(word) and end > pos:
            self.region(pos, end, True, [("del", pos, end, "")])
        return end + 1

    def compound(self, pos: int) -> int:
        word = self.text(pos)
        end = self.close(pos + 1)
        start, stop = pos + 2, end
        if word == "for":
            start = self.find(start, ";") + 1
            stop = self.find(start, ";")
            self.region(start, stop, False, [])
        elif word in ("if", "while"):
            self.region(start, stop, False, [("if", start, stop, "!(%s)")])
        if self.text(end + 1) == ";":
            return end + 2
        return self.statement(end + 1)

    def declaration(self, pos: int, end: int) -> None:
        """Regions of initializers."""
        if self.text(pos) == "static":
            return
        while (equal := self.find(pos, "=;")) < end:
            pos = self.find(equal + 1, ",;")
            if self.text(equal + 1) != "{":
                self.region(equal + 1, pos, False, [])
                continue
            for start, stop in self.fields(equal + 1, pos):
                self.region(start, stop, False, [("init", start, stop, "0")])

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The values of designated initializers."""
        for i in range(start, end):
            if self.text(i) == "." and self.text(i - 1) in "{,":
                equal = self.find(i, "=")
                yield equal + 1, self.find(equal, ",}")

    def returned(self, start: int, end: int) -> None:
        edits = []
        if self.kind == "bool":
            edits.append(("if", start, end, "!(%s)"))
        elif self.kind == "int" and start < end:
            edits.append(("ret", start, end, "-EIO" if self.text(start) == "0" else "0"))
        elif self.text(start) in ("ERR_PTR", "ERR_CAST"):
            edits.append(("ret", start, end, "NULL"))
        self.region(start, end, False, edits)

    def condition(self, pos: int) -> int:
        """Where the condition of the ? at pos begins."""
        while self.text(pos - 1) not in ASSIGN and not self.text(pos - 1) == "":
            pos -= 1
            if self.text(pos) in CLOSE:
                depth = 1
                while depth:
                    pos -= 1
                    depth += (self.text(pos) in CLOSE) - (self.text(pos) in OPEN)
        return pos

    def token_edits(self, start: int, end: int, alone: bool) -> Iterator[tuple[str, int, int, str]]:
        """alone: the region is a condition that is negated as a whole."""
        for i in range(start, end):
            token, before = self.tokens[i], self.tokens[i - 1]
            binary = before.kind in ("word", "number") or before.text in ")]"
            if token.text in SWAPS and (binary and before.text != "return"):
                if not (alone and token.text in ("==", "!=")):
                    yield SWAPS[token.text][0], i, i + 1, SWAPS[token.text][1]
            elif token.text == "~" or (token.text == "!" and not alone):
                yield "not", i, i + 1, ""
            elif token.text == "?":
                yield "if", self.condition(i), i, "!(%s)"
            elif token.kind == "number" and {before.text, self.text(i + 1)} & ARITHMETIC:
                yield "num", i, i + 1, "(%s + 1)"

    def region(self, start: int, end: int, statement: bool,
               edits: list[tuple[str, int, int, str]]) -> None:
        """A part of the source that has alternatives: tokens from start to end."""
        if start >= end:
            return
        first, last = self.tokens[start].start, self.tokens[end - 1].end
        alone = any(e[0] == "if" for e in edits) and not any(
            self.text(i) in ("&&", "||", "?") for i in range(start, end))
        edits += self.token_edits(start, end, alone)
        edits += [("init", a, b, "0") for a, b in self.fields(start, end)]
        mutants = []
        if "\n#" in self.source[first:last]:
            return
        for operator, a, b, template in edits:
            self.count[operator] += 1
            begin, stop = self.tokens[a].start, self.tokens[b - 1].end
            old = self.source[begin:stop]
            new = template.replace("%s", old)
            mutants.append(Mutant(f"{self.name}.{operator}.{self.count[operator]}",
                                  self.source.count("\n", 0, begin) + 1, old, new,
                                  self.source[first:begin] + new + self.source[stop:last]))
        self.regions.append(Region(first, last, statement, mutants))


def functions(source: str) -> Iterator[Function]:
    tokens = tokenize(source)
    pos = 0
    while pos < len(tokens):
        if tokens[pos].text == "{" and tokens[pos - 1].text == ")":
            name = pos - 1
            while tokens[name].text != "(":
                name -= 1
            name -= 1
            function = Function(source, tokens, pos, tokens[name].text, tokens[name - 1].text)
            yield function
            pos = function.end
        else:
            pos += 1


def mutate(source: str, number: Callable[[], int]) -> tuple[str, list[tuple[int, Mutant]]]:
    """The source with all alternatives, and the numbers of the mutants."""
    out, end = "", 0
    mutants: list[tuple[int, Mutant]] = []
    for region in sorted((r for f in functions(source) for r in f.regions), key=lambda r: r.start):
        numbered = [(number(), mutant) for mutant in region.mutants]
        mutants += numbered
        original = source[region.start:region.end]
        if region.statement:
            text = "".join(f"if (MUTANT({n})) {{ {m.region}; }} else " for n, m in numbered)
            text = f"{{ {text}{{ {original}; }} }}"
        else:
            text = "".join(f"MUTANT({n}) ? ({m.region}) : " for n, m in numbered)
            text = f"({text}({original}))"
        out += source[end:region.start] + text
        end = region.end + region.statement     # A statement's semicolon
    return out + source[end:], mutants


HEADER = """extern unsigned int pci_liveupdate_mutant;
#define MUTANT(n) __builtin_expect(pci_liveupdate_mutant == (n), 0)
#line 1
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, help="where the files with all mutants go")
    parser.add_argument("--every", type=int, default=1, help="list one mutant in so many")
    parser.add_argument("sources", nargs="+", type=Path, help="C files")
    args = parser.parse_args()

    numbers = iter(range(1, sys.maxsize))
    for path in args.sources:
        text, mutants = mutate(path.read_text(), lambda: next(numbers))
        if args.output:
            (args.output / path.name).write_text(HEADER + text)
        for number, mutant in mutants:
            if zlib.crc32(mutant.name.encode()) % args.every:
                continue
            change = " ".join(f"{mutant.old} -> {mutant.new or 'nothing'}".split())
            print(number, path.stem, mutant.name, f"{mutant.line}: {change}", sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main())
