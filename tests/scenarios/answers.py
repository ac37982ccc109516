"""What gates are answered in a scenario: the test says it, and hears what was asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.adapters.gates.hosts import Outside
from bot.adapters.gates.judges import Judges
from bot.core.gates import (
    GitHubGate,
    LiveGate,
    Measured,
    MetricGate,
    Outcome,
    Point,
    Unanswered,
    Verdict,
    judge,
)

if TYPE_CHECKING:
    from bot.core.gates import Gate
    from bot.ports import About, Signals

Said = float | str | datetime | None
"""A value; why there is none, a sentence; since when a cluster has it; or ``None``: no data."""


@dataclass(slots=True)
class Answers:
    """``bot.ports.Gates`` as a test feeds it, by repository and gate. GitHub answers for itself."""

    told: dict[tuple[str, str], Said] = field(default_factory=dict)
    asked: dict[str, list[tuple[str, datetime, About]]] = field(default_factory=lambda: defaultdict(list))
    github: Judges = field(default_factory=lambda: Judges(Outside()))

    def judge(self, gate: Gate, about: About, at: datetime, signals: Signals) -> Verdict:
        repo: str = signals.name  # type: ignore[attr-defined]
        self.asked[repo].append((gate.name, at, about))
        if isinstance(gate, GitHubGate):
            return self.github.judge(gate, about, at, signals)
        said = self.told.get((repo, gate.name), "Nothing was told.")
        if isinstance(gate, LiveGate):
            live = Verdict(
                gate.name, Outcome.INCONCLUSIVE, "Argo CD is not there yet.", at, source=gate.cluster
            )
            if not isinstance(said, datetime):
                return live
            return replace(
                live, outcome=Outcome.PASS, reason="It is live.", since=max(said, about.wanted.since)
            )
        assert isinstance(gate, MetricGate)
        assert not isinstance(said, datetime)
        query = gate.query.fill(about.values, revision=about.values.candidate, window=gate.window)
        if isinstance(said, str):
            gone = Unanswered(said)
            return judge(gate, Measured(query, gone, gone, gone), None, at)
        value = (Point(said, at),) if said is not None else ()
        seen, count = (Point(at.timestamp(), at),), (Point(812.0, at),)
        return judge(gate, Measured(query, value, seen, count), None, at)
