"""The flags ``--untag``, ``--tag`` and ``--traffic``: read, and verified before any edit.

Each occurrence is one CSV record; the items of all occurrences of a flag are one list. Nothing is trimmed.
Source: Knative client v1.23, ``pkg/kn/traffic/compute.go``; pflag, string slices; Go, ``encoding/csv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.go import encoded, integer, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LATEST = "@latest"
NOT_SET = "flag(s) not set"


class Refused(Exception):  # noqa: N818 - an outcome, not an error of the program
    """kn refuses; the argument is its text."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What was typed: one string for each occurrence of a flag; ``()`` is not given, ``("",)`` is given and empty."""

    untag: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    traffic: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """What only a cluster knows; without it the rule for the remaining percent never finds a revision.

    ``status`` are the revisions of ``status.traffic``, in its order; ``revisions`` all that exist of the service;
    ``latest_ready`` is ``status.latestReadyRevisionName``. ``makes_revision`` says that a flag was given besides
    which makes a new revision.
    """

    status: tuple[str, ...] = ()
    revisions: frozenset[str] = frozenset()
    latest_ready: str | None = None
    makes_revision: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What the flags ask for: tags to take away, (reference, tag) and (reference, percent) to set.

    ``shares`` is ``None`` without ``--traffic``; the shares sum to 100, or there are none.
    """

    untag: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    shares: tuple[tuple[str, int], ...] | None


def read(flags: Flags, cluster: Cluster) -> Asked:
    """Read and verify the flags; the first failure ends it.

    kn parses flags in the order they were typed; that order is not known here, and only decides which of two
    broken quotes of different flags is told.

    Raises:
        Refused: With kn's text.
    """
    if not (flags.untag or flags.tag or flags.traffic):
        raise Refused(NOT_SET)
    untag, tag, traffic = (
        tuple(item for typed in occurrences for item in _record(typed, name))
        for name, occurrences in (("untag", flags.untag), ("tag", flags.tag), ("traffic", flags.traffic))
    )
    tags = _tags(tag)
    shares = _shares(traffic, cluster) if flags.traffic else None
    return Asked(untag, tags, shares)


# what was typed ---------------------------------------------------------------------


def _record(typed: str, flag: str) -> list[str]:
    # pflag does not ask the reader for a record of the empty string.
    try:
        return record(typed) if typed else []
    except Refused as refused:
        raise Refused(f"invalid argument {quoted(typed)} for {quoted(f'--{flag}')} flag: {refused}") from None


def record(text: str) -> list[str]:
    r"""Give the fields of the first record of a CSV text; what follows is ignored.

    Python's own ``csv`` takes a quote inside a plain field, and does not tell where a quote is wrong. Columns count
    bytes from 1, as Go's do.

    Raises:
        Refused: ``parse error on line 1, column 9: bare \" in non-quoted-field`` and the like; ``EOF`` where all
            lines are blank.
    """
    lines = _lines(encoded(text))
    start = next((number for number, line in enumerate(lines) if line not in {b"", b"\n"}), None)
    if start is None:
        raise Refused("EOF")
    return [field.decode("utf-8", "surrogateescape") for field in _Reader(lines, start).fields()]


def _lines(content: bytes) -> list[bytes]:
    """Cut at line feeds, which stay; CR LF counts as one, and a CR at the very end is dropped."""
    lines = content.split(b"\n")
    ended = [(line[:-1] if line.endswith(b"\r") else line) + b"\n" for line in lines[:-1]]
    last = lines[-1].removesuffix(b"\r")
    return [*ended, last] if lines[-1] else ended


class _Reader:
    """Reads one record; a quoted field may go on over several lines."""

    def __init__(self, lines: Sequence[bytes], start: int) -> None:
        self._lines = lines
        self._start = self._number = start
        self._at = 0

    @property
    def _rest(self) -> bytes:
        return self._lines[self._number][self._at :]

    def fields(self) -> list[bytes]:
        found: list[bytes] = []
        more = True
        while more:
            field, more = self._quoted() if self._rest.startswith(b'"') else self._plain()
            found.append(field)
        return found

    def _plain(self) -> tuple[bytes, bool]:
        """Read up to a comma or the line's end; say whether there was a comma."""
        field, comma, _ = self._rest.partition(b",")
        if not comma:
            field = field.removesuffix(b"\n")
        if b'"' in field:
            raise self._error(self._at + field.index(b'"'), 'bare " in non-quoted-field')
        self._at += len(field) + 1
        return field, bool(comma)

    def _quoted(self) -> tuple[bytes, bool]:
        parts: list[bytes] = []
        self._at += 1
        while True:
            part, quote, behind = self._rest.partition(b'"')
            parts.append(part)
            self._at += len(part) + len(quote)
            if not quote:
                if self._number + 1 == len(self._lines):
                    raise self._error(self._at, 'extraneous or missing " in quoted-field')
                self._number, self._at = self._number + 1, 0
            elif behind.startswith(b'"'):
                parts.append(quote)
                self._at += 1
            elif behind.startswith(b","):
                self._at += 1
                return b"".join(parts), True
            elif behind in {b"", b"\n"}:
                return b"".join(parts), False
            else:
                raise self._error(self._at - 1, 'extraneous or missing " in quoted-field')

    def _error(self, at: int, reason: str) -> Refused:
        where = f"parse error on line {self._number + 1}, column {at + 1}: {reason}"
        return Refused(where if self._number == self._start else f"record on line {self._start + 1}; {where}")


