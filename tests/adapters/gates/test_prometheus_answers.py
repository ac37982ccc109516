"""A Prometheus that is slow, down, or answers rubbish: inconclusive, and said in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.adapters.gates.asking import Asker
from bot.adapters.gates.prometheus import PrometheusGates
from bot.core.gates import Absolute, MetricGate, Outcome, Relative, Verdict
from bot.core.promql import Values, parse
from tests.adapters.gates.standin import Behaviour, StandIn, answer, outside, raw, reset, silence

NOW = datetime(2026, 11, 2, 14, 32, 5, 250_000, tzinfo=UTC)
GATE = MetricGate(
    "errors",
    "main",
    parse('a{x="{revision}"}'),
    Absolute(0.01),
    timedelta(minutes=5),
    parse('b{x="{revision}"}'),
    10,
)
V2 = Values("checkout", "checkout-v2", "checkout-v1")


def vector(*values: Any, **more: Any) -> Behaviour:
    result = [{"metric": {}, "value": [NOW.timestamp(), value]} for value in values]
    return answer({"status": "success", "data": {"resultType": "vector", "result": result}, **more})


FRESH = vector(str(NOW.timestamp() - 10))
ENOUGH = vector("100")


def judged(*behaviours: Behaviour, gate: MetricGate = GATE, values: Values = V2) -> tuple[Verdict, StandIn]:
    with StandIn(*behaviours) as server:
        settings = outside("prometheus", server.url(), timeout=0.4, longest=1.0, largest=100_000)
        return PrometheusGates(Asker(settings)).judge(gate, values, NOW), server


def said(data: Any, status: int = 200) -> Behaviour:
    return answer({"status": "success", "data": data}, status)


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        pytest.param(silence, "did not answer within 0.4 s", id="slow"),
        pytest.param(reset, "broke off", id="resets"),
        pytest.param(raw(b"garbage\r\n\r\n"), "does not speak HTTP", id="rubbish"),
        pytest.param(answer(b"<html>"), "no JSON", id="a page of a proxy"),
        pytest.param(answer(b"x" * 200_000), "larger than", id="large"),
        pytest.param(
            answer({}, 302, Location="http://127.0.0.1/"), "redirection", id="redirected to a login"
        ),
        pytest.param(answer(b"Unauthorized", 401), "refuses the bot's credentials (401)", id="401"),
        pytest.param(answer({"status": "error"}, 403), "refuses the bot's credentials (403)", id="403"),
        pytest.param(answer(b"no such page", 404), "answers with status 404", id="404"),
        pytest.param(answer(b"<html>", 502), "answers with status 502", id="502"),
        pytest.param(
            answer({"status": "error", "errorType": "timeout", "error": "query timed out"}, 503),
            "gave up on the query, which takes too long: `query timed out`.",
            id="takes too long",
        ),
        pytest.param(
            answer({"status": "error", "errorType": "new", "error": "@mona `x`"}, 500),
            "answers an error: `` @mona `x` ``.",
            id="an error that is not known, with live words",
        ),
        pytest.param(
            vector("0", warnings=["partial response: store x is down"]),
            "warns that the answer is not whole: `partial response: store x is down`.",
            id="a part of the answer",
        ),
        pytest.param(answer([]), "does not answer as Prometheus does", id="a list"),
        pytest.param(answer(None), "no JSON", id="null"),
        pytest.param(answer({"status": "success"}), "does not answer as Prometheus does", id="no data"),
        pytest.param(
            answer({"status": "success", "data": []}), "not answer as Prometheus", id="data of a list"
        ),
        pytest.param(said({"resultType": "streams", "result": []}), "not answer as Prometheus", id="Loki"),
        pytest.param(said({"resultType": "vector", "result": {}}), "not answer as Prometheus", id="no list"),
        pytest.param(
            said({"resultType": "vector", "result": [{}]}), "not answer with numbers", id="no value"
        ),
        pytest.param(
            said({"resultType": "vector", "result": [3]}), "not answer with numbers", id="no series"
        ),
        pytest.param(
            said({"resultType": "vector", "result": [{"histogram": [1, {}]}]}), "with numbers", id="histogram"
        ),
        pytest.param(said({"resultType": "matrix", "result": []}), "answers a matrix", id="matrix"),
        pytest.param(said({"resultType": "string", "result": [1, "1"]}), "answers a string", id="string"),
        pytest.param(vector(0), "does not answer with numbers", id="a number that is no text"),
        pytest.param(vector("0x1"), "does not answer with numbers", id="another spelling of numbers"),
        pytest.param(vector("1_0"), "does not answer with numbers", id="Python's spelling of numbers"),
        pytest.param(vector("１"), "does not answer with numbers", id="foreign digits"),
        pytest.param(
            said({"resultType": "scalar", "result": [1e300, "0"]}), "with numbers", id="a time beyond all"
        ),
        pytest.param(said({"resultType": "scalar", "result": [0, "0"]}), "stale", id="an answer of 1970"),
    ],
)
def test_inconclusive(behaviour: Behaviour, says: str) -> None:
    verdict, _ = judged(behaviour, FRESH, ENOUGH)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert says in verdict.reason


def test_down() -> None:
    with StandIn() as server:
        url = server.url()
    verdict = PrometheusGates(Asker(outside("prometheus", url))).judge(GATE, V2, NOW)
    assert (verdict.outcome, verdict.reason) == (Outcome.INCONCLUSIVE, "`main` cannot be reached.")
    assert verdict.query == 'a{x="checkout-v2"}'


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("0.01", Outcome.PASS),
        ("1e-05", Outcome.PASS),
        ("0.011", Outcome.FAIL),
        ("-Inf", Outcome.INCONCLUSIVE),
    ],
)
def test_good_answers(value: str, outcome: Outcome) -> None:
    verdict, server = judged(vector(value, infos=["just so"]), FRESH, ENOUGH)
    assert verdict.outcome is outcome
    asked = [parse_qs(urlsplit(head.split()[1]).query) for head in server.heads]
    assert [one["query"][0] for one in asked] == [
        'a{x="checkout-v2"}',
        'label_replace(max(timestamp(a{x="checkout-v2"})), "selector", "0", "", "")',
        'b{x="checkout-v2"}',
    ]
    # All of one judgement is about one moment, and the server gives up before the bot does.
    assert {one["time"][0] for one in asked} == {"1793629925.250"}
    assert {one["timeout"][0] for one in asked} == {"320ms"}


def test_a_scalar_is_a_number() -> None:
    scalar = said({"resultType": "scalar", "result": [NOW.timestamp(), "0"]})
    assert judged(scalar, FRESH, ENOUGH)[0].outcome is Outcome.PASS


def test_both_revisions_are_asked_about_the_same_moment() -> None:
    gate = replace(GATE, threshold=Relative(0.1))
    verdict, server = judged(vector("1"), FRESH, ENOUGH, vector("1"), FRESH, ENOUGH, gate=gate)
    assert verdict.outcome is Outcome.PASS
    assert sum("checkout-v1" in head for head in server.heads) == 3
    assert sum("time=1793629925.250" in head for head in server.heads) == 6


def test_absence_is_good_where_the_samples_show_that_somebody_looked() -> None:
    """A counter of panics is not there before the first one; the requests that were counted are."""
    verdict, server = judged(vector(), FRESH, ENOUGH, gate=replace(GATE, no_data="pass"))
    assert verdict.outcome is Outcome.PASS
    asked = [parse_qs(urlsplit(head.split()[1]).query)["query"][0] for head in server.heads]
    assert "timestamp(b{" in asked[1]


def test_one_question_to_a_server_that_does_not_answer() -> None:
    _, server = judged(answer({}, 500))
    assert server.connections == 1


def test_a_value_that_is_not_known() -> None:
    gate = replace(GATE, threshold=Relative(0.1))
    verdict, server = judged(vector("1"), FRESH, ENOUGH, gate=gate, values=Values("checkout", "checkout-v2"))
    assert (verdict.outcome, verdict.reason) == (
        Outcome.INCONCLUSIVE,
        "The query asks for `{revision}`, which is not known here.",
    )
    assert server.connections == 3


def test_a_server_that_nobody_has_named() -> None:
    verdict, server = judged(vector("1"), gate=replace(GATE, server="http://127.0.0.1"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "has named no prometheus endpoint `http://127.0.0.1`" in verdict.reason
    assert server.connections == 0
