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

from bot.core.problems import Declined, Place, Problem

LARGEST_FILE = 1_000_000  # bytes
LARGEST_DOCUMENT = 200_000  # characters; about a second of parsing
LONGEST_SOURCE = 160  # characters of a line that a problem shows

BOM = "\ufeff"
_BREAK = re.compile(r"\r\n|\n|\r")
_BOUNDARY = re.compile(r"(---|\.\.\.)(?=[ \t\r\n]|\Z)")
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
        return cls(path, text, bom, (0, *(match.end() for match in _BREAK.finditer(text))))

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
    # Where the directives of the next document begin, and whether directives may stand here.
    directives: int | None = None
    bare = True
    for line, start in enumerate(source.starts):
        mark = _BOUNDARY.match(source.text, start)
        if mark is None:
            if bare and source.text.startswith("%", start):
                directives = start if directives is None else directives
            elif directives is None and source.is_content(line):
                bare = False
        elif mark[1] == "---":
            bounds.append(start if directives is None else directives)
            directives, bare = None, False
        else:
            bounds.append(source.line_end(line))
            directives, bare = None, True
    inner = sorted({bound for bound in bounds if 0 < bound < len(source.text)})
    edges = [0, *inner, len(source.text)]
    return tuple(Chunk(number, start, end) for number, (start, end) in enumerate(itertools.pairwise(edges)))


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
