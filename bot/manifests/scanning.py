"""ruamel.yaml's reader, scanner and parser with their hottest loops shortened.

They say what the originals say, event for event and error for error; a test compares them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner
from ruamel.yaml.tokens import ScalarToken

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_COUNTS = re.compile("[\n\r\ufeff]")  # what is more than one column
_SPACES = re.compile(" *")
_SPACES_AND_TABS = re.compile("[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_./-]+(?=:[ \t\r\n])")
_TO_THE_END = re.compile("[^\n\0\r\x85\u2028\u2029]*")


class FastReader(Reader):
    """Goes over a piece of a line in one step."""

    def forward(self, length: int = 1) -> None:
        """Go on by some characters."""
        start = self.pointer
        part = self.buffer[start : start + length]
        if len(part) < length or _COUNTS.search(part):
            super().forward(length)
            return
        self.pointer = start + length
        self.index += length
        self.column += length

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Go over what a pattern without line breaks matches here."""
        found = pattern.match(self.buffer, self.pointer)
        if found and found.end() > self.pointer:
            self.forward(found.end() - self.pointer)


class FastScanner(Scanner):
    """Looks for more tokens only where one was taken since it last looked."""

    _settled = False

    def check_token(self, *choices: Any) -> bool:
        """Whether another token is there, of one of these types."""
        if not self._settled:
            self._settle()
        tokens = self.tokens
        return bool(tokens) and (not choices or isinstance(tokens[0], choices))

    def peek_token(self) -> Any:
        """Give the next token and leave it there."""
        if not self._settled:
            self._settle()
        return self.tokens[0] if self.tokens else None

    def get_token(self) -> Any:
        """Give the next token."""
        token = super().get_token()
        self._settled = False
        return token

    def _settle(self) -> None:
        while self.need_more_tokens():
            self.fetch_more_tokens()
        self._settled = True

    def scan_to_next_token(self) -> Any:
        """Go over spaces, comments and line breaks."""
        reader = self.reader
        if reader.index == 0 and reader.peek() == "\ufeff":
            reader.forward()
        blank = _SPACES_AND_TABS if self.flow_level > 0 else _SPACES
        while True:
            reader.skip(blank)
            if reader.peek() == "#":
                reader.skip(_TO_THE_END)
            if not self.scan_line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_plain(self) -> Any:
        """Give the token of a plain scalar; an ordinary key of a block mapping in one step."""
        reader = self.reader
        found = None if self.flow_context else _KEY.match(reader.buffer, reader.pointer)
        if found is None:
            return super().scan_plain()
        start = reader.get_mark()
        reader.forward(len(found[0]))
        self.allow_simple_key = False
        return ScalarToken(found[0], True, start, reader.get_mark())


class FastParser(Parser):
    """Knows its scanner without asking the loader each time."""

    scanner: Any = None

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self.scanner = loader.scanner


def hasten(yaml: YAML) -> YAML:
    """Let a ``YAML(typ="safe", pure=True)`` read with these."""
    yaml.Reader, yaml.Scanner, yaml.Parser = FastReader, FastScanner, FastParser
    return yaml
