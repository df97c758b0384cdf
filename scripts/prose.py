#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Find relative clauses that stand in place of a noun in prose.

Name the device, the caller or the record instead of "what is preserved" or
"whoever asks". Reads comments of C, shell and Python, docstrings, documents, and
of patches the message and the lines they add. Prints FILE:LINE and the line of
each clause, and exits with 1 if there is one. Questions and quotes are left out,
and so are the phrases of prose.allow: lines "FILE PHRASE".
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

# A line of prose: its number and its text.
Lines = Iterator[tuple[int, str]]

# A clause with "who" has no noun if these are in front of it.
NO_NOUN = (r"(?:^|[.:;(]|\b(?:of|to|by|for|with|on|and|or|than|[Tt]ells?|[Ss]ays?|[Ss]hows?"
           r"|[Kk]nows?|[Ss]ees?))")

CLAUSE = re.compile(
    r"(?<!@)\b[Ww]hat(?!-)\b|\b[Ww]hoever\b|\b[NnSs]o(?:me)?body\b|\b[Tt]hat\s+which\b"
    r"|\b[Ww]hatever\s+(?:it|they|the|else|is|was|are|were|has|have|can|may|must)\b"
    r"|\b(?:[Aa]ll|[EeNn]\w+thing)\s+that\s+(?:is|was|are|were|has|have|can|may|must)\b"
    rf"|{NO_NOUN}\s*[Ww]ho\s+\w+",
)

# Code and quotes in prose.
QUOTE = re.compile(r"``[^`]+``|`[^`\n]+`|\"[^\"\n]*\"|'[^'\n ]*'")

SENTENCE_END = re.compile(r"[.?!:](?=\s|$)|\n\n")


def c_comments(text: str) -> Lines:
    """Yield the lines of comments in C."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
    for found in token.finditer(text):
        if found[0].startswith('"'):
            continue
        first = text.count("\n", 0, found.start()) + 1
        for number, line in enumerate(found[0].split("\n"), first):
            yield number, re.sub(r"^\s*(?:/\*+|\*/|\*|//)|\*/\s*$", "", line)


def hash_comments(text: str) -> Lines:
    """Yield the lines that are comments behind a hash."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := re.match(r"\s*#(?!!| *shellcheck)(.*)", line):
            yield number, found[1]


def python_comments(text: str) -> Lines:
    """Yield the lines of comments and docstrings in Python."""
    start = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string[1:]
        elif token.type == tokenize.STRING and start:
            yield from enumerate(token.string.strip("\"'").split("\n"), token.start[0])
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            start = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
                                   tokenize.ENCODING)


def document(text: str) -> Lines:
    """Yield the lines of a document that are no code and no output."""
    fenced = False
    indent = -1
    for number, line in enumerate(text.split("\n"), 1):
        depth = len(line) - len(line.lstrip())
        if line.startswith("```"):
            fenced = not fenced
            continue
        if line.strip() and depth <= indent:
            indent = -1
        if fenced or indent >= 0 or line.startswith("<!--"):
            continue
        yield number, line
        if line.rstrip().endswith("::"):
            indent = depth


def patch(text: str) -> Lines:
    """Yield the message of a patch, and the prose among the lines that it adds."""
    name = ""
    added: list[tuple[int, str]] = []
    for number, line in enumerate([*text.split("\n"), "diff --git"], 1):
        if line.startswith("diff --git"):
            yield from added_prose(name, added)
            name, added = line.rpartition("/")[2], []
        elif not name:
            yield number, line.replace("Subject: ", "", 1)
        elif line.startswith("+") and not line.startswith("+++ "):
            added.append((number, line[1:]))


def added_prose(name: str, added: list[tuple[int, str]]) -> Lines:
    """Yield the prose among the lines that a patch adds to a file."""
    read = reader(Path(name), "")
    if read:
        for number, line in read("\n".join(text for _, text in added)):
            yield added[number - 1][0], line


READERS: dict[str, Callable[[str], Lines]] = {
    ".c": c_comments, ".h": c_comments,
    ".sh": hash_comments, ".config": hash_comments, ".gnuplot": hash_comments,
    "Makefile": hash_comments, ".py": python_comments, ".patch": patch,
    ".rst": document, ".md": document, ".8": document, "Kconfig": document,
}


def reader(path: Path, text: str) -> Callable[[str], Lines] | None:
    """Return the function that reads the prose of a file, if it has any."""
    interpreter = re.match(r"#!.*\b(sh|bash|python3)\n", text)
    if interpreter and not path.suffix:
        return python_comments if interpreter[1] == "python3" else hash_comments
    return READERS.get(path.suffix or path.name)


def paragraphs(lines: Lines) -> Iterator[tuple[int, str]]:
    """Join lines that follow each other, as a clause may begin on one of them."""
    first = 0
    block: list[str] = []
    for number, line in lines:
        if block and (number != first + len(block) or not line.strip()):
            yield first, "\n".join(block)
            block = []
        if line.strip():
            first = first if block else number
            block.append(line)
    if block:
        yield first, "\n".join(block)


def clauses(text: str) -> Iterator[int]:
    """Yield the places of the clauses in a paragraph."""
    masked = QUOTE.sub(lambda found: re.sub(r"[^\n]", "_", found[0]), text)
    for found in CLAUSE.finditer(masked):
        end = SENTENCE_END.search(masked, found.end())
        if not end or not end[0].startswith("?"):
            yield found.end()


def complaints(path: Path, allowed: list[str]) -> list[str]:
    """Return a line for each line of the file that has a clause."""
    text = path.read_text(errors="replace")
    read = reader(path, text)
    found: dict[int, str] = {}
    for first, paragraph in paragraphs(read(text)) if read else ():
        for place in clauses(paragraph):
            offset = paragraph.count("\n", 0, place)
            line = paragraph.split("\n")[offset].strip()
            if not any(phrase in line for phrase in allowed):
                found[first + offset] = line
    return [f"{path}:{number}: {line}" for number, line in sorted(found.items())]


def main() -> int:
    """Print the clauses of all files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--allow", type=Path, help="phrases that may stay")
    parser.add_argument("files", nargs="*", type=Path)
    args = parser.parse_args()
    allow = args.allow.read_text().splitlines() if args.allow else []
    phrases = [line.partition(" ") for line in allow if not line.startswith("#")]
    bad = 0
    for path in args.files:
        allowed = [phrase for name, _, phrase in phrases if name == str(path) and phrase]
        for complaint in complaints(path, allowed):
            print(complaint)
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
