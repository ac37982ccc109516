"""Real exchanges with GitHub, recorded by the makers of two clients and read from their source distributions.

One file of PyGithub's ``tests/ReplayData`` holds the exchanges of one of their tests, eleven lines each:
scheme, method, host, port, path, request headers, request body, status, answer's headers, answer's body, and
an empty line. github3.py's are read by ``recorded_cassettes``. They were recorded from 2012 on; a recording
says what GitHub did on its day.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from bot.sandbox.server import TABLES
from tests.contract.packages import GITHUB3, PYGITHUB, sdist
from tests.contract.recorded_cassettes import Answered, Asked, read_cassette

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})
OTHER_MEDIA = re.compile(r"\b(full|html|text|raw|diff|patch|sha)\b")
YEAR = re.compile(r"\b(20[0-3]\d)\b")
# What stands below a branch or a commit is another operation, though our holes would take it for a name.
BELOW = re.compile(
    r"/repos/[^/]+/[^/]+/(branches/.+/(protection|rename|restrictions)\b|commits/.+/(status|statuses|comments)$)"
)
SERVED_BY_ID = re.compile(r"^/repositories/\d+(?=/|$)")
ENTERPRISE = "/api/v3"


@dataclass(frozen=True, slots=True)
class Recording:
    """One real exchange.

    ``path`` is without its query and decoded. ``sent`` and ``body`` are parsed JSON, ``None`` when
    there was none, the text itself when it is something else. ``headers`` have small names. ``year``
    is that of the answer's ``Date``, else the newest of the body's times, else 0.
    """

    source: str
    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(hash=False)
    accept: str
    sent: Any = field(hash=False)
    status: int
    headers: Mapping[str, str] = field(hash=False)
    body: Any = field(hash=False)
    year: int

    @property
    def plain(self) -> bool:
        """Whether the usual JSON was asked for: other media types have other keys, or are no JSON."""
        return OTHER_MEDIA.search(self.accept) is None


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    """An operation that the sandbox serves: a method, and a path with named holes."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    """Give all that the sandbox serves, in the order in which it looks for them."""
    return [Operation(method, path) for table in TABLES for method, path, _ in table.routes]


@cache
def _routes() -> tuple[tuple[Operation, re.Pattern[str]], ...]:
    return tuple((operation, _pattern(operation.path)) for operation in operations())


def _pattern(path: str) -> re.Pattern[str]:
    """Turn a route into an expression, with the meaning that the web framework gives its holes."""
    kinds = {":int": r"\d+", ":path": r".+", "": r"[^/]+"}
    holes = re.split(r"\{\w+(:int|:path|)\}", path)
    words = [re.escape(part) if at % 2 == 0 else f"({kinds[part]})" for at, part in enumerate(holes)]
    return re.compile("".join(words))


def operation_of(method: str, path: str) -> Operation | None:
    """Find the operation of a request, if the sandbox serves it; ``/repositories/{id}`` is a repository too."""
    plain = SERVED_BY_ID.sub("/repos/by/id", path)
    for operation, pattern in _routes():
        if operation.method == method and pattern.fullmatch(plain):
            below = BELOW.match(plain) and not BELOW.match(operation.path)
            return None if below else operation
    return None


@cache
def recordings() -> tuple[Recording, ...]:
    """Read every recording, PyGithub's first, by the names of their files. Raises ``Unavailable``."""
    replayed, cassettes = sdist(PYGITHUB) / "tests" / "ReplayData", sdist(GITHUB3) / "tests" / "cassettes"
    found = [one for file in sorted(replayed.glob("*.txt")) for one in read(file)]
    for file in sorted(cassettes.glob("*.json")):
        found += [_recording(f"github3/{file.stem}", *parts) for parts in read_cassette(file)]
    return tuple(found)


@cache
def of_operations() -> dict[Operation, tuple[Recording, ...]]:
    """Give the recordings of each operation that the sandbox serves, newest first. Raises ``Unavailable``."""
    found: dict[Operation, list[Recording]] = {operation: [] for operation in operations()}
    for one in recordings():
        operation = operation_of(one.method, one.path)
        if operation is not None:
            found[operation].append(one)
    newest = {name: sorted(ones, key=lambda one: (-one.year, one.source)) for name, ones in found.items()}
    return {name: tuple(ones) for name, ones in newest.items()}


def read(file: Path) -> Iterator[Recording]:
    """Read the exchanges of one file. Raises ``ValueError`` for what is not in the format."""
    lines = [line.strip() for line in file.read_text("utf-8").split("\n")]
    at = 0
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        scheme, method, host, _, target, given, sent, status, headers = lines[at : at + 9]
        if scheme not in {"http", "https"} or method not in METHODS:
            raise ValueError(f"{file.name}:{at + 1} begins no exchange")
        at += 9
        # A streamed answer has any number of lines, in Base64; all others have one. An empty line ends both.
        answer = []
        while at < len(lines) and lines[at]:
            answer.append(lines[at])
            at += 1
        asked = Asked(
            method, host, target, str(ast.literal_eval(given[given.index("{") :]).get("Accept", "")), sent
        )
        told = {name.lower(): str(value) for name, value in dict(ast.literal_eval(headers)).items()}
        yield _recording(file.stem, asked, Answered(int(status), told, "\n".join(answer)))


def _recording(source: str, asked: Asked, answered: Answered) -> Recording:
    path, _, query = asked.target.partition("?")
    dated = YEAR.search(answered.headers.get("date", ""))
    years = [int(dated[1])] if dated else [int(year) for year in YEAR.findall(answered.text)]
    return Recording(
        source=source,
        method=asked.method,
        host=asked.host,
        path=unquote(path.removeprefix(ENTERPRISE)),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        accept=asked.accept,
        sent=_parsed(asked.sent),
        status=answered.status,
        headers=answered.headers,
        body=_parsed(answered.text),
        year=max((year for year in years if year < 2030), default=0),
    )


def _parsed(text: str) -> Any:
    if text in {"", "None"}:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
