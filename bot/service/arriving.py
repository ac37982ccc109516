"""Since when the present share of a rollout holds, by Git and GitHub and not by what a pull request's body says.

The body of a step remembers the time that its bake time counts from, so that no look asks for it; whoever may write
to the repository may edit that body. So it is compared once more before a step turns green or is merged.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.core import naming, trailers
from bot.ports import Missing
from bot.service import gating, proposing

if TYPE_CHECKING:
    from bot.core.conditions import Gate
    from bot.core.markers import Adopted, Proposal
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.ports import Commit, Pull
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Standing


@dataclass(frozen=True, slots=True)
class Arrived:
    """When the present share was merged, and as which commit of the base branch."""

    at: datetime
    commit: str


def put_right(desk: Desk, standing: Standing, rules: RuleSet, step: Ours, gate: Gate) -> Ours | None:
    """Put the time that counts back into a step whose body says an earlier one, or another commit.

    ``None`` where it says nothing wrong, or where nothing depends on it now. That costs one request for a step whose
    rules let it pass, once in a process, and none for others.

    Raises:
        OutsideFailure: GitHub did not answer; nothing is merged before it does.
    """
    proposal = step.proposal
    if not gate.passes or not proposal.since or not _counts(desk, rules, proposal):
        return None
    true = arrived(desk, standing, proposal)
    if true is None:
        return None
    late = true.at > datetime.fromisoformat(proposal.since)
    other = standing.rollout.adopted is None and proposal.commit not in {"", true.commit}
    if not late and not other:
        return None
    since = true.at.isoformat() if late else proposal.since
    desk.answers.forget(gating.step_of(desk, proposal))  # they were asked about something else
    commit = true.commit if other else proposal.commit
    return proposing.rewrite(desk, step, replace(proposal, since=since, live="", commit=commit))


def _counts(desk: Desk, rules: RuleSet, proposal: Proposal) -> bool:
    """Whether the time matters: to the bake time, to a cluster, or to whether a promotion is about this step."""
    gates = (rules.gates.get(name) for name in rules.gates_at(proposal.before))
    return (
        bool(rules.bake_at(proposal.before))
        or any(one is not None and one.live for one in gates)
        or proposal.wish not in {None, desk.wished}
    )


def arrived(desk: Desk, standing: Standing, proposal: Proposal) -> Arrived | None:
    """Tell when and by what the present share came to be; ``None`` where nobody can say."""
    record, adopted = standing.rollout.record, standing.rollout.adopted
    if record is None:
        return None
    history = desk.repo.history(standing.path, standing.tip)  # the look has read it for the records
    if adopted is not None:
        commit = _adopted(history, adopted, record)
    elif standing.rollout.weight != record.weight:
        # A person took the place of a step; a pull request of theirs is no step.
        return Arrived(history[0].at, history[0].sha) if history else None
    else:
        commit = next((one for one in history if record in trailers.records(one.message)), None)
    kept = desk.answers.of(gating.step_of(desk, proposal))
    name = commit.sha if commit is not None else record.rollout
    if kept.arrived is None or kept.arrived[0] != name:
        found = _brought(desk, record, commit)
        if found is None:
            return None
        kept.arrived = name, found.at, found.commit
    return Arrived(*kept.arrived[1:])


def _adopted(history: tuple[Commit, ...], adopted: Adopted, record: Record) -> Commit | None:
    """Find the edit that was adopted: one that came after the last step. Else it is the newest one."""
    for one in history:
        if record in trailers.records(one.message):
            break
        if one.sha == adopted.sha:
            return one
    return next(iter(history), None)


def _brought(desk: Desk, record: Record, commit: Commit | None) -> Arrived | None:
    pull: Pull | None = None
    if commit is not None:
        pull = desk.repo.pull_of_commit(commit.sha)
        if pull is None or pull.merged_at is None:
            return Arrived(commit.at, commit.sha)  # pushed, or merged where GitHub does not know
    else:
        # The message of a squash is anybody's: it may have lost the trailers.
        branch = naming.step_branch(record.rollout, record.weight)
        pull = next((o.pull for o in proposing.from_branch(desk, branch) if o.pull.merged), None)
        if pull is None:
            with suppress(Missing):
                pull = desk.repo.pull(record.pull)
    if pull is None or pull.merged_at is None:
        return None
    return Arrived(pull.merged_at, pull.merge_sha or "")
