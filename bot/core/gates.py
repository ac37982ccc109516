"""Gates: what must be true before a rollout goes on, judged from what was measured.

A verdict is pass, fail or inconclusive, with its evidence. What was not measured properly is inconclusive and
never promotes: no answer, no data, several series, NaN, infinity, samples that are old or too few. Only
``no-data: pass`` lets an absent series pass, because somebody wrote that down for a gate where absence is good.

Sources of the rules: Argo Rollouts issues 180 (NaN) and 1466 (empty), Flagger pull request 1095 (NaN let a canary
advance). Times are aware and in UTC; reasons are Markdown, with everything foreign in code spans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from bot.core.problems import Declined, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bot.core.promql import Template

Side = Literal["most", "least"]
NoData = Literal["wait", "fail", "pass"]
Unit = Literal["", "ratio", "s", "ms"]
FRESH = timedelta(minutes=2)  # two scrapes of the usual minute


class Outcome(StrEnum):
    """The three answers of a gate."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate's answer, and what it rests on.

    ``gate`` is its name in the rules, ``source`` the name of what was asked. ``value``, ``threshold``, ``stable``
    (the value of the stable revision, for a relative threshold) and ``samples`` are finite or ``None``.
    ``query`` is what was asked, literally. ``since`` is when that began which the gate asks for; a bake counts
    from there. ``reason`` is one sentence of Markdown.
    """

    gate: str
    outcome: Outcome
    reason: str
    at: datetime
    source: str = ""
    value: float | None = None
    threshold: float | None = None
    side: Side = "most"
    stable: float | None = None
    samples: float | None = None
    min_samples: int = 0
    query: str = ""
    window: timedelta | None = None
    unit: Unit = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Absolute:
    """A limit that belongs to what is allowed: at most, or at least, ``limit``."""

    limit: float
    side: Side = "most"

    def __post_init__(self) -> None:
        """Refuse a limit that is no number."""
        _finite(self.limit)


@dataclass(frozen=True, slots=True)
class Relative:
    """A limit taken from the stable revision over the same window.

    ``tolerance`` is a part of the stable value, 0.2 for 20 %; ``slack`` is added to it in the value's own
    unit, because a part of nothing is nothing: with a stable error rate of 0, one error would fail.
    """

    tolerance: float
    slack: float = 0.0
    side: Side = "most"

    def __post_init__(self) -> None:
        """Refuse a tolerance or slack that is no number, or negative."""
        _finite(self.tolerance, self.slack)
        if min(self.tolerance, self.slack) < 0:
            raise _invalid("`tolerance` and `slack` are not negative.")

    def limit(self, stable: float) -> float:
        """Give the limit next to a stable value."""
        room = abs(stable) * self.tolerance + self.slack
        return stable + room if self.side == "most" else stable - room


Threshold = Absolute | Relative


@dataclass(frozen=True, slots=True)
class MetricGate:
    """A query that answers one number. ``server`` is a name of the operator's, never an address.

    ``samples`` counts what the number rests on, like requests; without ``min_samples`` it is evidence only.
    ``fresh`` is how old the newest sample of a series that is read may be.
    """

    name: str
    server: str
    query: Template
    threshold: Threshold
    window: timedelta
    samples: Template | None = None
    min_samples: int = 0
    no_data: NoData = "wait"
    fresh: timedelta = FRESH
    unit: Unit = ""

    def __post_init__(self) -> None:
        """Refuse what could not be judged as it is meant.

        Raises:
            Declined: ``config-invalid``.
        """
        if self.min_samples < 0 or (self.min_samples and self.samples is None):
            raise _invalid("`min-samples` needs a query in `samples` that counts them.")
        if isinstance(self.threshold, Relative):
            asked = (self.query, *((self.samples,) if self.samples else ()))
            if any("revision" not in template.names for template in asked):
                raise _invalid(
                    "`compare: stable` asks the same of both revisions; the query does not say which one it is about.",
                    "Write `{revision}` where the revision's name belongs.",
                )


@dataclass(frozen=True, slots=True)
class HttpGate:
    """A URL of the operator's, by name, that answers JSON.

    Without ``threshold`` the text at ``verdict`` is ``pass``, ``fail`` or ``inconclusive``; with it, the number
    at ``value`` is compared. Places in the answer are JSON pointers (RFC 6901).
    """

    name: str
    endpoint: str
    verdict: str = "/verdict"
    value: str = "/value"
    samples: str = ""
    threshold: Absolute | None = None
    min_samples: int = 0
    no_data: NoData = "wait"
    window: timedelta = timedelta(minutes=15)
    unit: Unit = ""

    def __post_init__(self) -> None:
        """Refuse pointers that point nowhere.

        Raises:
            Declined: ``config-invalid``.
        """
        if any(p and not p.startswith("/") for p in (self.verdict, self.value, self.samples)):
            raise _invalid("A JSON pointer begins with `/`.")
        if self.min_samples < 0 or (self.min_samples and not self.samples):
            raise _invalid("`min-samples` needs a JSON pointer in `samples`.")


@dataclass(frozen=True, slots=True)
class GitHubGate:
    """Named checks, or the deployment to an environment, of a commit are green.

    ``app`` is the slug of the App that must have made the checks: anybody who may push can make a check of any
    name with a workflow.
    """

    name: str
    checks: tuple[str, ...] = ()
    app: str = ""
    environment: str = ""

    def __post_init__(self) -> None:
        """Refuse a gate that asks for nothing, which would always pass.

        Raises:
            Declined: ``config-invalid``.
        """
        if not any((*self.checks, self.environment)) or not all(self.checks):
            raise _invalid("A GitHub gate names checks or an environment.")


@dataclass(frozen=True, slots=True)
class LiveGate:
    """A cluster says that the merged commit is live and the candidate ready. ``cluster`` is the operator's name.

    ``object`` is the Knative Service, the Argo CD Application or the Flux Kustomization.
    """

    name: str
    cluster: str
    kind: Literal["knative", "argocd", "flux"]
    object: str
    namespace: str


Gate = MetricGate | HttpGate | GitHubGate | LiveGate


@dataclass(frozen=True, slots=True)
class Point:
    """One number that was answered, for one moment."""

    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There is no answer; ``reason`` is a sentence of Markdown."""

    reason: str


