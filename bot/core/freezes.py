"""Freezes: times in which no rollout goes on. Stopping is never frozen.

A freeze denies windows, or allows nothing outside of its windows; deny comes before allow. A window is meant on the
clock of its zone: ``24h`` from midnight is the whole day, also when that day has 23 or 25 hours. An hour that comes
twice is frozen twice. Instants are aware and in UTC; the caller brings the time and the exceptions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.core.problems import Place
    from bot.core.recurrence import Recurrence

HORIZON = timedelta(days=400)  # an opening farther away is none
_MOST_JUMPS = 2000


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze. ``services`` are names; none means all. ``origin`` is the line of the file that it stands in."""

    name: str
    kind: Literal["deny", "allow"]
    rule: Recurrence
    length: timedelta
    zone: str = "UTC"
    services: tuple[str, ...] = ()
    origin: Place | None = field(default=None, compare=False)

    def holds_for(self, service: str) -> bool:
        """Whether it is about a service."""
        return not self.services or service in self.services


@dataclass(frozen=True, slots=True)
class Override:
    """An exception that people made, with a reason and a second person: a freeze does not hold until then."""

    freeze: str
    until: datetime
    service: str | None = None  # none means all


@dataclass(frozen=True, slots=True)
class Frozen:
    """What freezes a service now. ``until`` is when nothing does any more, ``None`` where that is not in sight."""

    name: str
    kind: Literal["deny", "allow"]
    until: datetime | None
    origin: Place | None = None


def verdict(
    freezes: Sequence[Freeze], now: datetime, service: str, overrides: Iterable[Override] = ()
) -> Frozen | None:
    """Tell what freezes a service, ``None`` when it may go on.

    Args:
        freezes: Of the configuration; those of other services are left out here.
        now: Aware.
        service: Its name.
        overrides: Exceptions; the caller checked who made them.
    """
    lifted = tuple(overrides)
    found = _covering(freezes, now, service, lifted)
    if found is None:
        return None
    freeze, _ = found
    return Frozen(freeze.name, freeze.kind, next_opening(freezes, now, service, lifted), freeze.origin)


def next_opening(
    freezes: Sequence[Freeze], now: datetime, service: str, overrides: Iterable[Override] = ()
) -> datetime | None:
    """Give the first moment from ``now`` on at which nothing freezes the service; ``None``: not within 400 days."""
    lifted = tuple(overrides)
    at, last = now, now + HORIZON
    for _ in range(_MOST_JUMPS):
        found = _covering(freezes, at, service, lifted)
        if found is None:
            return at
        _, end = found
        if end is None or end <= at or end > last:
            return None
        at = end
    return None


def next_freeze(freezes: Sequence[Freeze], now: datetime, service: str) -> datetime | None:
    """Give the first moment after ``now`` at which a service that may go on could be frozen, ``None`` for never.

    An allowed window that another one continues is not looked through: nothing need be frozen at that moment.
    """
    mine = [freeze for freeze in freezes if freeze.holds_for(service)]
    begins = [_next_window(freeze, now) for freeze in mine if freeze.kind == "deny"]
    ends = [end for f in mine if f.kind == "allow" and (end := _end_of_window(f, now)) is not None]
    return min((*(start for start in begins if start is not None), *ends), default=None)


def _covering(
    freezes: Sequence[Freeze], now: datetime, service: str, lifted: tuple[Override, ...]
) -> tuple[Freeze, datetime | None] | None:
    """Give the freeze that holds now, and when to look again: at its end, or where the next allowed window begins."""
    mine = [f for f in freezes if f.holds_for(service) and not _is_lifted(f, now, service, lifted)]
    for freeze in mine:
        if freeze.kind == "deny" and (end := _end_of_window(freeze, now)) is not None:
            return freeze, end
    allowing = [freeze for freeze in mine if freeze.kind == "allow"]
    if not allowing or any(_end_of_window(freeze, now) is not None for freeze in allowing):
        return None
    coming = [(start, freeze) for freeze in allowing if (start := _next_window(freeze, now)) is not None]
    if not coming:
        return allowing[0], None
    start, freeze = min(coming, key=lambda one: one[0])
    return freeze, start


def _is_lifted(freeze: Freeze, now: datetime, service: str, lifted: tuple[Override, ...]) -> bool:
    return any(
        one.freeze == freeze.name and one.service in {None, service} and now < one.until for one in lifted
    )


def _end_of_window(freeze: Freeze, now: datetime) -> datetime | None:
    """Give the end of the window that holds ``now``, ``None`` when none does."""
    windows = _near(freeze, now.year)
    place = bisect_right(windows, now, key=lambda one: one[0])
    return windows[place - 1][1] if place and now < windows[place - 1][1] else None


def _next_window(freeze: Freeze, now: datetime) -> datetime | None:
    for year in (now.year, now.year + 1):
        windows = _near(freeze, year)
        place = bisect_left(windows, now, key=lambda one: one[0])
        if place < len(windows):
            return windows[place][0]
    return None


@lru_cache(maxsize=256)
def _near(freeze: Freeze, year: int) -> tuple[tuple[datetime, datetime], ...]:
    """Give the windows of a year, and of those around it: zones and windows reach over its edges. None overlap."""
    merged: list[tuple[datetime, datetime]] = []
    for one in (year - 1, year, year + 1):
        for start, end in _windows(freeze, one):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
    return tuple(merged)


@lru_cache(maxsize=512)
def _windows(freeze: Freeze, year: int) -> tuple[tuple[datetime, datetime], ...]:
    """Give the windows that begin in a year, as instants, rising."""
    zone = ZoneInfo(freeze.zone)
    found = []
    for start in freeze.rule.starts(year):
        begin = instant(start, zone)
        end = instant(start + freeze.length, zone, late=freeze.kind == "deny")
        if begin < end:  # a window inside an hour that does not exist is none
            found.append((begin, end))
    return tuple(sorted(found))


def instant(wall: datetime, zone: ZoneInfo, *, late: bool = False) -> datetime:
    """Give the first moment, in UTC, at which a clock on the wall shows a time or a later one.

    Args:
        wall: Without a zone.
        zone: The wall's.
        late: Take the second of two moments, where the clock shows the time twice.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if late else first
    # The clock jumps over the time: with the old offset it comes after the jump, with the new one before.
    low, high = second, first
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)
