"""A patch as rows of a table: line numbers, colours, and the words that changed.

Source: unified format of GNU diffutils as git prints it, and GitHub's ``patch`` field,
which is the same from the first ``@@`` on.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Kind = Literal["same", "add", "del", "hunk", "note"]
MOST_LINES = 3_000  # rows of one file on a page; more are counted, not shown

_HUNK = re.compile(r"@@ -(?P<old>\d+)(?:,\d+)? \+(?P<new>\d+)(?:,\d+)? @@(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: numbers count from 1 and are ``None`` on the side that has no such line.

    ``text`` is parted into (piece, whether it differs from the other side).
    """

    kind: Kind
    old: int | None
    new: int | None
    pieces: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        """The line without its sign and line end."""
        return "".join(piece for piece, _ in self.pieces)


@dataclass(frozen=True, slots=True)
class FileTable:
    """The changes of one file. ``status`` is GitHub's: added, modified, removed, renamed."""

    path: str
    status: str = "modified"
    previous_path: str | None = None
    rows: tuple[Row, ...] = ()
    additions: int = 0
    deletions: int = 0
    left_out: int = 0
    has_crlf: bool = False
    binary: bool = False

    @property
    def anchor(self) -> str:
        """A name for links to it."""
        return "file-" + hashlib.sha256(self.path.encode("utf-8", "replace")).hexdigest()[:12]

    @property
    def new_lines(self) -> frozenset[int]:
        """The numbers of the new side's lines that are shown."""
        return frozenset(row.new for row in self.rows if row.new)

    @property
    def squares(self) -> str:
        """Five letters for the little bar beside the counts: ``a`` added, ``d`` deleted, ``n`` neither."""
        total = self.additions + self.deletions
        if total == 0:
            return "nnnnn"
        whole = min(5, total)
        added = round(whole * self.additions / total)
        if self.additions and self.deletions and whole > 1:
            added = min(max(added, 1), whole - 1)
        return "a" * added + "d" * (whole - added) + "n" * (5 - whole)


def table_of(
    path: str, patch: str | None, *, status: str = "modified", previous_path: str | None = None
) -> FileTable:
    """Give the table of one file's patch; ``None`` is a file that git takes for binary."""
    rows = tuple(_with_words(_rows(patch or "")))
    return FileTable(
        path=path,
        status=status,
        previous_path=previous_path,
        rows=rows[:MOST_LINES],
        additions=sum(row.kind == "add" for row in rows),
        deletions=sum(row.kind == "del" for row in rows),
        left_out=max(0, len(rows) - MOST_LINES),
        has_crlf="\r\n" in (patch or ""),
        binary=patch is None,
    )


def _rows(patch: str) -> Iterator[Row]:
    old = new = 0
    for line in patch.removesuffix("\n").split("\n"):
        sign, text = line[:1], line[1:].removesuffix("\r")
        whole = ((text, False),)
        if found := _HUNK.fullmatch(line):
            old, new = int(found["old"]), int(found["new"])
            yield Row("hunk", None, None, ((line, False),))
        elif sign == "+":
            yield Row("add", None, new, whole)
            new += 1
        elif sign == "-":
            yield Row("del", old, None, whole)
            old += 1
        elif sign == "\\":
            yield Row("note", None, None, ((text.strip(), False),))
        elif old or new:
            yield Row("same", old, new, whole)
            old, new = old + 1, new + 1


def _with_words(rows: Iterable[Row]) -> Iterator[Row]:
    """Mark what differs where as many lines came as went, pair by pair."""
    gone: list[Row] = []
    came: list[Row] = []
    for row in rows:
        if row.kind == "add":
            came.append(row)
        elif row.kind == "note":
            came.append(row) if came else gone.append(row)
        else:
            if came or row.kind != "del":
                yield from _paired(gone, came)
                gone, came = [], []
            if row.kind == "del":
                gone.append(row)
            else:
                yield row
    yield from _paired(gone, came)


def _paired(gone: list[Row], came: list[Row]) -> list[Row]:
    before = [row for row in gone if row.kind == "del"]
    after = [row for row in came if row.kind == "add"]
    if len(before) != len(after):
        return [*gone, *came]
    marked: dict[int, Row] = {}
    for one, other in zip(before, after, strict=True):
        marked[id(one)], marked[id(other)] = _differing(one, other)
    return [marked.get(id(row), row) for row in (*gone, *came)]


def _differing(one: Row, other: Row) -> tuple[Row, Row]:
    a, b = one.text, other.text
    shortest = min(len(a), len(b))
    start = next((i for i in range(shortest) if a[i] != b[i]), shortest)
    end = next((i for i in range(shortest - start) if a[-1 - i] != b[-1 - i]), shortest - start)
    # Whole words are easier to read than the letters that differ.
    if _is_word(a[start : start + 1]) or _is_word(b[start : start + 1]):
        while start and _is_word(a[start - 1]):
            start -= 1
    rest_a, rest_b = a[start : len(a) - end], b[start : len(b) - end]
    if _is_word(rest_a[-1:]) or _is_word(rest_b[-1:]):
        while end and _is_word(a[-end]):
            end -= 1
    # Lines that have little in common are clearer in one colour.
    if start + end < max(len(a), len(b)) / 3:
        return one, other
    return _marked(one, start, end), _marked(other, start, end)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "."


def _marked(row: Row, start: int, end: int) -> Row:
    text = row.text
    parts = (
        (text[:start], False),
        (text[start : len(text) - end], True),
        (text[len(text) - end :], False),
    )
    return Row(row.kind, row.old, row.new, tuple(part for part in parts if part[0]) or (("", False),))
