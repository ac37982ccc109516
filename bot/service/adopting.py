"""``/canary adopt``: a split that people set by hand becomes the step that a rollout has reached.

Where it is kept: in the value and the commit of the next step's pull request, which goes on from that split. A
commit that changes nothing is not in the file's history, so there is none for the word itself; what is merged says
``Canary-Adopted: <sha> by <login>``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.core import naming, report
from bot.core.markers import Adopted, Hold, Past
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase, clock, not_adoptable, step_above, with_adopted
from bot.core.text import code
from bot.service import proposing
from bot.service.converge import converge
from bot.service.reading import read_held
from bot.service.rebuilding import rebuilt
from bot.service.scene import Kind
from bot.service.stepping import change_to, hold_behind, open_step
from bot.service.verbs import check_turned, need_rollout

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Standing
    from bot.service.verbs import Case

MOST_EDITS = 10  # commits in a row that hold the split; an older one is taken for the first


def adopt(case: Case, _command: c.Adopt) -> Outcome:
    """Accept the split on the base branch as the step reached; the next step goes on from it."""
    if case.scene.kind is Kind.CLOSED:
        raise Declined(
            Problem("pull-closed", "This pull request is closed and was not merged.", "Reopen it.")
        )
    desk, name = case.desk, code(case.service.name)
    standing = case.standing()
    record = need_rollout(case, standing)
    adopted = standing.rollout.adopted
    if standing.rollout.phase is Phase.ROLLING and (
        adopted is None or adopted.comment != case.scene.comment.id
    ):
        text = (
            f"Nothing to adopt: {name} is at {standing.rollout.weight} %, and the rollout goes on from there."
        )
        return case.outcome("already", "already", text, record)
    mine = proposing.open_for(desk, case.service)
    if adopted is None:
        _check(case, standing, record, mine)
        adopted = _edit_of(case, standing)
    standing = replace(standing, rollout=with_adopted(standing.rollout, standing.split, adopted))
    _open(case, standing, record, mine)
    progress = converge(desk, case.service)
    check_turned(case, progress, record)
    step = progress.step
    reasons = "".join(f"\n- {reason}" for reason in progress.gate.reasons) if progress.gate else ""
    weight, goal = standing.rollout.weight, standing.rollout.next_weight
    where = f"#{step.pull.number} goes to {goal} %" if step is not None else f"The next step is {goal} %"
    since = clock(datetime.fromisoformat(adopted.since))
    text = (
        f"Adopted {code(adopted.sha[:7])}: {code(record.candidate)} has **{weight} %** of {name}, and the rollout "
        f"goes on from there. {where}; bake time counts from {since}.{reasons}\n\n"
        f"{report.way_back(record)}"
    )
    return case.outcome("done", "applied", text, record, pull=step.pull.number if step is not None else 0)


def _check(case: Case, standing: Standing, record: Record, mine: tuple[Ours, ...]) -> None:
    """Decline what no rollout goes on from. Raises ``Declined``."""
    if standing.lost is not None:
        raise Declined(standing.lost)
    if any(one.proposal.kind == "rollback" for one in mine):
        text = f"A rollback of {code(case.service.name)} is proposed; nothing moves forward."
        raise Declined(Problem("rollback-open", text, "Merge it, or close it first."))
    if proposing.was_cancelled(case.desk, standing.rollout):
        text = f"The rollout of {code(case.service.name)} was cancelled."
        raise Declined(Problem("no-rollout", text, "`/canary 25` on a pull request begins one."))
    why = not_adoptable(standing.split, record)
    if why:
        raise Declined(
            Problem(
                "not-adoptable",
                f"The rollout of {code(record.candidate)} cannot go on from the traffic block as it is: {why}.",
                f"Set {code(record.stable)} and {code(record.candidate)} to 100 % between them; or `/rollback`, or "
                "`/canary cancel`.",
                place=standing.held.place if standing.held else None,
            )
        )


def _edit_of(case: Case, standing: Standing) -> Adopted:
    """Find the commit since which the base branch holds the split, and when it was merged."""
    desk, service = case.desk, standing.service
    edit = None
    for commit in desk.repo.history(standing.path, standing.tip)[:MOST_EDITS]:
        try:
            held = read_held(desk.repo, standing.path, service.id, commit.sha)
            record = standing.rollout.record
            held = None if held is None or record is None else held.at(record.route or None)
        except Declined:
            break
        if held is None or held.version.split != standing.split:
            break
        edit = commit
    if edit is None:  # a history that shows nothing: it holds since now, as far as anybody can say
        sha, at = standing.tip, desk.now()
    else:
        pull = desk.repo.pull_of_commit(edit.sha)
        sha, at = edit.sha, edit.at
        if pull is not None and pull.merged_at is not None:
            at = pull.merged_at
    author = case.scene.comment.author.login
    since = min(at, desk.now()).isoformat()
    return Adopted(sha, standing.rollout.weight, since, author, case.scene.comment.id)


def _open(case: Case, standing: Standing, record: Record, mine: tuple[Ours, ...]) -> None:
    """Let the next step's pull request go on from the adopted split: the open one, or a new one."""
    desk, adopted, weight = case.desk, standing.rollout.adopted, standing.rollout.next_weight
    if adopted is None or weight is None:  # pragma: no cover - a rollout that goes on has a next step
        raise ValueError(standing)
    rules, key = desk.rules_at(record), case.scene.key
    steps = [o for o in mine if (o.proposal.kind, o.proposal.rollout) == ("step", record.rollout)]
    step = next((o for o in steps if o.proposal.weight == weight), None)
    held = (
        None
        if step is not None and key in step.proposal.seen
        else _hold_so_far(desk, standing, record, rules, weight, steps)
    )
    past = steps[0].proposal.past if steps else ()
    if step is None:
        step = open_step(desk, standing, record, rules, weight)
    now = Past(standing.rollout.weight, adopted.since, adopted.by, 0)
    proposal = replace(
        step.proposal,
        before=standing.rollout.weight,
        adopted=adopted,
        since=adopted.since,
        past=past if now in past else (*past, now),
        hold=step.proposal.hold or held,
    ).saw(key)
    title = report.step_title(case.service.name, proposal.before, weight)
    step = proposing.rewrite(desk, step, proposal, title=title)
    rebuilt(desk, standing, change_to(standing, weight, rules), step)


def _hold_so_far(  # noqa: PLR0917 - one rollout, its facts
    desk: Desk, standing: Standing, record: Record, rules: RuleSet, weight: int, steps: list[Ours]
) -> Hold | None:
    """Find the hold that the rollout is under: accepting a split does not end it."""
    closed = []
    for goal in dict.fromkeys((step_above(record, record.weight), weight)):
        latest = next(iter(proposing.from_branch(desk, naming.step_branch(record.rollout, goal))), None)
        if latest is not None and latest.pull.state == "closed" and not latest.pull.merged:
            closed.append(latest)
    for one in (*steps, *closed):
        if one.proposal.hold is not None:
            return one.proposal.hold
    if not steps and not closed:  # a person committed the split to the branch of the step, and merged that
        return hold_behind(desk, standing, record, rules)
    by_person = any(not one.proposal.closed for one in closed)
    return Hold(by="", cause="closed") if by_person and not steps else None
