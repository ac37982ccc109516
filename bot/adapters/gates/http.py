"""A URL of the operator's that answers JSON: a word at a place, or a number against a limit.

The URL may ask for values in its path and its query, ``https://slo.acme.dev/v1/{service}?revision={candidate}``:
they are percent-encoded, so none can add a part to either.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.adapters.gates.hosts import Forbidden, Unasked
from bot.core.gates import Absolute, HttpGate, Outcome, Verdict, compare, too_few, without
from bot.core.problems import Declined
from bot.core.promql import duration
from bot.core.text import code

if TYPE_CHECKING:
    from datetime import datetime

    from bot.adapters.gates.asking import Asker
    from bot.core.promql import Values

_HOLE = re.compile(r"\{([a-z-]+)\}", re.ASCII)
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_MISSING = object()


class HttpGates:
    """Judges HTTP gates. Safe to share between threads."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def judge(self, gate: HttpGate, values: Values, at: datetime) -> Verdict:
        """Ask and judge one gate; every trouble is an inconclusive verdict, none an exception."""
        verdict = Verdict(
            gate.name,
            Outcome.INCONCLUSIVE,
            "",
            at,
            source=gate.endpoint,
            window=gate.window,
            unit=gate.unit,
            min_samples=gate.min_samples,
        )
        try:
            endpoint = self._asker.endpoint("http", gate.endpoint)
            url = _filled(endpoint.url, values, gate)
            told = self._asker.ask(replace(endpoint, url=url))
        except Unasked as failure:
            return replace(verdict, reason=failure.reason)
        except Declined as declined:
            return replace(verdict, reason=declined.problems[0].message)
        # The path and the query are evidence; the host is the operator's own business.
        verdict = replace(verdict, query="/" + url.split("/", 3)[3] if url.count("/") > 2 else "/")  # noqa: PLR2004
        if not told.good:
            return replace(verdict, reason=f"{code(gate.endpoint)} answers with status {told.status}.")
        if gate.samples:
            count = pointed(told.data, gate.samples)
            if not _is_number(count):
                return replace(verdict, reason=f"There is no count of samples at {code(gate.samples)}.")
            verdict = replace(verdict, samples=float(count))
        if gate.threshold is None:
            return self._word(gate, verdict, told.data)
        return _measured(gate, gate.threshold, verdict, told.data)

    def _word(self, gate: HttpGate, verdict: Verdict, data: Any) -> Verdict:
        word = pointed(data, gate.verdict)
        said = pointed(data, "/reason")
        reason = f" {self._asker.said(said)}" if isinstance(said, str) and said else ""
        if not isinstance(word, str) or word not in set(Outcome):
            told = "nothing" if word is _MISSING else self._asker.said(word, longest=40)
            return replace(
                verdict,
                reason=f"At {code(gate.verdict)} there is {told}, and not `pass`, `fail` or `inconclusive`.",
            )
        outcome = Outcome(word)
        if outcome is not Outcome.INCONCLUSIVE and (few := _few(gate, verdict)):
            return replace(verdict, reason=few)
        return replace(verdict, outcome=outcome, reason=f"{code(gate.endpoint)} says `{word}`.{reason}")


def pointed(data: Any, pointer: str) -> Any:
    """Give what a JSON pointer (RFC 6901) points at; an object of its own when there is nothing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict):
            data = data.get(key, _MISSING)
        elif isinstance(data, list) and _INDEX.fullmatch(key) and int(key) < len(data):
            data = data[int(key)]
        else:
            return _MISSING
    return data


def _measured(gate: HttpGate, threshold: Absolute, verdict: Verdict, data: Any) -> Verdict:
    verdict = replace(verdict, threshold=threshold.limit, side=threshold.side)
    value = pointed(data, gate.value)
    if value is _MISSING or value is None:
        few = _few(gate, verdict) if gate.no_data == "pass" else ""
        outcome, reason = (Outcome.INCONCLUSIVE, few) if few else without(gate.no_data)
        return replace(verdict, outcome=outcome, reason=reason)
    if not _is_number(value):
        return replace(verdict, reason=f"At {code(gate.value)} there is no finite number.")
    number = float(value)
    verdict = replace(verdict, value=number)
    if few := _few(gate, verdict):
        return replace(verdict, reason=few)
    good, reason = compare(number, threshold.limit, threshold.side, gate.unit)
    return replace(verdict, outcome=Outcome.PASS if good else Outcome.FAIL, reason=reason)


def _few(gate: HttpGate, verdict: Verdict) -> str:
    count = verdict.samples or 0.0
    return too_few(count, gate.min_samples) if gate.min_samples and count < gate.min_samples else ""


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _filled(url: str, values: Values, gate: HttpGate) -> str:
    known = {**values.of(values.candidate), "window": duration(gate.window)}

    def value(found: re.Match[str]) -> str:
        text = known.get(found[1], "")
        # A dot or two would name another folder, also when they are percent-encoded.
        if not text or text in {".", ".."}:
            raise Forbidden(
                f"The URL of {code(gate.endpoint)} asks for {code(found[0])}, which is not known here."
            )
        try:
            return quote(text, safe="")
        except UnicodeError:
            raise Forbidden(f"The value of {code(found[0])} cannot stand in a URL.") from None

    return _HOLE.sub(value, url)
