"""The verdicts of gates as a reviewer reads them, and as the trail keeps them."""

from __future__ import annotations

import math
from datetime import UTC
from typing import TYPE_CHECKING

from bot.core.gates import Outcome, Verdict, moment, shown, span
from bot.core.text import cell, code, code_block

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS = {
    Outcome.PASS: "✅ pass",
    Outcome.FAIL: "❌ fail",
    Outcome.INCONCLUSIVE: "⏳ inconclusive",
}


def evidence(verdicts: Sequence[Verdict]) -> str:
    """Give Markdown that a reviewer can decide from: a table, a sentence each, and the queries, folded.

    It begins and ends without an empty line, and is empty when there are no verdicts.
    """
    if not verdicts:
        return ""
    rows = [
        "| gate | verdict | value | threshold | samples | window | at |",
        "|---|---|---|---|---|---|---|",
        *map(_row, verdicts),
        "",
        *(f"- {code(v.gate)}: {v.reason}{_since(v)}" for v in verdicts),
    ]
    asked = [v for v in verdicts if v.query]
    if asked:
        rows += ["", "<details><summary>What was asked</summary>", ""]
        for verdict in asked:
            source = f" at {code(verdict.source)}" if verdict.source else ""
            rows += [f"{code(verdict.gate)}{source}", "", code_block(verdict.query), ""]
        rows.append("</details>")
    return "\n".join(rows)


def record(verdict: Verdict) -> dict[str, str | float | None]:
    """Give a verdict as plain JSON values for the trail; times in ISO 8601, the window in seconds."""
    return {
        "gate": verdict.gate,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "at": verdict.at.astimezone(UTC).isoformat(),
        "source": verdict.source,
        "value": verdict.value,
        "threshold": verdict.threshold,
        "side": verdict.side,
        "stable": verdict.stable,
        "samples": verdict.samples,
        "min-samples": verdict.min_samples,
        "query": verdict.query,
        "window": verdict.window.total_seconds() if verdict.window else None,
        "unit": verdict.unit,
        "since": verdict.since.astimezone(UTC).isoformat() if verdict.since else None,
    }


def _row(verdict: Verdict) -> str:
    threshold = "" if verdict.threshold is None else shown(verdict.threshold, verdict.unit)
    samples = "" if verdict.samples is None else f"{math.floor(verdict.samples)}"
    cells = (
        cell(verdict.gate),
        _MARKS[verdict.outcome],
        "" if verdict.value is None else shown(verdict.value, verdict.unit),
        threshold and f"{'≤' if verdict.side == 'most' else '≥'} {threshold}",
        f"{samples or 'none'}, want {verdict.min_samples}" if verdict.min_samples else samples,
        span(verdict.window) if verdict.window else "",
        moment(verdict.at),
    )
    return f"| {' | '.join(cells)} |"


def _since(verdict: Verdict) -> str:
    return f" Since {moment(verdict.since)}." if verdict.since else ""
