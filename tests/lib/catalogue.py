# SPDX-License-Identifier: Apache-2.0
"""The catalogue of bad inputs (tests/fixtures/bad_inputs.tsv), and where the house wants another
outcome than it: the table of docs/adr/0032-bad-inputs.md, whose third column then counts.

    for row in catalogue.rows("http.header"):
        assert door.raw(head + row.data).startswith(f"HTTP/1.1 {row.status}")

A row of kind act is a condition that a test sets up: it asks row("B045").status, and names the id.
tests/arch/catalogue.sh sees that every id is named by a test."""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Row:
    def __init__(self, line, argued):
        self.id, self.surface, self.kind, text, self.expect, self.observe = line.split("\t")
        self.argued = self.id in argued
        self.expect = argued.get(self.id, self.expect)
        self.condition = text if self.kind == "act" else None
        self.data = {"lit": literal, "gen": generated, "act": lambda _: None}[self.kind](text)

    @property
    def status(self):
        """Of http:N and exit:N."""
        return int(re.fullmatch(r"(?:http|exit):(\d+)", self.expect)[1])

    @property
    def reason(self):
        """Of dlq:x, quarantine:x and the like."""
        return self.expect.split(":", 1)[1]

    def __repr__(self):
        return f"{self.id} {self.surface} {self.expect}"


def literal(text):
    """\\\\ \\n \\r \\xHH and nothing else."""
    escapes = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|[\\nr])",
                  lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" and len(m[1]) == 3 else escapes[m[1]], text.encode())


def generated(text):
    """JSON strings, each with an optional *count, joined."""
    data, at, decode = b"", 0, json.JSONDecoder().raw_decode
    while at < len(text):
        word, at = decode(text, at)
        count = re.compile(r"\*(\d+)").match(text, at)
        data += word.encode() * (int(count[1]) if count else 1)
        at = count.end() if count else at
        while at < len(text) and text[at] == " ":
            at += 1
    return data


def argued():
    """id -> the outcome that the house wants."""
    text = (ROOT / "docs/adr/0032-bad-inputs.md").read_text()
    return {m[1]: m[2].strip() for m in re.finditer(r"^\| (B\d{3}) \|[^|]*\|([^|]*)\|", text, re.M)}


def rows(*surfaces):
    """All of these surfaces; of all without one."""
    path, other = ROOT / "tests/fixtures/bad_inputs.tsv", argued()
    lines = [line for line in path.read_text().splitlines() if re.match(r"B\d{3}\t", line)]
    return [row for row in (Row(line, other) for line in lines) if not surfaces or row.surface in surfaces]


# The client's own words for two of the catalogue's exit statuses (sandfleet --help): no such file, and
# what cannot be reached. The catalogue lets them move, for all rows at once.
MOVED = {66: 3, 69: 75}


def exit_status(row):
    return MOVED.get(row.status, row.status)


def row(name):
    return next(row for row in rows() if row.id == name)
