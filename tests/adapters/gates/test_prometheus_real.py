"""Gates against a real Prometheus that scrapes a real small service, which the test makes worse."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.gates.asking import Asker
from bot.adapters.gates.prometheus import PrometheusGates
from bot.core.gates import Absolute, MetricGate, NoData, Outcome, Relative, Verdict
from bot.core.promql import Values, literal, parse, pattern
from tests.adapters.gates.real import OLD, WEIRD, Prometheus, Shop, until
from tests.adapters.gates.standin import outside

if TYPE_CHECKING:
    from collections.abc import Iterator

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
WINDOW = timedelta(minutes=5)  # a scrape that is late on a busy machine does not matter
SHORT = timedelta(seconds=5)  # what is turned up shows soon
FRESH = timedelta(seconds=10)  # a busy machine scrapes late; the tests of age have series that are much older
RATE = parse(
    'sum(rate(http_requests_total{revision="{revision}",code=~"5.."}[{window}]))'
    ' / sum(rate(http_requests_total{revision="{revision}"}[{window}]))'
)
COUNT = parse('sum(increase(http_requests_total{revision="{revision}"}[{window}]))')
P90 = parse(
    'histogram_quantile(0.9, sum by (le) (rate(http_duration_seconds_bucket{revision="{revision}"}[{window}])))'
)
ERRORS = MetricGate("error-rate", "main", RATE, Absolute(0.05), SHORT, COUNT, 20, fresh=FRESH, unit="ratio")
LATENCY = MetricGate("latency", "main", P90, Relative(0.2), SHORT, COUNT, 20, fresh=FRESH, unit="s")
STEADY = replace(ERRORS, window=WINDOW)
V2 = Values("checkout", "checkout-v2", "checkout-v1", "shop")


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        shop.rate = {"checkout-v1": 100, "checkout-v2": 100, "checkout-gone": 100}
        shop.serve("checkout-idle", 5)
        shop.serve("checkout-rare")
        shop.serve(WEIRD)
        yield shop


@pytest.fixture(scope="module")
def asker(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    with Prometheus(tmp_path_factory.mktemp("prometheus"), shop) as server:
        yield Asker(outside("prometheus", server.url, timeout=5.0, longest=8.0))


@pytest.fixture(scope="module")
def gates(asker: Asker) -> PrometheusGates:
    gates = PrometheusGates(asker)
    until(lambda: judged(gates, ERRORS).outcome is PASS, "enough has been scraped")
    return gates


def judged(gates: PrometheusGates, gate: MetricGate, candidate: str = "checkout-v2") -> Verdict:
    return gates.judge(gate, replace(V2, candidate=candidate), datetime.now(UTC))


def becomes(
    gates: PrometheusGates, gate: MetricGate, outcome: Outcome, candidate: str = "checkout-v2"
) -> Verdict:
    found: list[Verdict] = []

    def done() -> bool:
        found.append(judged(gates, gate, candidate))
        return found[-1].outcome is outcome

    until(done, f"{gate.name} of {candidate} becomes {outcome}")
    return found[-1]


def test_errors_are_turned_up_and_down(gates: PrometheusGates, shop: Shop) -> None:
    verdict = becomes(gates, ERRORS, PASS)
    assert (verdict.value, verdict.threshold) == (0.0, 0.05)
    assert verdict.samples is not None
    assert verdict.samples > 20
    assert '{revision="checkout-v2",code=~"5.."}[5s]' in verdict.query
    shop.errors["checkout-v2"] = 0.5
    verdict = becomes(gates, ERRORS, FAIL)
    assert verdict.value is not None
    assert 0.05 < verdict.value <= 0.5
    assert verdict.reason.endswith("% is more than 5 %.")
    becomes(gates, ERRORS, PASS, "checkout-v1")
    shop.errors["checkout-v2"] = 0.0
    becomes(gates, ERRORS, PASS)


def test_latency_is_turned_up_next_to_stable(gates: PrometheusGates, shop: Shop) -> None:
    becomes(gates, LATENCY, PASS)
    shop.latency["checkout-v2"] = 0.7
    verdict = becomes(gates, LATENCY, FAIL)
    assert verdict.value is not None
    assert verdict.stable is not None
    assert verdict.threshold == pytest.approx(verdict.stable * 1.2)
    assert verdict.value > verdict.stable * 1.2
    # Stable becomes as slow: nothing is worse than it was.
    shop.latency["checkout-v1"] = 0.7
    becomes(gates, LATENCY, PASS)
    shop.latency.clear()


@pytest.mark.parametrize("word", ["wait", "fail", "pass"])
def test_no_data(word: NoData, gates: PrometheusGates) -> None:
    gate = replace(STEADY, no_data=word, samples=None, min_samples=0)
    wanted = {"wait": INCONCLUSIVE, "fail": FAIL, "pass": PASS}[word]
    verdict = judged(gates, gate, "checkout-v9")
    assert (verdict.outcome, verdict.value) == (wanted, None)
    assert verdict.reason.startswith("There is no data")


def test_no_data_and_nobody_who_looked(gates: PrometheusGates) -> None:
    verdict = judged(gates, replace(STEADY, no_data="pass"), "checkout-v9")
    assert verdict.outcome is INCONCLUSIVE


def test_no_data_where_absence_is_good(gates: PrometheusGates) -> None:
    query = parse('sum(rate(http_panics_total{revision="{revision}"}[{window}]))')
    assert judged(gates, replace(STEADY, query=query, no_data="pass")).outcome is PASS


def test_nothing_divided_by_nothing(gates: PrometheusGates) -> None:
    verdict = judged(gates, replace(STEADY, min_samples=0), "checkout-idle")
    assert (verdict.outcome, verdict.value, verdict.reason) == (INCONCLUSIVE, None, "The value is NaN.")


@pytest.mark.parametrize(("name", "says"), [("nan", "The value is NaN."), ("inf", "The value is infinite.")])
def test_odd_numbers(name: str, says: str, gates: PrometheusGates) -> None:
    gate = MetricGate(
        "odd", "main", parse('odd_number{revision="{revision}"}'), Absolute(1e9), WINDOW, fresh=FRESH
    )
    verdict = judged(gates, gate, name)
    assert (verdict.outcome, verdict.reason) == (INCONCLUSIVE, says)


def test_too_few_samples(gates: PrometheusGates) -> None:
    verdict = judged(gates, STEADY, "checkout-rare")
    assert (verdict.outcome, verdict.reason) == (INCONCLUSIVE, "Only 0 of 20 samples.")


def test_two_series(gates: PrometheusGates) -> None:
    query = parse('rate(http_requests_total{revision="{revision}"}[{window}])')
    verdict = judged(gates, replace(STEADY, query=query))
    assert (verdict.outcome, verdict.reason) == (
        INCONCLUSIVE,
        "The query answers 2 series, and it must answer one.",
    )


def test_a_series_that_ends_is_stale_while_its_rate_goes_on(gates: PrometheusGates, shop: Shop) -> None:
    becomes(gates, STEADY, PASS, "checkout-gone")
    shop.hidden.add("checkout-gone")
    verdict = becomes(gates, STEADY, INCONCLUSIVE, "checkout-gone")
    assert verdict.value == 0.0
    assert verdict.reason == "The samples are stale: no series that the query reads goes on."


def test_a_sample_with_an_old_time_is_stale(gates: PrometheusGates) -> None:
    query = parse('batch_errors{revision="{revision}"}')
    gate = MetricGate("batch", "main", query, Absolute(0), WINDOW, fresh=FRESH)
    verdict = judged(gates, gate)
    assert (verdict.outcome, verdict.value) == (INCONCLUSIVE, 0.0)
    age = re.fullmatch(
        r"The samples are stale: the newest of a series is (\d+) (s|min) old\.", verdict.reason
    )
    assert age is not None
    assert int(age[1]) * (60 if age[2] == "min" else 1) >= OLD
    assert judged(gates, replace(gate, fresh=timedelta(minutes=5))).outcome is PASS


def test_a_query_that_prometheus_does_not_understand(gates: PrometheusGates) -> None:
    verdict = judged(gates, replace(STEADY, query=parse('sum(a{x="{revision}"}')))
    assert verdict.outcome is INCONCLUSIVE
    assert verdict.reason.startswith("`main` does not understand the query: `")


def test_a_query_that_cannot_be_carried_out(gates: PrometheusGates) -> None:
    query = parse('http_requests_total{revision="{revision}"} + on (job) http_requests_total')
    verdict = judged(gates, replace(STEADY, query=query))
    assert verdict.outcome is INCONCLUSIVE
    assert verdict.reason.startswith("`main` cannot carry out the query: `")


@pytest.mark.parametrize(("query", "kind"), [('a{x="{revision}"}[5m]', "matrix")])
def test_what_is_no_number(query: str, kind: str, gates: PrometheusGates) -> None:
    verdict = judged(gates, replace(STEADY, query=parse(query)))
    assert verdict.reason == f"The query answers a {kind}, and it must answer one number."


def test_a_name_with_everything_in_it_finds_its_series(gates: PrometheusGates) -> None:
    query = parse("http_requests_total{revision='{revision}',code=`200`}")
    gate = MetricGate("weird", "main", query, Absolute(1), WINDOW, fresh=FRESH)
    assert judged(gates, gate, WEIRD).value == 1.0
    assert judged(gates, replace(gate, query=parse(query.text.replace("='", "=~'", 1))), WEIRD).value == 1.0


NASTY = st.text(
    st.one_of(
        st.sampled_from("\"'`\\\n\r\t\0{}[]()=~!,#|.*+?$^u0x1nU "),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=30,
)
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestParserOfPrometheus:
    """The same properties as in the core, with Prometheus itself as the reader."""

    @FEW
    @given(value=NASTY)
    def test_a_literal_means_the_value(self, asker: Asker, value: str) -> None:
        told = asker.ask(asker.endpoint("prometheus", "main"), "/api/v1/query", {"query": literal(value)})
        assert told.data["data"]["resultType"] == "string"
        assert told.data["data"]["result"][1] == value

    @FEW
    @given(value=NASTY)
    def test_a_pattern_matches_its_value(self, asker: Asker, value: str) -> None:
        # label_replace changes the label only where the whole of it matches; the test writes the query.
        inner = f'label_replace(vector(1), "a", {literal(value.replace("$", "$$"))}, "", "")'
        query = f'label_replace({inner}, "hit", "yes", "a", {pattern(value)})'
        told = asker.ask(asker.endpoint("prometheus", "main"), "/api/v1/query", {"query": query})
        (one,) = told.data["data"]["result"]
        assert one["metric"].get("a", "") == value
        assert one["metric"].get("hit") == "yes"

    @FEW
    @given(first=NASTY, second=NASTY)
    def test_no_value_changes_the_tree(self, asker: Asker, first: str, second: str) -> None:
        """Prometheus prints the tree that it has read; but for the literals it is the same for all values."""
        text = "sum by (code) (rate(a{x=\"{candidate}\",y=~'{stable}.*',z!=`{candidate}`}[{window}])) / b > 1"
        trees = []
        for values in (Values("s", first, second), Values("s", "plain", "plain")):
            query = parse(text).fill(values, revision=values.candidate, window=WINDOW)
            told = asker.ask(asker.endpoint("prometheus", "main"), "/api/v1/format_query", {"query": query})
            assert told.good, told.data
            # Long ones are printed over several lines.
            trees.append("".join(re.sub(r'"(?:[^"\\]|\\.)*"', '""', told.data["data"]).split()))
        assert trees[0] == trees[1]

    def test_the_query_for_ages_is_understood(self, gates: PrometheusGates, asker: Asker) -> None:
        query = RATE.newest(V2, revision="checkout-v2", window=WINDOW)
        reading = gates.query(asker.endpoint("prometheus", "main"), query, datetime.now(UTC))
        assert isinstance(reading, tuple)
        assert len(reading) == 2
