"""Prometheus: what the query of a gate says of a revision at a moment.

An instant query gives a computed value the time that was asked for, also when nothing has been scraped for minutes;
so the times of the samples are asked for in a question of their own. Warnings mean that the answer is not the whole
one (Thanos, remote read), and count as no answer.

Source: Prometheus, "HTTP API": ``/api/v1/query``, ``status``, ``errorType``, ``warnings``, result types; a 503 is a
query that was given up, a 422 one that cannot be carried out, a 400 one that is not understood.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.adapters.gates.hosts import Endpoint, Unasked
from bot.core.gates import Measured, MetricGate, Outcome, Point, Reading, Relative, Unanswered, Verdict, judge
from bot.core.problems import Declined
from bot.core.text import code

if TYPE_CHECKING:
    from bot.adapters.gates.asking import Asker, Told
    from bot.core.promql import Values

_PATH = "/api/v1/query"
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,3})?|Inf)|NaN", re.ASCII)
_ERRORS = {
    "bad_data": "does not understand the query",
    "execution": "cannot carry out the query",
    "timeout": "gave up on the query, which takes too long",
    "canceled": "gave up on the query",
    "unavailable": "is not ready",
    "not_found": "does not find what is asked for",
    "internal": "has a fault of its own",
}
_LONGEST_RESULT = 10_000  # series; the size of the answer is capped before


class PrometheusGates:
    """Judges metric gates. Safe to share between threads."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def judge(self, gate: MetricGate, values: Values, at: datetime) -> Verdict:
        """Measure and judge one gate as of ``at``; every trouble is an inconclusive verdict, none an exception."""
        try:
            endpoint = self._asker.endpoint("prometheus", gate.server)
            candidate = self._measure(endpoint, gate, values, values.candidate, at)
            stable = None
            if isinstance(gate.threshold, Relative):
                stable = self._measure(endpoint, gate, values, values.stable, at)
        except Unasked as failure:
            reason = failure.reason
        except Declined as declined:
            reason = declined.problems[0].message
        else:
            return judge(gate, candidate, stable, at)
        return Verdict(
            gate.name,
            Outcome.INCONCLUSIVE,
            reason,
            at,
            source=gate.server,
            query=gate.query.text,
            window=gate.window,
            unit=gate.unit,
            min_samples=gate.min_samples,
        )

    def query(self, endpoint: Endpoint, query: str, at: datetime) -> Reading:
        """Ask one instant query as of ``at``, and give its points, in no order."""
        form = {
            "query": query,
            "time": f"{at.timestamp():.3f}",
            "timeout": f"{max(1, int(self._asker.outside.timeout * 1000 * 0.8))}ms",
        }
        try:
            told = self._asker.ask(endpoint, _PATH, form)
        except Unasked as failure:
            return Unanswered(failure.reason)
        return self._reading(endpoint, told)

    def _measure(
        self, endpoint: Endpoint, gate: MetricGate, values: Values, revision: str, at: datetime
    ) -> Measured:
        query = gate.query.fill(values, revision=revision, window=gate.window)
        seen = gate.query.newest(values, revision=revision, window=gate.window)
        counted = (
            gate.samples.fill(values, revision=revision, window=gate.window)
            if gate.samples is not None
            else None
        )
        value = self.query(endpoint, query, at)
        if isinstance(value, Unanswered):
            return Measured(query, value, value, value)  # the rest of the questions would only be a burden
        if not value and gate.samples is not None:
            # Nothing to be old; but somebody may have to have looked, when absence is good.
            seen = gate.samples.newest(values, revision=revision, window=gate.window)
        return Measured(
            query,
            value,
            self.query(endpoint, seen, at),
            self.query(endpoint, counted, at) if counted is not None else None,
        )

    def _reading(self, endpoint: Endpoint, told: Told) -> Reading:
        name = code(endpoint.name)
        data = told.data if isinstance(told.data, dict) else {}
        if told.status in {401, 403}:
            return Unanswered(f"{name} refuses the bot's credentials ({told.status}).")
        if data.get("status") == "error":
            error = _ERRORS.get(str(data.get("errorType")), "answers an error")
            return Unanswered(f"{name} {error}: {self._asker.said(data.get('error', ''))}.")
        if not told.good:
            return Unanswered(f"{name} answers with status {told.status}.")
        warnings = data.get("warnings")
        if warnings:
            first = warnings[0] if isinstance(warnings, list) else warnings
            return Unanswered(f"{name} warns that the answer is not whole: {self._asker.said(first)}.")
        result = data.get("data")
        if data.get("status") != "success" or not isinstance(result, dict):
            return Unanswered(f"{name} does not answer as Prometheus does.")
        kind, series = result.get("resultType"), result.get("result")
        if kind in {"matrix", "string"}:
            return Unanswered(f"The query answers a {kind}, and it must answer one number.")
        try:
            if kind == "scalar":
                return (_point(series),)
            if kind == "vector" and isinstance(series, list) and len(series) <= _LONGEST_RESULT:
                return tuple(_point(one["value"]) for one in series)
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            return Unanswered(f"{name} does not answer with numbers.")
        return Unanswered(f"{name} does not answer as Prometheus does.")


def _point(pair: Any) -> Point:
    moment, text = pair
    if isinstance(moment, bool) or not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise ValueError
    return Point(float(text), datetime.fromtimestamp(moment, UTC))
