"""The text of a manifest: bytes to characters, lines, documents, and what is wrong where.

Offsets count characters of the decoded text without its byte-order mark; they are what
ruamel.yaml's marks count. Only LF, CR LF and CR end a line. Sources: YAML 1.2.2, 5.4 and
9.1 (line breaks, documents; ``---`` and ``...`` at column 0 end a document whatever is open).
"""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.problems import Declined, Place, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_FILE = 8_000_000  # bytes; cut in a fraction of a second
LARGEST_READING = 1_000_000  # characters of all documents of a file that are parsed at once; some seconds
LARGEST_DOCUMENT = 200_000  # characters; about a second of parsing
LONGEST_SOURCE = 160  # characters of a line that a problem shows

BOM = "\ufeff"
_BREAK = re.compile(r"\r\n|\n|\r")
_BOUNDARY = re.compile(r"(---|\.\.\.)(?=[ \t\r\n]|\Z)")
_BOUNDARY_BELOW = re.compile(r"\n(---|\.\.\.)(?=[ \t\r\n]|\Z)")
_BOUNDARY_BELOW_CR = re.compile(r"[\n\r](---|\.\.\.)(?=[ \t\r\n]|\Z)")
# Only YAML 1.1 (libyaml, and with it Kubernetes) ends a line at the first three, and skips a
# byte-order mark at the start of any line.
_DIFFERENT = re.compile("[\x85\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text.

    ``text`` has no byte-order mark; ``bom`` says whether the file has one.
    ``starts`` holds the offset of each line's first character.
    """

    path: str
    text: str
    bom: bool
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str, path: str, *, bom: bool = False) -> Source:
        """Give the source of a text without byte-order mark."""
        if "\r" in text:
            return cls(path, text, bom, (0, *(match.end() for match in _BREAK.finditer(text))))
        # The same without asking for carriage returns, for files of megabytes.
        lengths = (len(line) + 1 for line in text.split("\n")[:-1])
        return cls(path, text, bom, tuple(itertools.accumulate(lengths, initial=0)))

    @classmethod
    def read(cls, content: bytes, path: str) -> Source:
        """Decode a file strictly.

        Raises:
            Declined: ``file-too-large``, ``not-utf-8``.
        """
        if len(content) > LARGEST_FILE:
            raise Declined(
                Problem(
                    "file-too-large",
                    f"The file has {len(content)} bytes; files up to {LARGEST_FILE} bytes are edited.",
                    "Move the service into a file of its own.",
                    Place(path),
                )
            )
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise Declined(
                Problem(
                    "not-utf-8",
                    f"Byte {error.start} of the file is not UTF-8.",
                    "Save the file as UTF-8.",
                    Place(path, line),
                )
            ) from None
        bom = text.startswith(BOM)
        return cls.of(text[1:] if bom else text, path, bom=bom)

    def encode(self, text: str) -> bytes:
        """Give the bytes of an edited text, with the byte-order mark that the file had."""
        return ((BOM if self.bom else "") + text).encode("utf-8")

    def line(self, index: int) -> int:
        """Give the number of the line that holds an offset, counted from 0."""
        return bisect.bisect_right(self.starts, index) - 1

    def line_start(self, line: int) -> int:
        """Give the offset of a line's first character."""
        return self.starts[line]

    def line_end(self, line: int) -> int:
        """Give the offset behind a line's break."""
        return self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)

    def line_text(self, line: int) -> str:
        """Give a line without its break."""
        return self.text[self.line_start(line) : self.line_end(line)].rstrip("\r\n")

    def line_break(self, line: int) -> str:
        """Give a line's break; the last line's may be empty."""
        whole = self.text[self.line_start(line) : self.line_end(line)]
        return whole[len(whole.rstrip("\r\n")) :]

    def is_content(self, line: int, *, until: int | None = None) -> bool:
        """Whether a line holds more than white space and a comment, up to an offset."""
        end = self.line_end(line) if until is None else until
        text = self.text[self.line_start(line) : end].strip()
        return bool(text) and not text.startswith("#")

    def column(self, index: int) -> int:
        """Give the number of characters before an offset on its line."""
        return index - self.line_start(self.line(index))

    def place(self, index: int) -> Place:
        """Give line and column of an offset, counted from 1."""
        return Place(self.path, self.line(index) + 1, self.column(index) + 1)

    def problem(
        self, code: str, message: str, index: int, *, end: int | None = None, remedy: str = ""
    ) -> Problem:
        """Give a problem that shows its line with a caret under ``index`` to ``end``."""
        text, start = self.line_text(self.line(index)), self.column(index)
        length = max(1, min((end or index + 1) - index, len(text) - start))
        shown, offset = text, 0
        if len(text) > LONGEST_SOURCE:
            offset = max(0, start - LONGEST_SOURCE // 2)
            shown = text[offset : offset + LONGEST_SOURCE]
            length = min(length, len(shown) - (start - offset)) or 1
        return Problem(code, message, remedy, self.place(index), shown, (start - offset, length))

    def declined(
        self, code: str, message: str, index: int, *, end: int | None = None, remedy: str = ""
    ) -> Declined:
        """Give ``problem`` as the exception to raise."""
        return Declined(self.problem(code, message, index, end=end, remedy=remedy))


@dataclass(frozen=True, slots=True)
class Chunk:
    """One document of a stream, with the marks and directives that belong to it.

    ``number`` counts the chunks of a file from 0; some hold comments only.
    """

    number: int
    start: int
    end: int


def cut(source: Source) -> tuple[Chunk, ...]:
    """Cut a stream at its document marks; the chunks together are the whole text.

    Directives stay with the ``---`` behind them, with all that lies between.
    """
    bounds: list[int] = []
    directives = _directives(source, 0)
    first = _BOUNDARY.match(source.text)
    below = (_BOUNDARY_BELOW_CR if "\r" in source.text else _BOUNDARY_BELOW).finditer(source.text)
    for mark in itertools.chain([first] if first else [], below):
        if mark[1] == "---":
            bounds.append(mark.start(1) if directives is None else directives)
            directives = None
        else:
            end = source.line_end(source.line(mark.start(1)))
            bounds.append(end)
            directives = _directives(source, end)
    inner = sorted({bound for bound in bounds if 0 < bound < len(source.text)})
    edges = [0, *inner, len(source.text)]
    return tuple(Chunk(number, start, end) for number, (start, end) in enumerate(itertools.pairwise(edges)))


def _directives(source: Source, start: int) -> int | None:
    """Give where the directives begin that the next ``---`` may have, from the start of a line on.

    Nothing but white space and comments may stand before them.
    """
    for line in range(source.line(start), len(source.starts)):
        at = source.starts[line]
        if source.text.startswith("%", at):
            return at
        if _BOUNDARY.match(source.text, at) or source.is_content(line):
            return None
    return None


def candidates(source: Source, may_be: Callable[[str], bool]) -> list[tuple[Chunk, str]]:
    """Give the documents, with their text, that are to be parsed for what is looked for.

    A document larger than ``LARGEST_DOCUMENT`` is given too, and is not to be parsed.

    Raises:
        Declined: ``file-too-large`` where parsing them all would take too long.
    """
    every = ((chunk, source.text[chunk.start : chunk.end]) for chunk in cut(source))
    found = [(chunk, text) for chunk, text in every if may_be(text)]
    size = sum(len(text) for _, text in found if len(text) <= LARGEST_DOCUMENT)
    if size > LARGEST_READING:
        raise Declined(
            Problem(
                "file-too-large",
                f"The documents that would have to be read have {size} characters; "
                f"up to {LARGEST_READING} of a file are read.",
                "Move the service into a file of its own.",
                Place(source.path),
            )
        )
    return found


def refuse_different(source: Source, chunk: Chunk) -> None:
    """Refuse characters that are layout in YAML 1.1 only: two readers would see two structures.

    Raises:
        Declined: ``yaml-invalid``.
    """
    found = _DIFFERENT.search(source.text, chunk.start, chunk.end)
    if found:
        raise source.declined(
            "yaml-invalid",
            f"The character U+{ord(found[0]):04X} is layout in YAML 1.1, and text in YAML 1.2.",
            found.start(),
            remedy="Remove it, or write it as an escape in double quotes.",
        )


def refuse_hidden(source: Source, start: int, end: int) -> None:
    """Refuse characters in an edited part that a reviewer cannot see, or that turn its direction.

    Raises:
        Declined: ``hidden-character-in-block``.
    """
    for index in range(start, end):
        char = source.text[index]
        if char in " \t\r\n" or (char.isascii() and char.isprintable()):
            continue
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}:
            raise source.declined(
                "hidden-character-in-block",
                f"The invisible character U+{ord(char):04X} stands in the part that would be edited.",
                index,
                remedy="Remove it.",
            )