Reading = tuple[Point, ...] | Unanswered


@dataclass(frozen=True, slots=True)
class Measured:
    """What was asked about one revision, and answered.

    ``seen`` holds the time of the newest sample of each series that was read, in Unix seconds as values.
    """

    query: str
    value: Reading
    seen: Reading
    samples: Reading | None = None


@dataclass(frozen=True, slots=True)
class _Unclear:
    """Why a number is not to be believed."""

    reason: str
    no_data: bool = False


def judge(gate: MetricGate, candidate: Measured, stable: Measured | None, at: datetime) -> Verdict:
    """Judge one gate by what was measured at ``at``.

    Args:
        gate: The gate.
        candidate: What was measured of the candidate.
        stable: The same of the stable revision over the same window; for a relative threshold only.
        at: The moment that was asked about.
    """
    threshold = gate.threshold
    verdict = Verdict(
        gate=gate.name,
        outcome=Outcome.INCONCLUSIVE,
        reason="",
        at=at,
        source=gate.server,
        value=_only(candidate.value),
        threshold=threshold.limit if isinstance(threshold, Absolute) else None,
        side=threshold.side,
        samples=_only(candidate.samples),
        min_samples=gate.min_samples,
        query=candidate.query,
        window=gate.window,
        unit=gate.unit,
    )
    number = _number(gate, candidate, at)
    if isinstance(number, _Unclear):
        outcome, reason = without(gate.no_data) if number.no_data else (Outcome.INCONCLUSIVE, number.reason)
        return replace(verdict, outcome=outcome, reason=reason)
    if isinstance(threshold, Absolute):
        good, reason = compare(number, threshold.limit, threshold.side, gate.unit)
        return replace(verdict, outcome=_answer(good=good), reason=reason)
    other = _Unclear("Nothing was measured.") if stable is None else _number(gate, stable, at)
    if isinstance(other, _Unclear):
        # What no-data says is about the candidate; without stable there is nothing to compare with.
        return replace(verdict, reason=f"Stable cannot be compared with. {other.reason}")
    limit = threshold.limit(other)
    if not math.isfinite(limit):
        return replace(verdict, stable=other, reason="The threshold next to stable is no finite number.")
    good, reason = compare(number, limit, threshold.side, gate.unit)
    reason += f" Stable: {shown(other, gate.unit)}."
    return replace(verdict, outcome=_answer(good=good), reason=reason, stable=other, threshold=limit)


def compare(value: float, limit: float, side: Side, unit: Unit) -> tuple[bool, str]:
    """Compare a finite number with its limit, which is itself allowed; give the answer, and say it."""
    good = value <= limit if side == "most" else value >= limit
    words = ("at most", "more than") if side == "most" else ("at least", "less than")
    left, right = shown(value, unit), shown(limit, unit)
    if left == right and value != limit:
        left, right = repr(value), repr(limit)  # rounded for the eye they look the same
    return good, f"{left} is {words[0 if good else 1]} {right}."


