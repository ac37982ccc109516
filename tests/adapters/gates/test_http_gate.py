"""A URL that the operator has named answers a verdict, or a number against a limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.gates.asking import Asker
from bot.adapters.gates.http import HttpGates, pointed
from bot.core.gates import Absolute, HttpGate, NoData, Outcome, Verdict
from bot.core.promql import Values
from tests.adapters.gates.standin import Behaviour, StandIn, answer, outside, silence

NOW = datetime(2026, 11, 2, 14, 32, 5, tzinfo=UTC)
V2 = Values("checkout", "checkout-v2", "checkout-v1")
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
WORD = HttpGate("slo", "main")
NUMBER = HttpGate("budget", "main", value="/a/1", threshold=Absolute(0.1), unit="ratio")
COUNTED = replace(NUMBER, value="/v", samples="/n", min_samples=100)


def judged(
    gate: HttpGate, behaviour: Behaviour, path: str = "/v1", values: Values = V2
) -> tuple[Verdict, StandIn]:
    with StandIn(behaviour) as server:
        settings = outside("http", server.url(path), timeout=0.3)
        return HttpGates(Asker(settings)).judge(gate, values, NOW), server


@pytest.mark.parametrize(
    ("gate", "body", "outcome", "says"),
    [
        pytest.param(WORD, {"verdict": "pass"}, PASS, "`main` says `pass`.", id="pass"),
        pytest.param(WORD, {"verdict": "fail"}, FAIL, "`main` says `fail`.", id="fail"),
        pytest.param(
            WORD, {"verdict": "inconclusive"}, INCONCLUSIVE, "says `inconclusive`", id="inconclusive"
        ),
        pytest.param(
            WORD,
            {"verdict": "fail", "reason": "budget\nof @mona"},
            FAIL,
            "`fail`. `budget of @mona`",
            id="reason",
        ),
        pytest.param(WORD, {"verdict": "PASS"}, INCONCLUSIVE, "there is `PASS`, and not", id="in capitals"),
        pytest.param(WORD, {"verdict": True}, INCONCLUSIVE, "there is `True`, and not", id="true"),
        pytest.param(WORD, {"verdict": ["pass"]}, INCONCLUSIVE, "and not `pass`", id="a list"),
        pytest.param(WORD, {"ok": 1}, INCONCLUSIVE, "there is nothing", id="nothing"),
        pytest.param(WORD, "pass", INCONCLUSIVE, "there is nothing", id="a word by itself"),
        pytest.param(replace(WORD, verdict=""), "pass", PASS, "says `pass`", id="a word by itself, as named"),
        pytest.param(
            replace(WORD, samples="/n", min_samples=9),
            {"verdict": "pass", "n": 8},
            INCONCLUSIVE,
            "Only 8",
            id="few",
        ),
        pytest.param(NUMBER, {"a": [1, 0.1]}, PASS, "10 % is at most 10 %.", id="number"),
        pytest.param(NUMBER, {"a": [1, 0.2]}, FAIL, "20 % is more than 10 %.", id="too large"),
        pytest.param(NUMBER, {"a": [1, "0.1"]}, INCONCLUSIVE, "no finite number", id="a number in a text"),
        pytest.param(NUMBER, {"a": [1, True]}, INCONCLUSIVE, "no finite number", id="true is no number"),
        pytest.param(NUMBER, b'{"a": [1, 1e999]}', INCONCLUSIVE, "no finite number", id="beyond all numbers"),
        pytest.param(NUMBER, {"a": [1, 10**400]}, INCONCLUSIVE, "no finite number", id="a long number"),
        pytest.param(NUMBER, {"a": [1]}, INCONCLUSIVE, "There is no data.", id="no number"),
        pytest.param(NUMBER, {"a": [1, None]}, INCONCLUSIVE, "There is no data.", id="null"),
        pytest.param(COUNTED, {"v": 0, "n": 100}, PASS, "at most", id="enough samples"),
        pytest.param(COUNTED, {"v": 0.5, "n": 99}, INCONCLUSIVE, "Only 99 of 100", id="too few samples"),
        pytest.param(COUNTED, {"v": 0}, INCONCLUSIVE, "no count of samples at `/n`", id="no count"),
        pytest.param(
            COUNTED, {"v": 0, "n": "100"}, INCONCLUSIVE, "no count of samples", id="count in a text"
        ),
        pytest.param(
            replace(COUNTED, no_data="pass"),
            {"n": 5},
            INCONCLUSIVE,
            "Only 5",
            id="absence, and nobody looked",
        ),
    ],
)
def test_answers(gate: HttpGate, body: Any, outcome: Outcome, says: str) -> None:
    verdict, _ = judged(gate, answer(body))
    assert verdict.outcome is outcome
    assert says in verdict.reason


@pytest.mark.parametrize(("word", "outcome"), [("wait", INCONCLUSIVE), ("fail", FAIL), ("pass", PASS)])
def test_no_data(word: NoData, outcome: Outcome) -> None:
    assert judged(replace(NUMBER, no_data=word), answer({}))[0].outcome is outcome


@pytest.mark.parametrize("word", ["wait", "fail", "pass"])
@pytest.mark.parametrize("behaviour", [silence, answer({}, 500), answer(b"<html>"), answer({}, 302)])
def test_no_answer_is_never_a_pass(word: NoData, behaviour: Behaviour) -> None:
    assert judged(replace(NUMBER, no_data=word), behaviour)[0].outcome is INCONCLUSIVE


def test_the_evidence_names_no_host() -> None:
    verdict, server = judged(NUMBER, answer({"a": [0, 0]}), "/v1/{service}?of={candidate}&for={window}")
    assert verdict.query == "/v1/checkout?of=checkout-v2&for=15m"
    assert server.heads[0].startswith("GET /v1/checkout?of=checkout-v2&for=15m HTTP/1.1")
    assert (verdict.source, verdict.value, verdict.threshold) == ("main", 0.0, 0.1)


class TestValuesInTheUrl:
    """A value is one part of a path or of a query, whatever it holds."""

    @pytest.mark.parametrize("value", ["..", ".", "", "\ud800"])
    def test_refused(self, value: str) -> None:
        verdict, server = judged(WORD, answer({}), "/{candidate}", Values("checkout", value))
        assert verdict.outcome is INCONCLUSIVE
        assert server.connections == 0

    def test_a_name_that_is_none(self) -> None:
        verdict, server = judged(WORD, answer({}), "/{token}")
        assert verdict.reason == "The URL of `main` asks for `{token}`, which is not known here."
        assert server.connections == 0

    def test_a_host_takes_no_value(self) -> None:
        settings = outside("http", "http://{service}:1/")
        verdict = HttpGates(Asker(settings)).judge(WORD, Values("127.0.0.1", "x"), NOW)
        assert verdict.outcome is INCONCLUSIVE
        assert settings.faults() != ()

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ("../admin", "..%2Fadmin"),
            ("a?b#c", "a%3Fb%23c"),
            ("a&b=c", "a%26b%3Dc"),
            ("%2e%2e", "%252e%252e"),
        ],
    )
    def test_written(self, value: str, written: str) -> None:
        _, server = judged(WORD, answer({}), "/v1/{candidate}/x?y={candidate}", Values("checkout", value))
        assert server.heads[0].split(" ")[1] == f"/v1/{written}/x?y={written}"


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("", {"a": [{"b/c": 1, "d~e": 2}]}), ("/a/0/b~1c", 1), ("/a/0/d~0e", 2), ("/a/0", {"b/c": 1, "d~e": 2})],
)
def test_pointer(pointer: str, found: Any) -> None:
    assert pointed({"a": [{"b/c": 1, "d~e": 2}]}, pointer) == found


@given(
    st.recursive(
        st.integers() | st.text(max_size=2),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=2), x),
        max_leaves=8,
    ),
    st.text("/~01ab-", max_size=8),
)
def test_any_pointer_into_anything(data: Any, pointer: str) -> None:
    pointed(data, pointer)
