"""Freezes: IANA zones, days of 23 and 25 hours, deny before allow, exceptions, bounded work."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from bot.core.freezes import HORIZON, Freeze, Frozen, Override, instant, next_freeze, next_opening, verdict
from bot.core.problems import Place
from bot.core.recurrence import RuleError, in_words, never_ends, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

BERLIN = "Europe/Berlin"
DAY = timedelta(hours=24)


def freeze(
    rule: str,
    length: timedelta = DAY,
    kind: Literal["deny", "allow"] = "deny",
    zone: str = BERLIN,
    *,
    name: str = "f",
    services: tuple[str, ...] = (),
    start: date | None = None,
) -> Freeze:
    return Freeze(name, kind, parse(rule, start), length, zone, services, Place("c.yaml", 6, 5))


def wall(*parts: int) -> datetime:
    """Give what a clock on the wall shows."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def at(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


WEEKENDS = freeze("FREQ=WEEKLY;BYDAY=SA,SU", name="weekends")
OFFICE = freeze("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH;BYHOUR=9", timedelta(hours=7), "allow", name="office hours")


class TestDaylightSaving:
    """DST changes right: a day with 23 or 25 hours is frozen as a whole."""

    @pytest.mark.parametrize(
        ("now", "until"),
        [
            pytest.param(
                at("2026-03-28T00:00"), at("2026-03-30T00:00"), id="from the first second of Saturday"
            ),
            pytest.param(at("2026-03-29T23:59"), at("2026-03-30T00:00"), id="last minute of 23 hours"),
            pytest.param(at("2026-10-25T00:00"), at("2026-10-26T00:00"), id="Sunday of 25 hours"),
            pytest.param(at("2026-10-25T23:30"), at("2026-10-26T00:00"), id="the 25th hour"),
            pytest.param(at("2026-03-30T00:00"), None, id="Monday after the short day"),
            pytest.param(at("2026-10-26T00:00"), None, id="Monday after the long day"),
            pytest.param(at("2026-03-27T23:59"), None, id="Friday evening"),
        ],
    )
    def test_weekends(self, now: datetime, until: datetime | None) -> None:
        found = verdict([WEEKENDS], now, "shop")
        assert (found.until if found is not None else None) == until

    def test_how_long_the_sundays_are(self) -> None:
        sundays = freeze("FREQ=WEEKLY;BYDAY=SU")
        for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-01", 24)):
            start = at(f"{day}T00:00")
            assert next_opening([sundays], start, "shop") == start + timedelta(hours=hours)

    def test_an_hour_that_comes_twice_is_frozen_twice(self) -> None:
        night = freeze("FREQ=DAILY;BYHOUR=2", timedelta(minutes=30))
        first, second = at("2026-10-25T02:15"), at("2026-10-25T02:15", fold=1)
        assert second - first == timedelta(hours=1)
        assert verdict([night], first, "shop") is not None
        assert verdict([night], second, "shop") is not None

    def test_an_hour_that_comes_twice_is_allowed_once(self) -> None:
        night = freeze("FREQ=DAILY;BYHOUR=2", timedelta(minutes=30), "allow")
        assert verdict([night], at("2026-10-25T02:15"), "shop") is None
        assert verdict([night], at("2026-10-25T02:45"), "shop") is not None

    def test_a_window_inside_an_hour_that_does_not_exist_is_none(self) -> None:
        night = freeze("FREQ=DAILY;BYHOUR=2", timedelta(minutes=30))
        assert verdict([night], at("2026-03-29T03:00"), "shop") is None
        assert next_opening([night], at("2026-03-29T01:59"), "shop") == at("2026-03-29T01:59")

    def test_a_window_that_begins_in_it_begins_behind_it(self) -> None:
        night = freeze("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", timedelta(hours=1))
        assert verdict([night], at("2026-03-29T01:59"), "shop") is None
        found = verdict([night], at("2026-03-29T03:00"), "shop")
        assert found is not None
        assert found.until == at("2026-03-29T03:30")

    @pytest.mark.parametrize(
        ("shown", "zone", "want"),
        [
            pytest.param("2026-03-29T02:30", BERLIN, "2026-03-29T01:00", id="in the gap: where it ends"),
            pytest.param("2026-10-25T02:30", BERLIN, "2026-10-25T00:30", id="twice: the first"),
            pytest.param(
                "2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:30", id="a gap of half an hour"
            ),
            pytest.param("2011-12-30T12:00", "Pacific/Apia", "2011-12-30T10:00", id="a day that never was"),
            pytest.param(
                "2026-06-01T00:00", "Asia/Kathmandu", "2026-05-31T18:15", id="an offset with minutes"
            ),
        ],
    )
    def test_instants(self, shown: str, zone: str, want: str) -> None:
        assert instant(datetime.fromisoformat(shown), ZoneInfo(zone)) == at(want, "UTC")

    @given(
        wanted=st.datetimes(wall(2020, 1, 1), wall(2030, 1, 1)),
        zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC", "Africa/Casablanca"]),
        late=st.booleans(),
    )
    def test_the_clock_shows_the_time_then_or_jumped_over_it(
        self, wanted: datetime, zone: str, *, late: bool
    ) -> None:
        wanted = wanted.replace(microsecond=0)
        found = instant(wanted, ZoneInfo(zone), late=late)
        shown = found.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        before = (found - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert shown == wanted or before < wanted < shown


class TestVerdict:
    """Deny before allow; exceptions are brought by the caller."""

    @pytest.mark.parametrize(
        ("now", "name", "until"),
        [
            pytest.param("2026-03-03T10:00", None, None, id="inside the allowed window"),
            pytest.param("2026-03-03T08:59", "office hours", "2026-03-03T09:00", id="before it"),
            pytest.param("2026-03-03T16:00", "office hours", "2026-03-04T09:00", id="at its end"),
            pytest.param(
                "2026-03-05T16:30", "office hours", "2026-03-09T09:00", id="over the weekend, to Monday"
            ),
            pytest.param("2026-03-07T10:00", "weekends", "2026-03-09T09:00", id="deny is named before allow"),
        ],
    )
    def test_office_hours_and_weekends(self, now: str, name: str | None, until: str | None) -> None:
        found = verdict([OFFICE, WEEKENDS], at(now), "shop")
        assert (found.name if found is not None else None) == name
        assert (found.until if found is not None else None) == (at(until) if until else None)

    def test_deny_wins_inside_an_allowed_window(self) -> None:
        monday = freeze("FREQ=WEEKLY;BYDAY=MO;BYHOUR=10", timedelta(hours=2), name="release meeting")
        found = verdict([OFFICE, monday], at("2026-03-02T11:00"), "shop")
        assert found == Frozen("release meeting", "deny", at("2026-03-02T12:00"), Place("c.yaml", 6, 5))

    def test_several_allowed_windows_add_up(self) -> None:
        friday = freeze("FREQ=WEEKLY;BYDAY=FR;BYHOUR=9", timedelta(hours=3), "allow", name="friday")
        assert verdict([OFFICE, friday], at("2026-03-06T10:00"), "shop") is None
        assert next_opening([OFFICE, friday], at("2026-03-05T17:00"), "shop") == at("2026-03-06T09:00")

    def test_only_the_services_that_are_named(self) -> None:
        mine = freeze("FREQ=WEEKLY;BYDAY=SA,SU", services=("shop",))
        assert verdict([mine], at("2026-03-07T10:00"), "shop") is not None
        assert verdict([mine], at("2026-03-07T10:00"), "other") is None

    @pytest.mark.parametrize(
        ("override", "frozen"),
        [
            pytest.param(Override("weekends", at("2026-03-08T12:00")), False, id="lifted"),
            pytest.param(Override("weekends", at("2026-03-07T10:00")), True, id="no longer lifted"),
            pytest.param(Override("other", at("2026-03-08T12:00")), True, id="another freeze"),
            pytest.param(Override("weekends", at("2026-03-08T12:00"), "shop"), False, id="for this service"),
            pytest.param(Override("weekends", at("2026-03-08T12:00"), "web"), True, id="for another service"),
        ],
    )
    def test_exceptions(self, override: Override, frozen: bool) -> None:  # noqa: FBT001
        found = verdict([WEEKENDS], at("2026-03-07T10:00"), "shop", [override])
        assert (found is not None) == frozen

    def test_an_end_that_is_not_in_sight(self) -> None:
        past = freeze("FREQ=WEEKLY;BYDAY=MO;UNTIL=20260101", kind="allow")
        found = verdict([past], at("2026-03-07T10:00"), "shop")
        assert found is not None
        assert found.until is None

    def test_no_freezes_no_verdict(self) -> None:
        assert verdict([], at("2026-03-07T10:00"), "shop") is None
        assert next_opening([], at("2026-03-07T10:00"), "shop") == at("2026-03-07T10:00")

    def test_over_the_new_year(self) -> None:
        christmas = freeze("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=20", timedelta(days=17))
        for now in ("2026-12-20T00:00", "2026-12-31T23:59", "2027-01-05T23:59"):
            assert next_opening([christmas], at(now), "shop") == at("2027-01-06T00:00")

    def test_a_next_window_that_is_a_year_away(self) -> None:
        rare = freeze("FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=2", kind="allow")
        assert next_opening([rare], at("2026-01-03T00:00"), "shop") == at("2027-01-02T00:00")


RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;BYHOUR=22",
    "FREQ=DAILY;BYMONTH=2,12",
    "FREQ=DAILY;BYDAY=MO,FR",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=WEEKLY;BYDAY=FR;BYHOUR=15;BYMINUTE=30",
    "FREQ=WEEKLY;BYDAY=MO;BYMONTH=7",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=1MO,-1FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24,25,26",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
]
FROM_A_DAY = [
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
    "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=5;BYMONTHDAY=1",
    "FREQ=DAILY;COUNT=5",
    "FREQ=WEEKLY;COUNT=60;BYDAY=TU",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=7;BYDAY=TU,SU",
]
ANCHOR = date(2024, 3, 6)  # a Wednesday