def without(no_data: NoData) -> tuple[Outcome, str]:
    """Say what an absent value means under the gate's ``no-data``."""
    match no_data:
        case "wait":
            return Outcome.INCONCLUSIVE, "There is no data."
        case "fail":
            return Outcome.FAIL, "There is no data, which fails here (`no-data: fail`)."
        case "pass":
            return Outcome.PASS, "There is no data, which passes here (`no-data: pass`)."


def too_few(samples: float, least: int) -> str:
    """Say that a number rests on too little."""
    return f"Only {math.floor(samples)} of {least} samples."


def overall(verdicts: Iterable[Verdict]) -> Outcome:
    """Give the worst of the answers: fail, else inconclusive, else pass. No gate at all passes."""
    found = {verdict.outcome for verdict in verdicts}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if outcome in found:
            return outcome
    return Outcome.PASS


def shown(number: float | None, unit: Unit = "") -> str:
    """Give a number for the eye, four digits of it: ``2.4 %`` for a ratio of 0.024, ``120 ms``, ``0.35 s``."""
    if number is None:
        return "none"
    scaled = number * 100 if unit == "ratio" else number
    text = f"{scaled:.4g}" if abs(scaled) < 10_000 or abs(scaled) >= 1e15 else f"{scaled:.0f}"  # noqa: PLR2004
    return text if not unit else f"{text} {'%' if unit == 'ratio' else unit}"


def span(length: timedelta) -> str:
    """Give a length of time for the eye: ``15 min``, ``90 s``, ``2 h``."""
    seconds = length.total_seconds()
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.4g} s"


def moment(when: datetime) -> str:
    """Give a time for the eye, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _answer(*, good: bool) -> Outcome:
    return Outcome.PASS if good else Outcome.FAIL


def _only(reading: Reading | None) -> float | None:
    """Give the one finite number of a reading, for the evidence; ``None`` when there is no such thing."""
    if reading is None or isinstance(reading, Unanswered) or len(reading) != 1:
        return None
    return reading[0].value if math.isfinite(reading[0].value) else None


def _number(gate: MetricGate, measured: Measured, at: datetime) -> float | _Unclear:
    """Give the one finite, fresh number that rests on enough, or say what is wrong with it."""
    value, seen = measured.value, measured.seen
    if isinstance(value, Unanswered):
        return _Unclear(value.reason)
    if isinstance(seen, Unanswered):
        return _Unclear(seen.reason)
    if isinstance(measured.samples, Unanswered):
        return _Unclear(measured.samples.reason)
    if not value:
        # Absence may only count as good where the samples show that somebody was looking.
        weak = _weak(gate, measured, seen, at) if gate.no_data == "pass" and gate.min_samples else None
        return weak or _Unclear("There is no data.", no_data=True)
    if len(value) > 1:
        return _Unclear(f"The query answers {len(value)} series, and it must answer one.")
    if abs(value[0].at - at) > gate.fresh:
        return _Unclear(f"The answer is stale: it is for {moment(value[0].at)}.")
    weak = _weak(gate, measured, seen, at)
    if weak is not None:
        return weak
    number = value[0].value
    return number if math.isfinite(number) else _Unclear(f"The value is {_word(number)}.")


def _weak(gate: MetricGate, measured: Measured, seen: tuple[Point, ...], at: datetime) -> _Unclear | None:
    """Say why samples cannot carry a number: old, or too few."""
    if not seen:
        return _Unclear("The samples are stale: no series that the query reads goes on.")
    for point in seen:
        age = at.timestamp() - point.value
        if not age <= gate.fresh.total_seconds():  # NaN as well
            old = f"{span(timedelta(seconds=round(age)))} old" if abs(age) < 1e9 else "of no known age"  # noqa: PLR2004
            return _Unclear(f"The samples are stale: the newest of a series is {old}.")
    if not gate.min_samples or measured.samples is None or isinstance(measured.samples, Unanswered):
        return None
    if len(measured.samples) > 1:
        return _Unclear(f"The count of samples has {len(measured.samples)} series, and it must have one.")
    count = measured.samples[0].value if measured.samples else 0.0
    if not math.isfinite(count):
        return _Unclear(f"The count of samples is {_word(count)}.")
    return _Unclear(too_few(count, gate.min_samples)) if count < gate.min_samples else None


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "infinite"


def _finite(*numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        raise _invalid("A threshold is a finite number.")


def _invalid(message: str, remedy: str = "") -> Declined:
    return Declined(Problem("config-invalid", message, remedy))
