"""What gates measured, as one line each of a commit's trailers, and back.

    Canary-Evidence: error-rate pass 0.002 <= 0.01 over 15m, 812 samples, at 2026-03-02T12:00:00Z

Nothing in a line comes from people or from what was asked: a name of the rules, a word, numbers and a time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.core.gates import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.core.gates import Side, Verdict

KEY = "Canary-Evidence"
_NUMBER = r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:e[-+]?[0-9]{1,3})?"
_LINE = re.compile(
    rf"[ \t*>-]*{KEY}: (?P<gate>[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?) (?P<outcome>pass|fail|inconclusive)"
    rf"(?: (?P<value>{_NUMBER}))?(?: (?P<sign><=|>=|<|>) (?P<limit>{_NUMBER}))?"
    r"(?: over (?P<window>[0-9]{1,9})(?P<unit>[smhd]))?(?:, (?P<samples>[0-9]{1,18}) samples)?"
    r", at (?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)[ \t]*",
    re.ASCII,
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_MOST = 10**18 - 1
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate measured, as a commit says it. ``limit`` is at most or at least, as ``side`` says."""

    gate: str
    outcome: Outcome
    at: datetime
    value: float | None = None
    limit: float | None = None
    side: Side = "most"
    window: timedelta | None = None
    samples: int | None = None

    def __str__(self) -> str:
        """Give it as a trailer has it, behind its key."""
        sign = {"most": "<=", "least": ">="}[self.side]
        if self.outcome is Outcome.FAIL and self.value is not None:
            sign = {"most": ">", "least": "<"}[self.side]
        value = "" if self.value is None else f" {_number(self.value)}"
        limit = "" if self.limit is None else f" {sign} {_number(self.limit)}"
        window = "" if self.window is None else f" over {_length(self.window)}"
        samples = "" if self.samples is None else f", {self.samples} samples"
        return f"{self.gate} {self.outcome.value}{value}{limit}{window}{samples}, at {self.at:%Y-%m-%dT%H:%M:%SZ}"


def evidence_trailers(measured: Iterable[Verdict]) -> tuple[str, ...]:
    """Give a line for each verdict; one whose gate has no plain name is left out."""
    return tuple(f"{KEY}: {_evidence(one)}" for one in measured if _NAME.fullmatch(one.gate))


def evidence_of(message: str) -> tuple[Evidence, ...]:
    """Give the evidence of a commit message, in its order; what is not whole is left out."""
    lines = message.replace("\r\n", "\n").split("\n")
    return tuple(one for line in lines if (one := _read(line)) is not None)


def _evidence(verdict: Verdict) -> Evidence:
    return Evidence(
        verdict.gate,
        verdict.outcome,
        verdict.at.astimezone(UTC),
        verdict.value,
        verdict.threshold,
        verdict.side,
        verdict.window,
        None if verdict.samples is None else min(math.floor(verdict.samples), _MOST),
    )


def _number(value: float) -> str:
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - exact below


def _length(length: timedelta) -> str:
    seconds = round(length.total_seconds())
    unit = next(u for u, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _read(line: str) -> Evidence | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found["at"])
    except ValueError:
        return None
    window = timedelta(seconds=int(found["window"]) * _UNITS[found["unit"]]) if found["window"] else None
    return Evidence(
        found["gate"],
        Outcome(found["outcome"]),
        at,
        float(found["value"]) if found["value"] else None,
        float(found["limit"]) if found["limit"] else None,
        "least" if found["sign"] in {">=", "<"} else "most",
        window,
        int(found["samples"]) if found["samples"] else None,
    )