class TestRecurrence:
    """RFC 5545, as python-dateutil works it out in one go from the first day."""

    @pytest.mark.parametrize("text", RULES + FROM_A_DAY)
    def test_a_year_at_a_time_gives_what_dateutil_gives(self, text: str) -> None:
        start = wall(ANCHOR.year, ANCHOR.month, ANCHOR.day)
        known = rrule.rrulestr(text, dtstart=start)
        want = known.between(start, wall(2029, 12, 31, 23, 59), inc=True)
        found = [when for year in range(2024, 2030) for when in parse(text, ANCHOR).starts(year)]
        assert found == want

    @pytest.mark.parametrize("text", RULES)
    def test_without_a_first_day_every_year_counts(self, text: str) -> None:
        known = rrule.rrulestr(text, dtstart=wall(2019, 1, 1))
        want = known.between(wall(2020, 1, 1), wall(2020, 12, 31, 23, 59), inc=True)
        assert list(parse(text).starts(2020)) == want

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("FREQ=WEEKLY;BYDAY=SA,SU", "every Sat, Sun at 00:00", id="weekends"),
            pytest.param("FREQ=DAILY;BYHOUR=9,17", "every day at 09:00, 17:00", id="times"),
            pytest.param("FREQ=DAILY;BYMONTH=12", "every day in Dec at 00:00", id="a month"),
            pytest.param("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=20", "on day 20 of Dec at 00:00", id="a date"),
            pytest.param("FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=1MO", id="nothing shorter"),
        ],
    )
    def test_in_words(self, text: str, words: str) -> None:
        assert in_words(parse(text)) == words

    def test_until_a_day_means_the_whole_day(self) -> None:
        rule = parse("FREQ=DAILY;BYHOUR=12;UNTIL=20260103")
        assert rule.starts(2026)[-1] == wall(2026, 1, 3, 12)

    @pytest.mark.parametrize(
        ("text", "length", "ends"),
        [
            pytest.param("FREQ=DAILY", timedelta(hours=23), True, id="an hour free each day"),
            pytest.param("FREQ=DAILY", DAY, False, id="no minute free"),
            pytest.param("FREQ=MONTHLY;BYMONTHDAY=1", timedelta(days=31), False, id="a month at a time"),
            pytest.param(
                "FREQ=MONTHLY;BYMONTHDAY=1", timedelta(days=30), True, id="some months have a day free"
            ),
            pytest.param("FREQ=DAILY;UNTIL=20991231", DAY, True, id="one that ends"),
        ],
    )
    def test_a_freeze_that_never_ends(self, text: str, length: timedelta, ends: bool) -> None:  # noqa: FBT001
        assert never_ends(parse(text), length) == (not ends)


