"""What GitHub shows on a commit, judged: named checks and the deployment to an environment.

Green is ``success`` and nothing else: a check that was skipped, cancelled or is neutral has tested nothing, and is
inconclusive. Sources: GitHub's OpenAPI, ``check-run`` (``status``, ``conclusion``), commit ``status`` (``state``) and
``deployment-status`` (``state``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bot.core.gates import GitHubGate, Outcome, Verdict
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

_RED = frozenset({"failure", "timed_out", "startup_failure", "error"})
_RUNNING = frozenset({"queued", "in_progress", "pending", "waiting", "requested"})


@dataclass(frozen=True, slots=True)
class Signal:
    """A check run, a commit status, or the state of a deployment, as GitHub says it.

    ``state`` is GitHub's word: a check run's conclusion, or its status while there is none; a status' state.
    ``app`` is the slug of the App of a check run, and empty for a status. ``since`` is when it came to be so.
    """

    kind: Literal["check", "status", "deployment"]
    name: str
    state: str
    app: str = ""
    since: datetime | None = None


def judge_signals(gate: GitHubGate, sha: str, found: Sequence[Signal], at: datetime) -> Verdict:
    """Judge a gate by what was found on the commit ``sha``: a failure fails, else what is not green waits."""
    verdict = Verdict(gate.name, Outcome.INCONCLUSIVE, "", at, query=_asked(gate, sha))
    judged: list[tuple[Outcome, str]] = []
    green: list[datetime] = []
    for name in gate.checks:
        same = [s for s in found if s.kind != "deployment" and s.name == name and gate.app in {"", s.app}]
        by = f" of {code(gate.app)}" if gate.app else ""
        judged.append(_judged(f"The check {code(name)}{by}", same))
        green += [s.since for s in same if s.since is not None]
    if gate.environment:
        same = [s for s in found if s.kind == "deployment" and s.name == gate.environment]
        judged.append(_judged(f"The deployment to {code(gate.environment)}", same))
        green += [s.since for s in same if s.since is not None]
    for worst in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        said = [reason for outcome, reason in judged if outcome is worst]
        if said:
            return replace(verdict, outcome=worst, reason=" ".join(said))
    reason = f"All green on {code(sha[:10])}."
    return replace(verdict, outcome=Outcome.PASS, reason=reason, since=max(green, default=None))


def _judged(what: str, same: Iterable[Signal]) -> tuple[Outcome, str]:
    # Several of one name, of several Apps or workflows: nobody can say which one is meant, so all must be green.
    states = [signal.state for signal in same]
    red = [state for state in states if state in _RED]
    if red:
        return Outcome.FAIL, f"{what} says {code(red[0])}."
    if not states:
        return Outcome.INCONCLUSIVE, f"{what} is not there yet."
    other = [state for state in states if state != "success"]
    if not other:
        return Outcome.PASS, ""
    running = [state for state in other if state in _RUNNING]
    if running:
        return Outcome.INCONCLUSIVE, f"{what} is not done ({code(running[0])})."
    return Outcome.INCONCLUSIVE, f"{what} says {code(other[0])}, which tests nothing."


def _asked(gate: GitHubGate, sha: str) -> str:
    asked = [f"check {name}" for name in gate.checks]
    asked += [f"deployment to {gate.environment}"] if gate.environment else []
    return f"{', '.join(asked)} on {sha}"
