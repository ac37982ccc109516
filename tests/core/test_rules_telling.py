"""A configuration in words: where each rule comes from, what a change changes for whom, and a rollout's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.rulebook import built_in
from bot.core.freezes import Override
from bot.core.rules import Checked, check
from bot.core.rules.calendar import calendar
from bot.core.rules.telling import changes, explain, span

SETS = built_in().sets
WHOLE = """\
version: 1
rules: standard
timezone: Europe/Berlin
permissions: {promote: [write, acme/sre], rollback: [triage]}
freezes:
  - {name: weekends, deny: "FREQ=WEEKLY;BYDAY=SA,SU", for: 24h}
services:
  checkout:
    file: apps/checkout/service.yaml
    rules: cautious
    gates: [error-rate]
    four-eyes: true
"""


def read(text: str, path: str = ".github/canary.yaml") -> Checked:
    text = text if text.startswith("version") else f"version: 1\n{text}"
    checked = check(text, SETS, path=path)
    assert checked.problems == ()
    return checked


class TestExplain:
    """Each rule with value and origin, file and line."""

    @pytest.mark.parametrize(
        ("service", "name", "value", "origin"),
        [
            pytest.param("checkout", "rules", "cautious", ".github/canary.yaml:10", id="of the service"),
            pytest.param("other", "rules", "standard", ".github/canary.yaml:2", id="of all"),
            pytest.param(
                "checkout",
                "bake at 50 %",
                "1 h, then error-rate, approval",
                "rules/cautious.yaml:13",
                id="set",
            ),
            pytest.param("checkout", "on-fail", "rollback", "rules/cautious.yaml:27", id="of the set, too"),
            pytest.param("checkout", "four-eyes", "yes", ".github/canary.yaml:12", id="a flag"),
            pytest.param("other", "four-eyes", "no", "default", id="by default"),
            pytest.param(
                "checkout", "file", "apps/checkout/service.yaml", ".github/canary.yaml:9", id="its file"
            ),
            pytest.param(
                None,
                "may promote",
                "everyone with the role write, team acme/sre",
                ".github/canary.yaml:4",
                id="who may",
            ),
            pytest.param(
                "checkout",
                "freeze weekends",
                "frozen every Sat, Sun at 00:00 for 1 d, Europe/Berlin",
                ".github/canary.yaml:6",
                id="a freeze",
            ),
        ],
    )
    def test_a_rule(self, service: str | None, name: str, value: str, origin: str) -> None:
        (found,) = (rule for rule in explain(read(WHOLE), service) if rule.name == name)
        assert found.value == value
        path, _, line = origin.rpartition(":")
        if path.startswith("rules/"):
            assert found.origin.startswith(path)
            assert found.origin.rpartition(":")[2].isdigit()
        else:
            assert found.origin == (f"{path}:{line}" if path else origin)

    def test_a_gate_of_the_repository_stands_before_that_of_the_set(self) -> None:
        text = "rules: cautious\ngates: {error-rate: {query: up, max: 0.5}}\n"
        (found,) = (rule for rule in explain(read(text)) if rule.name == "gate error-rate")
        assert (found.value, found.origin) == ("at most 0.5", ".github/canary.yaml:3")

    @pytest.mark.parametrize(
        ("seconds", "said"), [(0, "0 min"), (90, "1 min 30 s"), (5400, "1 h 30 min"), (86400, "1 d")]
    )
    def test_spans(self, seconds: int, said: str) -> None:
        assert span(timedelta(seconds=seconds)) == said


NIGHTS = 'freezes: [{name: nights, deny: "FREQ=DAILY;BYHOUR=22", for: 8h}]\n'


class TestChanges:
    """What a change of the file changes for whom, in words."""

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            pytest.param("", "# a comment\n\n", [], id="a comment"),
            pytest.param("", "rules: standard\ntimezone: UTC\n", [], id="what holds by default"),
            pytest.param(
                "",
                "permissions: {promote: [write, acme/sre]}\n",
                ["Team `acme/sre` may `promote` from now on."],
                id="a team gains a verb",
            ),
            pytest.param(
                "",
                "permissions: {promote: [codeowners, mona]}\n",
                [
                    "Who owns the manifest may `promote` from now on.",
                    "The user `mona` may `promote` from now on.",
                    "Everyone with the role `write` may not `promote` any more by that; "
                    "`the code owners`, `@mona` may.",
                ],
                id="a role loses a verb",
            ),
            pytest.param(
                "services: {shop: {file: a.yaml}}\n",
                "services: {shop: {file: a.yaml, permissions: {cancel: [admin]}}}\n",
                [
                    "Everyone with the role `admin` may `cancel` on `shop` from now on.",
                    "Everyone with the role `write` may not `cancel` on `shop` any more by that; "
                    "`everyone with the role admin` may.",
                ],
                id="on one service only",
            ),
            pytest.param(
                "",
                "rules: manual\n",
                [
                    "Every service follows `manual` instead of `standard`, which is looser: it bakes shorter at 1 %; "
                    "it bakes shorter at 5 %; it bakes shorter at 25 %; it bakes shorter at 50 %; it goes on after an "
                    "early merge."
                ],
                id="another rule set",
            ),
            pytest.param(
                "services: {a: {rules: fast}}\n",
                "services: {a: {rules: cautious}}\n",
                ["`a` follows `cautious` instead of `fast`."],
                id="of one service",
            ),
            pytest.param(
                "",
                "on-fail: rollback\n",
                [
                    "Every service: the rules change; stricter, for before it does not turn back when a gate fails."
                ],
                id="a key beside it",
            ),
            pytest.param(
                "",
                NIGHTS,
                ["A new freeze `nights` for every service: `frozen every day at 22:00 for 8 h, UTC`."],
                id="a new freeze",
            ),
            pytest.param(
                NIGHTS,
                NIGHTS.replace("8h", "6h"),
                [
                    "The freeze `nights`: `frozen every day at 22:00 for 6 h, UTC`, before `frozen every day at 22:00 "
                    "for 8 h, UTC`."
                ],
                id="a shorter freeze",
            ),
            pytest.param(
                NIGHTS,
                "",
                ["The freeze `nights` is gone: every service may go on in its time."],
                id="no freeze",
            ),
            pytest.param(
                "",
                "four-eyes: true\nservices: {a: {four-eyes: false}}\n",
                [
                    "Every service without its own word needs an approval by somebody who did not ask for the step."
                ],
                id="four eyes",
            ),
            pytest.param(
                "",
                "overlap: queue\nlabels: [canary]\nreviewers: [mona]\n",
                [
                    "A new rollout meets an unfinished one with `queue`, before with `supersede`.",
                    "The bot's pull requests get the labels `canary`, before nothing.",
                    "The bot asks `@mona` for reviews, before nothing.",
                ],
                id="the rest",
            ),
            pytest.param(
                "",
                "services: {a: {file: x.yaml, route: canary}}\n",
                [
                    "`a` is looked for in `x.yaml`, before in the whole repository.",
                    "`a` is moved at the rule `canary`, before at its only rule.",
                ],
                id="where a service is",
            ),
        ],
    )
    def test_a_change(self, before: str, after: str, said: list[str]) -> None:
        assert list(changes(read(before), read(after))) == said

    @given(
        st.sampled_from(["", NIGHTS, WHOLE, "rules: fast\n"]),
        st.sampled_from(["", NIGHTS, WHOLE, "auto: true\n"]),
    )
    def test_nothing_changes_exactly_where_the_values_are_the_same(self, before: str, after: str) -> None:
        old, new = read(before), read(after)
        assert (changes(old, new) == ()) == (old.config == new.config)


BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


class TestCalendar:
    """The calendar of a rollout under freezes, bakes and gates from a given start."""

    def rows(self, text: str, service: str, start: str, **options: object) -> list[tuple[int, str | None]]:
        checked = read(text)
        assert checked.config is not None
        found = calendar(
            checked.rules_of(service),
            checked.config.freezes,
            berlin(start),
            service,
            **options,  # type: ignore[arg-type]
        )
        return [(r.weight, r.at.astimezone(BERLIN).strftime("%m-%d %H:%M") if r.at else None) for r in found]

    def test_bakes_alone(self) -> None:
        assert self.rows("", "shop", "2026-03-05T10:00") == [
            (5, "03-05 10:00"),
            (25, "03-05 10:30"),
            (50, "03-05 11:00"),
            (100, "03-05 11:30"),
        ]

    def test_over_a_weekend_in_which_the_clock_changes(self) -> None:
        found = self.rows(WHOLE, "shop", "2026-03-27T23:00")
        assert found == [(5, "03-27 23:00"), (25, "03-27 23:30"), (50, "03-30 00:00"), (100, "03-30 00:30")]

    def test_a_start_inside_a_freeze_waits_too(self) -> None:
        assert self.rows(WHOLE, "shop", "2026-03-07T12:00")[0] == (5, "03-09 00:00")

    def test_an_override_lifts_the_freeze(self) -> None:
        lifted = [Override("weekends", berlin("2026-03-09T00:00"))]
        assert self.rows(WHOLE, "shop", "2026-03-07T12:00", overrides=lifted)[0] == (5, "03-07 12:00")

    def test_a_gate_needs_its_window_of_figures(self) -> None:
        text = "services: {shop: {gates: [slow]}}\ngates: {slow: {query: up, max: 1, window: 45m}}\n"
        assert self.rows(text, "shop", "2026-03-05T10:00")[:2] == [(5, "03-05 10:00"), (25, "03-05 10:45")]

    def test_steps_of_a_command(self) -> None:
        found = self.rows("", "shop", "2026-03-05T10:00", weights=(0, 40, 100))
        assert found == [(0, "03-05 10:00"), (40, "03-05 10:00"), (100, "03-05 10:30")]

    def test_it_ends_where_nothing_opens(self) -> None:
        text = 'freezes: [{name: once, allow: "FREQ=DAILY;COUNT=1", from: 2026-03-05, for: 20m}]\n'
        assert self.rows(text, "shop", "2026-03-05T01:10") == [(5, "03-05 01:10"), (25, None)]

    def test_who_acts(self) -> None:
        rows = calendar(SETS["fast"], (), berlin("2026-03-05T10:00"), "shop", weights=(0, 25, 50, 100))
        assert [row.alone for row in rows] == [False, False, True, True]

    @given(st.integers(0, 10**6), st.sampled_from(list(SETS)))
    def test_times_never_go_back(self, minutes: int, rules_id: str) -> None:
        checked = read(WHOLE)
        assert checked.config is not None
        start = berlin("2026-01-01T00:00") + timedelta(minutes=minutes)
        rows = calendar(SETS[rules_id], checked.config.freezes, start, "shop")
        times = [start, *(row.at for row in rows if row.at)]
        assert times == sorted(times)
        assert len(rows) == len(SETS[rules_id].steps)
        assert all(row.at is not None and row.at >= row.asked + row.bake for row in rows)