@pytest.mark.timeout(20)
class TestBounded:
    """A recurrence that never occurs or is too dense is refused; no text costs much."""

    @pytest.mark.parametrize(
        "text",
        [
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31",
            "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8",
            "FREQ=SECONDLY",
            "FREQ=DAILY;BYSECOND=1",
            "FREQ=DAILY;INTERVAL=99999999999999",
            "FREQ=DAILY;COUNT=100000000",
            "FREQ=WEEKLY;BYDAY=" + ",".join(["MO"] * 500),
            "FREQ=DAILY;UNTIL=99999999",
            "FREQ=WEEKLY;BYDAY=9MO",
            "FREQ=DAILY;" * 10,
            "FREQ=DAILY;BYMONTH=٣",
            "",
        ],
    )
    def test_refused(self, text: str) -> None:
        with pytest.raises(RuleError):
            parse(text, ANCHOR)

    @given(st.text(alphabet="FREQ=DAILYWKMONTH;BYDUSCP,0123456789-", max_size=80))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        with suppress(RuleError):
            assert any(parse("FREQ=MONTHLY;" + text, ANCHOR).starts(year) for year in range(2024, 2034))

    def test_twenty_freezes_of_four_windows_a_day_are_no_work(self) -> None:
        dense: Sequence[Freeze] = [
            freeze(f"FREQ=DAILY;BYHOUR=0,6,12,18;BYMINUTE={n}", timedelta(minutes=1), name=f"f{n}")
            for n in range(20)
        ]
        assert next_opening(dense, at("2026-03-07T00:00"), "shop") == at("2026-03-07T00:20")


