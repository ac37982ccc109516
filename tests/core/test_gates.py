"""A gate answers pass, fail or inconclusive, with evidence; inconclusive never promotes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core.gate_evidence import evidence, record
from bot.core.gates import (
    Absolute,
    GitHubGate,
    HttpGate,
    Measured,
    MetricGate,
    NoData,
    Outcome,
    Point,
    Reading,
    Relative,
    Unanswered,
    Verdict,
    judge,
    overall,
    shown,
    span,
)
from bot.core.problems import Declined
from bot.core.promql import parse

NOW = datetime(2026, 11, 2, 14, 32, 5, tzinfo=UTC)
QUERY = parse('errors{revision="{revision}"} / requests{revision="{revision}"}')
SAMPLES = parse('requests{revision="{revision}"}')
WINDOW = timedelta(minutes=15)
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
RATE = MetricGate("error-rate", "main", QUERY, Absolute(0.01), WINDOW, SAMPLES, 100, unit="ratio")
LATENCY = MetricGate("latency", "main", QUERY, Relative(0.2), WINDOW, unit="ms")


def one(*values: float, at: datetime = NOW) -> Reading:
    return tuple(Point(value, at) for value in values)


def seen(*ages: float) -> Reading:
    """Samples that are so many seconds old."""
    return one(*(NOW.timestamp() - age for age in ages))


def measured(
    value: Reading | float, samples: Reading | float | None = 500.0, ages: Reading | None = None
) -> Measured:
    return Measured(
        'errors{revision="checkout-v2"}',
        one(value) if isinstance(value, float) else value,
        seen(10) if ages is None else ages,
        one(samples) if isinstance(samples, float) else samples,
    )


def judged(value: Reading | float, *rest: Any, gate: MetricGate = RATE) -> Verdict:
    return judge(gate, measured(value, *rest), None, NOW)


DOWN = Unanswered("`main` cannot be reached.")


class TestAbsolute:
    @pytest.mark.parametrize(
        ("facts", "outcome", "reason"),
        [
            pytest.param((0.002,), PASS, "0.2 % is at most 1 %.", id="below the limit"),
            pytest.param((0.01,), PASS, "1 % is at most 1 %.", id="the limit is allowed"),
            pytest.param((0.024,), FAIL, "2.4 % is more than 1 %.", id="above the limit"),
            pytest.param(
                (0.01 + 1e-9,), FAIL, "0.010000001 is more than 0.01.", id="above by less than the eye sees"
            ),
            pytest.param(((),), INCONCLUSIVE, "There is no data.", id="no data"),
            pytest.param((one(0.0, 0.5),), INCONCLUSIVE, "2 series", id="several series"),
            pytest.param((math.nan,), INCONCLUSIVE, "NaN", id="NaN"),
            pytest.param((math.inf,), INCONCLUSIVE, "infinite", id="infinity"),
            pytest.param((-math.inf,), INCONCLUSIVE, "infinite", id="minus infinity is not below the limit"),
            pytest.param((0.0, 37.4), INCONCLUSIVE, "Only 37 of 100 samples.", id="too few samples"),
            pytest.param((0.9, 37.4), INCONCLUSIVE, "Only 37", id="too few samples do not fail either"),
            pytest.param((math.nan, 0.0), INCONCLUSIVE, "Only 0 of", id="nobody asks: said before NaN"),
            pytest.param((0.0, ()), INCONCLUSIVE, "Only 0 of 100", id="no count of samples"),
            pytest.param((0.0, math.nan), INCONCLUSIVE, "count of samples is NaN", id="NaN samples"),
            pytest.param(
                (0.0, math.inf), INCONCLUSIVE, "count of samples is infinite", id="infinite samples"
            ),
            pytest.param((0.0, one(90.0, 90.0)), INCONCLUSIVE, "2 series", id="two counts of samples"),
            pytest.param((0.0, 100.0), PASS, "at most", id="just enough samples"),
            pytest.param((0.0, 500.0, seen(121)), INCONCLUSIVE, "121 s old", id="stale samples"),
            pytest.param((0.0, 500.0, seen(120)), PASS, "at most", id="samples just fresh"),
            pytest.param(
                (0.0, 500.0, seen(5, 300)), INCONCLUSIVE, "5 min old", id="one series of two is stale"
            ),
            pytest.param((0.0, 500.0, ()), INCONCLUSIVE, "stale", id="the series have ended"),
            pytest.param((0.0, 500.0, one(math.nan)), INCONCLUSIVE, "stale", id="samples of no age"),
            pytest.param(
                (0.5, 500.0, seen(999)), INCONCLUSIVE, "stale", id="stale samples do not fail either"
            ),
            pytest.param(
                (one(0.0, at=NOW - timedelta(hours=1)),), INCONCLUSIVE, "stale", id="an answer from a cache"
            ),
            pytest.param((DOWN,), INCONCLUSIVE, "cannot be reached", id="no answer"),
            pytest.param((0.0, DOWN), INCONCLUSIVE, "cannot be reached", id="no answer about samples"),
            pytest.param((0.0, 500.0, DOWN), INCONCLUSIVE, "cannot be reached", id="no answer about age"),
        ],
    )
    def test_table(self, facts: tuple[Any, ...], outcome: Outcome, reason: str) -> None:
        verdict = judged(*facts)
        assert verdict.outcome is outcome
        assert reason in verdict.reason

    def test_at_least(self) -> None:
        gate = replace(RATE, threshold=Absolute(0.99, "least"))
        assert judged(0.99, gate=gate).outcome is PASS
        assert judged(0.98, gate=gate).reason == "98 % is less than 99 %."

    def test_evidence_is_complete(self) -> None:
        verdict = judged(0.024)
        assert verdict == Verdict(
            gate="error-rate",
            outcome=FAIL,
            reason="2.4 % is more than 1 %.",
            at=NOW,
            source="main",
            value=0.024,
            threshold=0.01,
            samples=500.0,
            min_samples=100,
            query='errors{revision="checkout-v2"}',
            window=WINDOW,
            unit="ratio",
        )


class TestNoData:
    """`no-data: wait|fail|pass` is about an absent series, and about nothing else."""

    @pytest.mark.parametrize(("word", "outcome"), [("wait", INCONCLUSIVE), ("fail", FAIL), ("pass", PASS)])
    def test_word(self, word: NoData, outcome: Outcome) -> None:
        assert judged((), gate=replace(RATE, no_data=word)).outcome is outcome

    @pytest.mark.parametrize("word", ["wait", "fail", "pass"])
    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param((math.nan,), id="NaN"),
            pytest.param((one(0.0, 0.0),), id="several series"),
            pytest.param((DOWN,), id="no answer"),
            pytest.param((0.0, 3.0), id="too few samples"),
            pytest.param((0.0, 500.0, seen(999)), id="stale"),
        ],
    )
    def test_the_rest_stays_inconclusive(self, word: NoData, facts: tuple[Any, ...]) -> None:
        assert judged(*facts, gate=replace(RATE, no_data=word)).outcome is INCONCLUSIVE

    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param(((), 3.0), id="too few samples"),
            pytest.param(((), 500.0, seen(999)), id="stale samples"),
            pytest.param(((), 500.0, ()), id="the samples' series has ended"),
        ],
    )
    def test_absence_is_good_only_where_somebody_looked(self, facts: tuple[Any, ...]) -> None:
        assert judged(*facts, gate=replace(RATE, no_data="pass")).outcome is INCONCLUSIVE

    def test_without_samples_absence_passes_as_told(self) -> None:
        gate = replace(LATENCY, threshold=Absolute(1.0), no_data="pass")
        assert judged((), None, (), gate=gate).outcome is PASS


class TestRelative:
    """Relative to stable over the same window, with tolerance."""

    @pytest.mark.parametrize(
        ("value", "stable", "threshold", "outcome", "limit"),
        [
            pytest.param(120.0, 100.0, Relative(0.2), PASS, 120.0, id="just within the tolerance"),
            pytest.param(121.0, 100.0, Relative(0.2), FAIL, 120.0, id="beyond it"),
            pytest.param(0.0, 0.0, Relative(0.2), PASS, 0.0, id="nothing next to nothing"),
            pytest.param(0.001, 0.0, Relative(0.2), FAIL, 0.0, id="a part of nothing is nothing"),
            pytest.param(0.001, 0.0, Relative(0.2, slack=0.005), PASS, 0.005, id="slack"),
            pytest.param(90.0, 100.0, Relative(0.1, side="least"), PASS, 90.0, id="at least"),
            pytest.param(89.0, 100.0, Relative(0.1, side="least"), FAIL, 90.0, id="less than the least"),
            pytest.param(-9.0, -10.0, Relative(0.1), PASS, -9.0, id="a tolerance loosens below nothing too"),
            pytest.param(-8.0, -10.0, Relative(0.1), FAIL, -9.0, id="and not without an end"),
        ],
    )
    def test_table(
        self, value: float, stable: float, threshold: Relative, outcome: Outcome, limit: float
    ) -> None:
        gate = replace(LATENCY, threshold=threshold)
        verdict = judge(gate, measured(value, None), measured(stable, None), NOW)
        assert (verdict.outcome, verdict.threshold, verdict.stable) == (outcome, limit, stable)
        assert f"Stable: {shown(stable, 'ms')}." in verdict.reason

    @pytest.mark.parametrize("word", ["wait", "fail", "pass"])
    @pytest.mark.parametrize(
        ("stable", "reason"),
        [
            pytest.param(None, "Nothing was measured.", id="not measured"),
            pytest.param(measured((), None), "There is no data.", id="no data"),
            pytest.param(measured(math.nan, None), "The value is NaN.", id="NaN"),
            pytest.param(measured(1.0, None, seen(999)), "stale", id="stale"),
            pytest.param(measured(one(1.0, 2.0), None), "2 series", id="several series"),
            pytest.param(measured(DOWN, None), "cannot be reached", id="no answer"),
        ],
    )
    def test_nothing_to_compare_with(self, word: NoData, stable: Measured | None, reason: str) -> None:
        verdict = judge(replace(LATENCY, no_data=word), measured(1.0, None), stable, NOW)
        assert verdict.outcome is INCONCLUSIVE
        assert verdict.reason.startswith("Stable cannot be compared with. ")
        assert reason in verdict.reason

    def test_stable_needs_its_samples_too(self) -> None:
        gate = replace(RATE, threshold=Relative(0.2))
        verdict = judge(gate, measured(0.1), measured(0.1, 99.0), NOW)
        assert verdict.outcome is INCONCLUSIVE
        assert "Only 99 of 100" in verdict.reason

    def test_a_limit_beyond_all_numbers_is_none(self) -> None:
        verdict = judge(LATENCY, measured(1.0, None), measured(1.7e308, None), NOW)
        assert verdict.outcome is INCONCLUSIVE


class TestDefinitions:
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda: replace(RATE, samples=None), id="a count that nobody counts"),
            pytest.param(lambda: replace(RATE, min_samples=-1), id="less than no samples"),
            pytest.param(
                lambda: replace(LATENCY, query=parse('a{x="{candidate}"}')),
                id="compares, and asks only of one",
            ),
            pytest.param(
                lambda: replace(LATENCY, samples=parse("a")), id="compares, and counts only for both together"
            ),
            pytest.param(lambda: Absolute(math.nan), id="NaN as a limit"),
            pytest.param(lambda: Relative(math.inf), id="endless tolerance"),
            pytest.param(lambda: Relative(-0.1), id="negative tolerance"),
            pytest.param(lambda: GitHubGate("ci"), id="asks for nothing"),
            pytest.param(lambda: GitHubGate("ci", ("",)), id="asks for a check without a name"),
            pytest.param(lambda: HttpGate("slo", "slo", value="value"), id="no JSON pointer"),
            pytest.param(lambda: HttpGate("slo", "slo", min_samples=5), id="samples from nowhere"),
        ],
    )
    def test_refused(self, make: Any) -> None:
        with pytest.raises(Declined) as declined:
            make()
        assert [p.code for p in declined.value.problems] == ["config-invalid"]


numbers = st.floats(allow_nan=True, allow_infinity=True)
readings = st.one_of(st.just(DOWN), st.lists(numbers, max_size=3).map(lambda values: one(*values)))
ages = st.one_of(st.just(DOWN), st.lists(st.floats(-10, 400), max_size=3).map(lambda values: seen(*values)))
measurements = st.builds(Measured, st.just("query"), readings, ages, readings)
thresholds = st.one_of(
    st.builds(Absolute, st.floats(-10, 10), st.sampled_from(["most", "least"])),
    st.builds(Relative, st.floats(0, 2), st.floats(0, 1), st.sampled_from(["most", "least"])),
)


class TestNeverPromotes:
    """Exactly one finite, fresh sample that rests on enough may pass, and nothing else."""

    @given(measurements, st.none() | measurements, thresholds, st.integers(0, 100))
    def test_pass_rests_on_a_good_measurement(
        self, candidate: Measured, stable: Measured | None, threshold: Absolute | Relative, least: int
    ) -> None:
        gate = replace(RATE, threshold=threshold, min_samples=least)
        verdict = judge(gate, candidate, stable, NOW)
        believed = [candidate] if isinstance(threshold, Absolute) else [candidate, stable]
        good = all(m is not None and self.is_good(m, least) for m in believed)
        if not good:
            assert verdict.outcome is INCONCLUSIVE
        elif verdict.outcome is not INCONCLUSIVE:
            assert verdict.value is not None
            assert verdict.threshold is not None
            within = (
                verdict.value <= verdict.threshold
                if threshold.side == "most"
                else verdict.value >= verdict.threshold
            )
            assert verdict.outcome is (PASS if within else FAIL)
        json.dumps(record(verdict), allow_nan=False)

    @staticmethod
    def is_good(measured: Measured, least: int) -> bool:
        value, ages, samples = measured.value, measured.seen, measured.samples
        if isinstance(value, Unanswered) or isinstance(ages, Unanswered) or isinstance(samples, Unanswered):
            return False
        fresh = bool(ages) and all(NOW.timestamp() - point.value <= 120 for point in ages)
        counted = not least or (
            samples is not None
            and len(samples) == 1
            and math.isfinite(samples[0].value)
            and samples[0].value >= least
        )
        return len(value) == 1 and math.isfinite(value[0].value) and fresh and counted

    @pytest.mark.parametrize(
        ("outcomes", "worst"),
        [
            pytest.param([], PASS, id="no gates"),
            pytest.param([PASS, PASS], PASS, id="all pass"),
            pytest.param([PASS, INCONCLUSIVE], INCONCLUSIVE, id="one is not sure"),
            pytest.param([INCONCLUSIVE, FAIL, PASS], FAIL, id="one fails"),
        ],
    )
    def test_overall(self, outcomes: list[Outcome], worst: Outcome) -> None:
        assert overall(Verdict("gate", outcome, "", NOW) for outcome in outcomes) is worst


class TestWords:
    @pytest.mark.parametrize(
        ("number", "unit", "text"),
        [
            (0.024, "ratio", "2.4 %"),
            (0.35, "s", "0.35 s"),
            (120.0, "ms", "120 ms"),
            (123456.0, "", "123456"),
            (0.0, "ratio", "0 %"),
            (1e30, "", "1e+30"),
            (None, "", "none"),
        ],
    )
    def test_shown(self, number: float | None, unit: Any, text: str) -> None:
        assert shown(number, unit) == text

    @pytest.mark.parametrize(
        ("seconds", "text"), [(900, "15 min"), (90, "90 s"), (7200, "2 h"), (0.5, "0.5 s")]
    )
    def test_span(self, seconds: float, text: str) -> None:
        assert span(timedelta(seconds=seconds)) == text

    def test_evidence(self) -> None:
        assert evidence([judged(0.024), judged(0.0, 37.0)]).split("\n") == [
            "| gate | verdict | value | threshold | samples | window | at |",
            "|---|---|---|---|---|---|---|",
            "| `error-rate` | ❌ fail | 2.4 % | ≤ 1 % | 500, want 100 | 15 min | 2026-11-02 14:32:05 UTC |",
            "| `error-rate` | ⏳ inconclusive | 0 % | ≤ 1 % | 37, want 100 | 15 min | 2026-11-02 14:32:05 UTC |",
            "",
            "- `error-rate`: 2.4 % is more than 1 %.",
            "- `error-rate`: Only 37 of 100 samples.",
            "",
            "<details><summary>What was asked</summary>",
            "",
            "`error-rate` at `main`",
            "",
            "```text",
            'errors{revision="checkout-v2"}',
            "```",
            "",
            "`error-rate` at `main`",
            "",
            "```text",
            'errors{revision="checkout-v2"}',
            "```",
            "",
            "</details>",
        ]

    def test_no_evidence(self) -> None:
        assert evidence([]) == ""

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_nothing_foreign_is_live(self, name: str, query: str) -> None:
        page = evidence([replace(judged(0.024), gate=name + "@mona", source=name, query=query + "@mona")])
        for token in MarkdownIt("commonmark").enable("table").parse(page):
            for child in token.children or ():
                assert "@mona" not in child.content or child.type == "code_inline"