def _pair(item: str) -> tuple[str, str]:
    """Read ``REF=VALUE``, or a value alone, which is about the latest revision."""
    parts = item.split("=")
    if len(parts) == 1:
        return LATEST, item
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004 - a pair
        raise Refused(f"expecting the value format in value1=value2, given {item}")
    return parts[0], parts[1].removesuffix("%")


# verification -----------------------------------------------------------------------


def _tags(items: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for item in items:
        ref, tag = _pair(item)
        if ref == LATEST and any(ref == known for known, _ in pairs):
            raise Refused(f"repetition of identifier {LATEST} is not allowed, use only once with --tag flag")
        pairs.append((ref, tag))
    return tuple(pairs)


def _shares(items: Sequence[str], cluster: Cluster) -> tuple[tuple[str, int], ...]:
    shares: dict[str, int] = {}
    for item in items:
        ref, value = _pair(item)
        if ref in shares:
            what = f"identifier {ref}" if ref == LATEST else f"revision reference {ref}"
            raise Refused(f"repetition of {what} is not allowed, use only once with --traffic flag")
        percent = integer(value)
        if percent is None:
            raise Refused(f"error converting given {value} to integer value for traffic distribution")
        if not 0 <= percent <= 100:  # noqa: PLR2004 - percents
            raise Refused(f"invalid value for traffic percent {percent}, expected 0 <= percent <= 100")
        shares[ref] = percent
    total = sum(shares.values())
    if total > 100:  # noqa: PLR2004 - percents
        raise Refused(f"given traffic percents sum to {total}, want <=100")
    if shares and total < 100:  # noqa: PLR2004 - percents
        shares[_one_missing(shares.keys(), cluster, 100 - total)] = 100 - total
    return tuple(shares.items())


def _one_missing(given: Collection[str], cluster: Cluster, rest: int) -> str:
    """Find the one revision that gets the remaining percents.

    It reads the status and not the file, and knows no tags: kn gives the rest to the first revision of the status
    whose *name* was not typed, and to its name even where it is the floating target that serves it.
    """
    failed = f"unable to allocate the remaining traffic: {rest}%. Reason: "
    if len(given) != len(cluster.status) - (not cluster.makes_revision):
        raise Refused(failed + "incorrect number of revisions specified. Only 1 revision should be missing")
    if cluster.makes_revision and LATEST not in given:
        return LATEST
    mentioned = set(given)
    if not cluster.makes_revision and LATEST in given and cluster.latest_ready:
        mentioned.add(cluster.latest_ready)
    for revision in cluster.status:
        if revision not in cluster.revisions:
            break  # kn looks no further, even where it was mentioned
        if revision not in mentioned:
            return revision
    raise Refused(failed + "cannot determine the missing revision")
