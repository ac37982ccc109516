"""The end of a rollout: what is said of it, and what the bot puts away."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bot.core import naming, report
from bot.core.markers import Answer, Past
from bot.core.rollout import ALL, Phase, clock
from bot.core.text import code, code_block
from bot.ports import Missing
from bot.service import overlapping, proposing
from bot.service.stepping import merged_step, past_of, tell_wisher

if TYPE_CHECKING:
    from bot.core.trailers import Record
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Standing


def conclude(desk: Desk, standing: Standing, record: Record) -> None:
    """Write the end of a rollout on the pull request it began on, once, and delete its branches before."""
    if desk.rehearsal:
        return  # there is no pull request to say it on
    name = f"{standing.rollout.phase}-{record.rollout}"
    try:
        answers = [Answer.read(c.body) for c in desk.repo.comments(record.pull) if c.ours]
    except Missing:
        return  # the history came from another repository
    if any(a is not None and a.to == name for a in answers):
        return
    if standing.rollout.phase is Phase.DONE:
        last = merged_step(desk, record, standing.rollout.weight)
        if last is not None:
            tell_wisher(desk, standing, record, last)
        text = (
            f"**Done**: {code(record.candidate)} has all traffic of {code(standing.service.name)} and is the stable "
            f"{standing.split.shape.noun} now. `/rollback` still turns back to {code(record.stable)}."
        )
    else:
        text = (
            f"**Rolled back**: {code(record.stable)} has all traffic of {code(standing.service.name)} again."
        )
        if record.cause:
            kind, _, gate = record.cause.partition(" ")
            text += f" The rules did it: the {kind} {code(gate)} failed."
    found = tidy(desk, record)
    overlapping.tell_waiting(desk, standing)
    parts = [text, code_block(report.bars(standing.split)), _table(desk, standing, record, found)]
    desk.repo.reply(record.pull, report.notice(name, "\n\n".join(parts), record))


def tidy(desk: Desk, record: Record) -> tuple[Ours, ...]:
    """Delete the branches of a rollout's pull requests that are over; give those pull requests.

    What is open stays, and so does what people committed to: also what came after the pull request's last commit.
    """
    found: list[Ours] = []
    used = {ref for pull in desk.repo.open_pulls() for ref in (pull.head_ref, pull.base_ref)}
    goals: tuple[int | str, ...] = (*record.steps, "rollback")
    for goal in goals:
        branch = naming.step_branch(record.rollout, goal)
        mine = proposing.from_branch(desk, branch)
        found += mine
        if not mine or branch in used or any(one.pull.state == "open" for one in mine):
            continue
        newest = mine[0].pull
        if desk.repo.tip(branch) == newest.head_sha and all(
            commit.ours for commit in desk.repo.commits_of(newest.number)
        ):
            desk.repo.delete_branch(branch)
    return tuple(found)


def _table(desk: Desk, standing: Standing, record: Record, found: tuple[Ours, ...]) -> str:
    """Give every step that was merged: the candidate's share, when, by whom, and in which pull request."""
    rows = ["| candidate | when | merged by | in |", "|---:|---|---|---|"]
    for one in _steps(desk, standing, record, found):
        asked = f", promoted by {code(one.asked)}" if one.asked else ""
        where = f"#{one.pull}" if one.pull else "by hand"
        rows.append(
            f"| {one.weight} % | {clock(one.at)} | {code(one.by) if one.by else 'unknown'}{asked} | {where} |"
        )
    return "\n".join(rows)


def _steps(desk: Desk, standing: Standing, record: Record, found: tuple[Ours, ...]) -> list[Past]:
    merged = [one for one in found if one.pull.merged and one.pull.merged_at is not None]
    merged.sort(key=lambda one: str(one.pull.merged_at))
    forward = [one for one in merged if one.proposal.kind != "rollback"]
    steps: list[Past] = []
    if not forward or forward[0].proposal.kind == "step":
        with suppress(Missing):  # the history came from another repository
            first = desk.repo.pull(record.pull)
            if first.merged_at is not None:
                steps.append(past_of(record.steps[0], first))
    for one in forward:
        steps += [past for past in one.proposal.past if past not in steps and not past.pull]
        # Lists of pull requests do not say who merged.
        wish = one.proposal.wish
        steps.append(past_of(one.proposal.weight, desk.repo.pull(one.pull.number), wish.by if wish else ""))
    if standing.rollout.phase is Phase.DONE and ALL not in {one.weight for one in steps}:
        history = desk.repo.history(standing.path, standing.tip)
        at, by = (history[0].at, history[0].author) if history else (desk.now(), "")
        steps.append(Past(ALL, at.isoformat(), by, 0))
    for one in merged:
        if one.proposal.kind == "rollback":
            steps.append(past_of(0, desk.repo.pull(one.pull.number)))
    return steps