WINDOWS = st.builds(
    freeze,
    st.sampled_from(RULES),
    st.sampled_from([timedelta(hours=1), timedelta(hours=7), DAY, timedelta(days=3)]),
    st.sampled_from(["deny", "allow"]),
    st.sampled_from([BERLIN, "America/New_York", "UTC"]),
)


class TestProperties:
    """The next opening is the first moment that nothing freezes."""

    @given(st.lists(WINDOWS, max_size=3), st.datetimes(wall(2025, 1, 1), wall(2028, 1, 1)))
    def test_it_is_open_then_and_not_before(self, freezes: list[Freeze], naive: datetime) -> None:
        now = naive.replace(microsecond=0, tzinfo=UTC)
        opening = next_opening(freezes, now, "shop")
        found = verdict(freezes, now, "shop")
        assert (found is None) == (opening == now)
        if opening is None:
            return
        assert now <= opening <= now + HORIZON
        assert verdict(freezes, opening, "shop") is None
        for part in range(1, 8):
            between = now + (opening - now) * part / 8
            assert between == opening or verdict(freezes, between, "shop") is not None

    @given(WINDOWS, st.datetimes(wall(2025, 1, 1), wall(2028, 1, 1)))
    def test_a_moment_is_frozen_by_what_the_wall_shows(self, one: Freeze, naive: datetime) -> None:
        now = naive.replace(microsecond=0, tzinfo=UTC)
        shown = now.astimezone(ZoneInfo(one.zone)).replace(tzinfo=None)
        starts = [start for year in (shown.year - 1, shown.year) for start in one.rule.starts(year)]
        inside = any(start <= shown < start + one.length for start in starts)
        offsets = {
            (now + timedelta(days=days)).astimezone(ZoneInfo(one.zone)).utcoffset() for days in range(-4, 5)
        }
        if len(offsets) == 1:  # around a change of the clock, the tables above say what happens
            assert (verdict([one], now, "shop") is not None) == (inside if one.kind == "deny" else not inside)


class TestNextFreeze:
    """When something that goes on has to be looked at again."""

    @pytest.mark.parametrize(
        ("kind", "rule", "hours", "now", "then"),
        [
            pytest.param(
                "deny", "FREQ=WEEKLY;BYDAY=SA", 24, (20, 12), (21, 0), id="a window that is denied begins"
            ),
            pytest.param(
                "deny", "FREQ=WEEKLY;BYDAY=SA", 24, (21, 0), (28, 0), id="the one that holds is over before"
            ),
            pytest.param(
                "allow", "FREQ=DAILY;BYHOUR=9", 7, (20, 12), (20, 16), id="a window that is allowed ends"
            ),
        ],
    )
    def test_it(self, kind: str, rule: str, hours: int, now: tuple[int, int], then: tuple[int, int]) -> None:
        freeze = Freeze("week", kind, parse(rule), timedelta(hours=hours), "UTC")  # type: ignore[arg-type]
        at, wanted = (datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in (now, then))
        assert next_freeze([freeze], at + timedelta(minutes=1), "shop") == wanted

    def test_other_services_and_no_freeze(self) -> None:
        other = Freeze("week", "deny", parse("FREQ=DAILY"), timedelta(hours=1), "UTC", services=("cart",))
        assert next_freeze([other], datetime(2026, 11, 20, 12, tzinfo=UTC), "shop") is None
        assert next_freeze([], datetime(2026, 11, 20, 12, tzinfo=UTC), "shop") is None
