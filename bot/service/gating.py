"""The gates of a step: asked through the port, remembered for a moment, and given as conditions.

What is remembered here is in the process only and can be asked again: Git and the pull requests stay true. A gate is
asked once in a look and about once a minute, whatever number of looks there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from bot.core import gates as asked
from bot.core.conditions import Condition, Gate
from bot.core.gates import Outcome, Verdict, shown
from bot.core.live import Wanted
from bot.core.overrides import FAILED
from bot.core.problems import Declined
from bot.core.promql import Values
from bot.core.rollout import holds, origin_of
from bot.core.rules.gate_rules import gate_from
from bot.core.text import code
from bot.ports import About, Missing, Refused
from bot.service.reading import read_held

if TYPE_CHECKING:
    from bot.core.conditions import Verdict as Said
    from bot.core.markers import Proposal
    from bot.core.rules import GateRule, RuleSet
    from bot.ports import Signals
    from bot.service.desk import Desk
    from bot.service.reading import Standing

AGAIN = timedelta(minutes=1)
"""Between two questions of one gate while its step bakes or waits for it."""

WATCH = timedelta(minutes=5)
"""The same when nothing but a person is waited for: what is merged then shall still be good."""

SHOWN = timedelta(minutes=10)
"""For so long texts keep the numbers of one moment, where no verdict changes: nobody reads the others."""

MOST_KEPT = 5000  # steps

_WORDS: dict[Outcome, Said] = {Outcome.PASS: "pass", Outcome.FAIL: "fail", Outcome.INCONCLUSIVE: "wait"}
NO_ENDPOINT = "The operator of the bot has named no endpoint that gates could ask."


class NoGates:
    """``bot.ports.Gates`` where nothing can be asked."""

    def judge(self, gate: asked.Gate, about: About, at: datetime, signals: Signals) -> Verdict:  # noqa: ARG002 - the port's
        """Give no answer."""
        return Verdict(gate.name, Outcome.INCONCLUSIVE, NO_ENDPOINT, at)


Step = tuple[str, str, int]
"""Of what a gate is asked: repository, rollout, and the share before the step."""


@dataclass(slots=True)
class _Kept:
    verdicts: dict[tuple[str, GateRule], Verdict] = field(default_factory=dict)
    shown: tuple[datetime, Gate] | None = None
    arrived: tuple[str, datetime, str] | None = None  # by which commit, when, merged as which


@dataclass(slots=True)
class Answers:
    """What gates answered in this process. Safe to share between threads."""

    _kept: dict[Step, _Kept] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, step: Step) -> _Kept:
        """Give what is kept of a step."""
        with self._lock:
            kept = self._kept.pop(step, None) or _Kept()
            self._kept[step] = kept  # the newest last
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            return kept

    def forget(self, step: Step) -> None:
        """Ask anew at the next look."""
        with self._lock:
            self._kept.pop(step, None)


def step_of(desk: Desk, proposal: Proposal) -> Step:
    """Say what the gates of a step are asked about."""
    return desk.repo.name, proposal.rollout, proposal.before


@dataclass(frozen=True, slots=True)
class Judged:
    """The gates of a step. ``since`` is when the merged commit came to be live, by the last gate that says so.

    ``awaited`` is what stands in for the bake time while one of those gates does not say so, else empty.
    """

    conditions: tuple[Condition, ...] = ()
    since: datetime | None = None
    awaited: str = ""


def judged(desk: Desk, standing: Standing, rules: RuleSet, proposal: Proposal) -> Judged:
    """Judge the gates before a step; people's approvals are not among them.

    At 0 % no request meets the candidate, and in a rehearsal there is nobody to ask: nothing is asked there.
    """
    names = rules.gates_at(proposal.before)
    if not names or standing.rollout.record is None or desk.rehearsal:
        return Judged()
    kept = desk.answers.of(step_of(desk, proposal))
    about: About | None = None
    found: list[Condition] = []
    since: list[datetime] = []
    awaited = ""
    for name in names:
        rule = rules.gates.get(name)
        if rule is not None and rule.reviewers:
            continue
        gate = None if rule is None else _gate(standing, name, rule)
        if rule is None or gate is None or isinstance(gate, str):
            why = gate if isinstance(gate, str) else "Nothing defines it."
            found.append(_unasked(name, rules, rule, why))
            continue
        about = about or _about(desk, standing, rules, proposal)
        verdict = _ask(desk, kept, gate, rule, about)
        found.append(_condition(gate, rule, rules, verdict))
        if isinstance(gate, asked.LiveGate) and verdict.outcome is Outcome.PASS:
            since.append(verdict.since or about.wanted.since)
        elif isinstance(gate, asked.LiveGate):
            awaited = f"Merged, not yet live: the bake time has not begun ({code(name)})."
    return Judged(tuple(found), max(since, default=None), awaited)


def _gate(standing: Standing, name: str, rule: GateRule) -> asked.Gate | str:
    """Give the gate to ask, or the words why it cannot be asked."""
    held = standing.held
    namespace = (held.manifest.namespace or "") if held is not None else ""
    try:
        gate = gate_from(name, rule, service=standing.service.name, namespace=namespace)
    except Declined as declined:
        return declined.problems[0].message
    if isinstance(gate, asked.LiveGate) and not gate.namespace:
        return "The manifest has no namespace, and the gate says none."
    return gate if gate is not None else "Nothing is asked."


def _unasked(name: str, rules: RuleSet, rule: GateRule | None, why: str) -> Condition:
    said = f"Gate {code(name)}: {why}"
    return Condition(
        "gate", f"gate {name}", "wait", said, origin=_origin(rules, rule), subjects=(f"gate {name}",)
    )


def _ask(desk: Desk, kept: _Kept, gate: asked.Gate, rule: GateRule, about: About) -> Verdict:
    now = desk.now()
    known = kept.verdicts.get((gate.name, rule))
    if known is not None and timedelta(0) <= now - known.at < AGAIN:
        return known
    verdict = desk.gates.judge(gate, about, now, desk.repo)
    kept.verdicts[gate.name, rule] = verdict
    return verdict


def _condition(gate: asked.Gate, rule: GateRule, rules: RuleSet, verdict: Verdict) -> Condition:
    good = verdict.outcome is Outcome.PASS
    count = "" if verdict.samples is None else f", {verdict.samples:.0f} samples"
    value = verdict.outcome.value if verdict.value is None else f"{shown(verdict.value, verdict.unit)}{count}"
    if verdict.threshold is not None:
        threshold = f"{'≤' if verdict.side == 'most' else '≥'} {shown(verdict.threshold, verdict.unit)}"
    else:
        wanted = {asked.GitHubGate: "green", asked.LiveGate: "live", asked.HttpGate: "pass"}
        threshold = wanted.get(type(gate)) or rule.limit or "none"
    return Condition(
        "gate",
        f"gate {gate.name}",
        _WORDS[verdict.outcome],
        "" if good else f"Gate {code(gate.name)}: {verdict.reason}",
        value=value,
        threshold=threshold,
        origin=_origin(rules, rule),
        again=verdict.at + AGAIN,
        measured=verdict,
        subjects=(f"gate {gate.name}{FAILED if verdict.outcome is Outcome.FAIL else ''}",),
    )


def _origin(rules: RuleSet, rule: GateRule | None) -> str:
    return origin_of(rules, rule.origin if rule is not None else None)


def _about(desk: Desk, standing: Standing, rules: RuleSet, proposal: Proposal) -> About:
    """Say what the gates of a step are about."""
    record, held = standing.rollout.record, standing.held
    if record is None:  # pragma: no cover - the caller has looked
        raise ValueError(standing)
    merged = proposal.commit or standing.tip
    agents = any(
        rule is not None and rule.live in {"argocd", "flux"}
        for rule in map(rules.gates.get, rules.gates_at(proposal.before))
    )
    return About(
        Values(
            standing.service.name,
            record.candidate,
            record.stable,
            (held.manifest.namespace or "") if held is not None else "",
        ),
        Wanted(
            _that_keep_it(desk, standing, proposal, merged) if agents else (merged,),
            datetime.fromisoformat(proposal.since) if proposal.since else desk.now(),
            record.candidate,
            proposal.before,
        ),
    )


def _that_keep_it(desk: Desk, standing: Standing, proposal: Proposal, merged: str) -> tuple[str, ...]:
    """Give the merged commit, and those of the base branch that came after it and keep its split."""
    try:
        newest = desk.repo.log(standing.tip)
        touching = {commit.sha for commit in desk.repo.history(standing.path, standing.tip)}
    except (Missing, Refused):
        return (merged,)
    keeps = {merged: True}
    # Oldest first; twice, because commits of one second come in any order.
    for commit in (*newest[::-1], *newest[::-1]):
        after = [keeps[parent] for parent in commit.parents if parent in keeps]
        if after and commit.sha != merged:
            keeps[commit.sha] = (
                _holds(desk, standing, proposal, commit.sha) if commit.sha in touching else all(after)
            )
    return (merged, *(sha for sha, good in keeps.items() if good and sha != merged))


def _holds(desk: Desk, standing: Standing, proposal: Proposal, sha: str) -> bool:
    record = standing.rollout.record
    try:
        held = read_held(desk.repo, standing.path, standing.service.id, sha)
        held = None if held is None or record is None else held.at(record.route or None)
    except (Declined, Missing, Refused):
        return False
    return held is not None and record is not None and holds(held.version.split, record, proposal.before)


# --- what is shown, and when to look again ------------------------------------------------------


def live_since(rules: RuleSet, proposal: Proposal, gate: Gate) -> str:
    """Give the ISO time since when a cluster has the merged commit; empty where none was asked, or it is not so."""
    asked_for = {
        f"gate {name}"
        for name in rules.gates_at(proposal.before)
        if (rule := rules.gates.get(name)) is not None and rule.live
    }
    live = [c.verdict == "pass" for c in gate.conditions if c.kind == "gate" and c.rule in asked_for]
    return gate.since.isoformat() if live and all(live) else ""


def watched(gate: Gate) -> Gate:
    """Look less often after a step that may be merged: only a person is waited for."""
    if not gate.passes:
        return gate
    more = WATCH - AGAIN
    return replace(
        gate,
        conditions=tuple(
            replace(c, again=c.again + more) if c.kind == "gate" and c.again is not None else c
            for c in gate.conditions
        ),
    )


def steady(desk: Desk, proposal: Proposal, gate: Gate) -> Gate:
    """Give the conditions as texts show them: with the numbers of some minutes ago while no verdict changes.

    Otherwise each look would rewrite the pull request and its check.
    """
    if not any(c.kind == "gate" for c in gate.conditions):
        return gate
    kept, now = desk.answers.of(step_of(desk, proposal)), desk.now()
    if kept.shown is not None:
        at, before = kept.shown
        if timedelta(0) <= now - at < SHOWN and _said(before) == _said(gate):
            return before
    kept.shown = now, gate
    return gate


def _said(gate: Gate) -> tuple[object, ...]:
    """What a text must not be late with."""
    return (
        gate.since,
        *(
            (c.kind, c.rule, c.verdict, c.threshold)
            if c.kind in {"bake", "gate"}
            else (c.kind, c.rule, c.verdict, c.reason, c.value)
            for c in gate.conditions
        ),
    )
