"""What gates measured, as lines of a commit message, and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.gates import Outcome, Verdict
from bot.core.trailers import records
from bot.core.witness import Evidence, evidence_of, evidence_trailers

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GOOD = Verdict(
    "error-rate",
    Outcome.PASS,
    "Words of anybody.",
    NOON,
    value=0.002,
    threshold=0.01,
    samples=812.4,
    window=timedelta(minutes=15),
    query='up{a="b"}',
)


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        pytest.param(
            GOOD,
            "error-rate pass 0.002 <= 0.01 over 15m, 812 samples, at 2026-03-02T12:00:00Z",
            id="a metric that passes",
        ),
        pytest.param(
            Verdict("rate", Outcome.FAIL, "", NOON, value=3.0, threshold=5.0, side="least"),
            "rate fail 3 < 5, at 2026-03-02T12:00:00Z",
            id="less than at least",
        ),
        pytest.param(
            Verdict("e2e", Outcome.PASS, "All green.", NOON),
            "e2e pass, at 2026-03-02T12:00:00Z",
            id="no number",
        ),
        pytest.param(
            Verdict("rate", Outcome.INCONCLUSIVE, "", NOON, threshold=0.01, window=timedelta(hours=36)),
            "rate inconclusive <= 0.01 over 36h, at 2026-03-02T12:00:00Z",
            id="no answer",
        ),
    ],
)
def test_a_line_for_each(verdict: Verdict, line: str) -> None:
    assert evidence_trailers([verdict]) == (f"Canary-Evidence: {line}",)


def test_nothing_of_people_stands_in_it() -> None:
    (line,) = evidence_trailers([GOOD])
    assert "Words" not in line
    assert "up{" not in line
    assert evidence_trailers([Verdict("x\nCanary-Service: a#b", Outcome.PASS, "", NOON)]) == ()


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    outcome=st.sampled_from(Outcome),
    value=numbers,
    threshold=numbers,
    side=st.sampled_from(["most", "least"]),
    samples=st.none() | st.floats(0, 1e17),
    seconds=st.none() | st.integers(1, 10**7),
)
def test_what_is_written_is_read_again(  # noqa: PLR0917 - one verdict in its parts
    outcome: Outcome,
    value: float | None,
    threshold: float | None,
    side: Any,
    samples: float | None,
    seconds: int | None,
) -> None:
    window = None if seconds is None else timedelta(seconds=seconds)
    verdict = Verdict(
        "a-1", outcome, "", NOON, value=value, threshold=threshold, side=side, samples=samples, window=window
    )
    message = "Subject\n\n" + "\n".join(evidence_trailers([verdict, GOOD]))
    first, second = evidence_of(message)
    count = None if samples is None else math.floor(samples)
    read_side: Any = side if threshold is not None else "most"
    assert first == Evidence("a-1", outcome, NOON, value, threshold, read_side, window, count)
    assert second.gate == "error-rate"
    assert records(message) == ()


@pytest.mark.parametrize(
    "line",
    [
        "Canary-Evidence: ",
        "Canary-Evidence: error-rate passed, at 2026-03-02T12:00:00Z",
        "Canary-Evidence: error-rate pass, at 2026-13-02T12:00:00Z",
        "Canary-Evidence: error-rate pass 1e999999 <= 1, at 2026-03-02T12:00:00Z",
        "Canary-Evidence: Error Rate pass, at 2026-03-02T12:00:00Z",
        "Canary-Evidence: error-rate pass, at 2026-03-02T12:00:00Z and more",
    ],
)
def test_what_is_not_whole_is_left_out(line: str) -> None:
    assert evidence_of(f"Subject\n\n{line}\n") == ()
