"""Recurring days of a freeze: the part of iCalendar's RRULE that is understood at a glance.

Times are those of a clock on the wall in some zone, without the zone. Source: RFC 5545, 3.3.10, worked out by
python-dateutil. All work is bounded: one calendar year is worked out at a time, because dateutil looks for the next
occurrence of a rule that has none until the year 9999.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from bot.core.text import code

LONGEST = 200  # characters of a rule
DENSEST = 4  # times of a day
LONGEST_WINDOW = timedelta(days=92)
_CHECKED_YEARS = 8  # whoever has 29 February in mind waits for it no longer, but around 2100
_FIRST_DAY = date(2024, 1, 1)  # a Monday; what is counted from it needs `from`
_MOST_COUNTED = 500
_YEARS = (1970, 2999)
_ONLY_ONE = 12 * 9999  # years or months to the next period, which lies behind the last year that there is
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST_INTERVAL = 52
_NUMBERS = {"BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYHOUR": (0, 23), "BYMINUTE": (0, 59)}
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", *_NUMBERS, "BYSETPOS")
_NUMBER = re.compile(r"[+-]?[0-9]{1,3}", re.ASCII)
_DAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_UNTIL = re.compile(r"([0-9]{8})(?:T([0-9]{6}))?", re.ASCII)


class RuleError(ValueError):
    """A recurrence that is not followed. ``remedy`` is Markdown, like the message."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrence. ``days`` are pairs of (n-th or 0, weekday from Monday = 0); ``anchor`` is what is counted from."""

    text: str
    frequency: str
    anchor: date = _FIRST_DAY
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    days: tuple[tuple[int, int], ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    hours: tuple[int, ...] = (0,)
    minutes: tuple[int, ...] = (0,)
    positions: tuple[int, ...] = ()
    anchored: bool = False

    def starts(self, year: int) -> tuple[datetime, ...]:
        """Give when it occurs in a calendar year, rising, on the wall's clock."""
        if self.anchored and year < self.anchor.year:
            return ()
        found = _occurrences(self, year)
        return found if self.until is None else tuple(at for at in found if at <= self.until)


def parse(text: str, start: date | None = None) -> Recurrence:
    """Read a recurrence such as ``FREQ=WEEKLY;BYDAY=SA,SU``.

    It occurs at midnight unless ``BYHOUR`` says otherwise.

    Args:
        text: The parts, with or without ``RRULE:`` before them.
        start: The first day that counts; needed with ``INTERVAL`` and ``COUNT``.

    Raises:
        RuleError: It is no recurrence, is not followed, never occurs, or occurs too often.
    """
    if len(text) > LONGEST:
        raise RuleError(f"A recurrence is longer than {LONGEST} characters.", "Make two freezes of it.")
    parts = _parts(text)
    _check_frequency(parts)
    interval = _one(parts, "INTERVAL", 1, _LONGEST_INTERVAL) or 1
    count = _one(parts, "COUNT", 1, _MOST_COUNTED)
    if start is None and (interval > 1 or count is not None):
        name = "INTERVAL" if interval > 1 else "COUNT"
        raise RuleError(f"`{name}` is counted from a day, and none is named.", "Add `from: 2026-12-24`.")
    made = Recurrence(
        text=text,
        frequency=parts["FREQ"],
        anchor=start or _FIRST_DAY,
        interval=interval,
        count=count,
        until=_until(parts.get("UNTIL")),
        days=_days(parts.get("BYDAY"), parts["FREQ"]),
        months=_several(parts, "BYMONTH"),
        month_days=_several(parts, "BYMONTHDAY"),
        hours=_several(parts, "BYHOUR") or (0,),
        minutes=_several(parts, "BYMINUTE") or (0,),
        positions=_positions(parts.get("BYSETPOS")),
        anchored=start is not None,
    )
    _check(made, parts)
    return _counted(made) if count is not None else made


def never_ends(rule: Recurrence, length: timedelta) -> bool:
    """Whether each window lasts until the next one begins, without an end."""
    if rule.until is not None:
        return False
    year = rule.anchor.year + 1
    starts = [at for y in range(year, year + 3) for at in rule.starts(y)]
    return len(starts) > 1 and all(b - a <= length for a, b in pairwise(starts))


def in_words(rule: Recurrence) -> str:
    """Say when it occurs, shortly: ``every Sat, Sun at 00:00``; what has no short words is said as it is written."""
    if rule.interval > 1 or rule.positions or (rule.days and rule.month_days) or any(n for n, _ in rule.days):
        return rule.text
    days = ", ".join(_DAY_NAMES[day] for _, day in rule.days)
    months = ", ".join(_MONTH_NAMES[month - 1] for month in rule.months)
    dates = ", ".join(f"{n}" if n > 0 else f"{-n} from the end" for n in rule.month_days)
    when = f"every {days or 'day'}" if not rule.month_days else f"on day {dates} of {months or 'each month'}"
    in_months = f" in {months}" if months and not rule.month_days else ""
    clock = ", ".join(f"{hour:02}:{minute:02}" for hour in rule.hours for minute in rule.minutes)
    end = f" until {rule.until:%Y-%m-%d}" if rule.until is not None else ""
    start = f" from {rule.anchor}" if rule.anchored else ""
    return f"{when}{in_months} at {clock}{start}{end}"


# reading ------------------------------------------------------------------------------------------


def _parts(text: str) -> dict[str, str]:
    body = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in body.split(";"):
        name, mark, value = part.partition("=")
        if not mark or not value:
            raise RuleError(
                f"{code(part)} is no part of a recurrence.", "Write it like `FREQ=WEEKLY;BYDAY=SA,SU`."
            )
        if name == "WKST" and value == "MO":
            continue
        if name not in _PARTS:
            raise RuleError(
                f"{code(name)} is not followed in a recurrence.", f"Known: {', '.join(map(code, _PARTS))}."
            )
        if name in parts:
            raise RuleError(f"{code(name)} stands twice in the recurrence.", "Keep one.")
        parts[name] = value
    return parts


def _check_frequency(parts: dict[str, str]) -> None:
    known = f"One of {', '.join(f'`{one}`' for one in _FREQUENCIES)}."
    if "FREQ" not in parts:
        raise RuleError("The recurrence has no `FREQ`.", known)
    if parts["FREQ"] in {"HOURLY", "MINUTELY", "SECONDLY"}:
        raise RuleError(
            f"`FREQ={parts['FREQ']}` is too dense.", "Write `FREQ=DAILY` with `BYHOUR`, and `for:`."
        )
    if parts["FREQ"] not in _FREQUENCIES:
        raise RuleError(f"{code(parts['FREQ'])} is no frequency.", known)


def _one(parts: dict[str, str], name: str, least: int, most: int) -> int | None:
    if name not in parts:
        return None
    return _number(parts[name], name, least, most)


def _number(text: str, name: str, least: int, most: int) -> int:
    value = int(text) if _NUMBER.fullmatch(text) else None
    if value is None or not least <= value <= most:
        remedy = f"Write `{name}={max(least, 1)}`, or several with commas."
        raise RuleError(f"`{name}` takes whole numbers from {least} to {most}, not {code(text)}.", remedy)
    return value


def _several(parts: dict[str, str], name: str) -> tuple[int, ...]:
    if name not in parts:
        return ()
    values = {_number(one, name, *_NUMBERS[name]) for one in parts[name].split(",")}
    if name == "BYMONTHDAY" and 0 in values:
        raise RuleError("`BYMONTHDAY` knows no day 0.", "Write 1 to 31, or -1 for a month's last day.")
    return tuple(sorted(values))


def _positions(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    values = {_number(one, "BYSETPOS", -31, 31) for one in text.split(",")}
    if 0 in values:
        raise RuleError("`BYSETPOS` knows no 0.", "Write 1 for the first, or -1 for the last.")
    return tuple(sorted(values))


def _days(text: str | None, frequency: str) -> tuple[tuple[int, int], ...]:
    found = []
    for one in text.split(",") if text is not None else ():
        day = _DAY.fullmatch(one)
        if day is None:
            raise RuleError(f"{code(one)} is no weekday.", "Write `MO,TU,WE,TH,FR,SA,SU`.")
        if day[1] is not None and frequency != "MONTHLY":
            raise RuleError(f"{code(one)} counts weekdays of a month.", "Use it with `FREQ=MONTHLY`.")
        found.append((int(day[1] or 0), _DAYS.index(day[2])))
    return tuple(dict.fromkeys(found))


def _until(text: str | None) -> datetime | None:
    if text is None:
        return None
    remedy = (
        "Write a day like `20270106`, or a time like `20270106T120000`, on the zone's clock and without `Z`."
    )
    found = _UNTIL.fullmatch(text)
    if found is None:
        raise RuleError(f"`UNTIL` is no local time: {code(text)}.", remedy)
    try:
        # A day is meant as a whole.
        return datetime.strptime(f"{found[1]}{found[2] or '235959'}", "%Y%m%d%H%M%S")  # noqa: DTZ007 - a wall's clock
    except ValueError:
        raise RuleError(f"`UNTIL` is no local time: {code(text)}.", remedy) from None


def _check(rule: Recurrence, parts: dict[str, str]) -> None:
    """Refuse what occurs too often, never, or not as it reads."""
    if len(rule.hours) * len(rule.minutes) > DENSEST:
        raise RuleError(f"It occurs more than {DENSEST} times a day, which is too dense.", "Use `for:`.")
    if rule.positions and (rule.frequency != "MONTHLY" or not rule.days):
        raise RuleError(
            "`BYSETPOS` needs `FREQ=MONTHLY` and `BYDAY`.", "Write `FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1`."
        )
    if rule.frequency == "YEARLY" and not (rule.months and rule.month_days):
        raise RuleError(
            "`FREQ=YEARLY` needs `BYMONTH` and `BYMONTHDAY`.",
            "Write `FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24`.",
        )
    if rule.frequency == "MONTHLY" and not (rule.days or rule.month_days):
        raise RuleError("`FREQ=MONTHLY` needs `BYDAY` or `BYMONTHDAY`.", "Write `FREQ=MONTHLY;BYMONTHDAY=1`.")
    if rule.frequency == "WEEKLY" and ("BYDAY" not in parts or rule.month_days):
        raise RuleError(
            "`FREQ=WEEKLY` needs `BYDAY`, and takes no `BYMONTHDAY`.", "Write `FREQ=WEEKLY;BYDAY=FR`."
        )
    years = range(rule.anchor.year, rule.anchor.year + _CHECKED_YEARS)
    if not any(rule.starts(year) for year in years):
        raise RuleError("It never occurs.", "Look at the months and days that it names.")


def _counted(rule: Recurrence) -> Recurrence:
    """Turn ``COUNT`` into the time of the last occurrence, so that no later look has to count."""
    found: list[datetime] = []
    for year in range(rule.anchor.year, rule.anchor.year + _MOST_COUNTED):
        found += rule.starts(year)
        if rule.count is not None and len(found) >= rule.count:
            return Recurrence(
                **{name: getattr(rule, name) for name in Recurrence.__slots__}
                | {"until": min(found[rule.count - 1], rule.until or datetime.max), "count": None}  # noqa: DTZ901
            )
        if year - rule.anchor.year > _CHECKED_YEARS and rule.until is not None:
            break
    return rule


# working out --------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _occurrences(rule: Recurrence, year: int) -> tuple[datetime, ...]:
    """Give a year's occurrences, with ``INTERVAL`` and the first day, without ``UNTIL``."""
    # Imported here: conversation on GitHub costs no import, and the Action does not follow freezes.
    from dateutil import rrule  # noqa: PLC0415 - see above

    if not _YEARS[0] <= year <= _YEARS[1]:
        return ()
    periods = [datetime(year, 1, 1)]  # noqa: DTZ001 - a wall's clock
    if rule.frequency == "MONTHLY":
        periods = [datetime(year, month, 1) for month in range(1, 13)]  # noqa: DTZ001
    elif rule.frequency == "DAILY" and not (rule.days or rule.month_days):
        # Without a part that names days, dateutil takes the first day's.
        return _kept(rule, _every_day(rule, year))
    # A day or a week that is not counted is any of the year.
    found: list[datetime] = []
    for period in periods:
        found += rrule.rrule(
            rrule.MONTHLY if rule.frequency == "MONTHLY" else rrule.YEARLY,
            period,
            interval=_ONLY_ONE,
            bysetpos=rule.positions or None,
            bymonth=rule.months or tuple(range(1, 13)),
            bymonthday=rule.month_days or None,
            byweekday=[rrule.weekday(day, n or None) for n, day in rule.days] or None,
            byhour=rule.hours,
            byminute=rule.minutes,
            bysecond=0,
        )
    return _kept(rule, found)


def _kept(rule: Recurrence, found: list[datetime]) -> tuple[datetime, ...]:
    return tuple(at for at in sorted(found) if _is_counted(rule, at.date()))


def _every_day(rule: Recurrence, year: int) -> list[datetime]:
    """Give every day: without a part that names days, dateutil takes the first day's."""
    first = date(year, 1, 1)
    days = (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))
    return [
        datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a wall's clock
        for day in days
        if not rule.months or day.month in rule.months
        for hour in rule.hours
        for minute in rule.minutes
    ]


def _is_counted(rule: Recurrence, day: date) -> bool:
    """Whether a day is not before the first one, and in a period that ``INTERVAL`` takes."""
    anchor = rule.anchor
    if rule.anchored and day < anchor:
        return False
    if rule.interval == 1:
        return True
    periods = {
        "DAILY": (day - anchor).days,
        "WEEKLY": ((day - timedelta(days=day.weekday())) - (anchor - timedelta(days=anchor.weekday()))).days
        // 7,
        "MONTHLY": (day.year - anchor.year) * 12 + day.month - anchor.month,
        "YEARLY": day.year - anchor.year,
    }
    return periods[rule.frequency] % rule.interval == 0
