"""The end of a rollout by hand: ``/canary cancel``, before the merge and after it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.lines import carried_over
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import code
from bot.core.trailers import CANCEL
from bot.ports import Moved, Refused
from bot.service import overlapping, proposing
from bot.service.committing import HeadMoved, check_own, twice, with_content
from bot.service.concluding import tidy
from bot.service.converge import converge
from bot.service.drafting import last_record
from bot.service.reading import Held, read_file
from bot.service.scene import Kind
from bot.service.verbs import drifted, need_rollout

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.trailers import Record
    from bot.ports import Commit, File
    from bot.service.desk import Desk
    from bot.service.reading import Standing
    from bot.service.verbs import Case


def cancel(case: Case, _command: c.Cancel) -> Outcome:
    """End the rollout and leave traffic as it is; take back a canary that is not merged yet."""
    if case.scene.kind is Kind.OPEN:
        record = last_record(case.desk, case.scene.pull, case.service)
        if record is not None and record.step == CANCEL and record.comment == case.scene.comment.id:
            return _disarmed(case, record, case.scene.pull.head_sha)  # an interrupted try of this comment
        if record is not None and record.step != CANCEL:
            return twice(case, lambda: _disarm(case))
    desk, name = case.desk, code(case.service.name)
    starts = [o for o in proposing.open_for(desk, case.service) if o.proposal.kind == "start"]
    standing = case.standing()
    if starts and standing.rollout.phase is not Phase.ROLLING:
        for one in starts:
            proposing.close(desk, one, "cancelled", text="Closed: the rollout was cancelled before it began.")
        return case.outcome("done", "applied", f"#{starts[0].pull.number} is closed; {name} stays as it is.")
    return end(case, need_rollout(case, standing), standing)


def end(case: Case, record: Record, standing: Standing) -> Outcome:
    """End a rollout where it is: the step is closed, and none follows."""
    desk, name = case.desk, code(case.service.name)
    step = converge(desk, case.service, merges=False).step
    if step is None:
        mine = proposing.open_for(desk, case.service)
        step = next(
            (o for o in mine if (o.proposal.kind, o.proposal.rollout) == ("step", record.rollout)), None
        )
    if step is None:
        weight = standing.rollout.next_weight
        branch = naming.step_branch(record.rollout, weight if weight is not None else record.weight)
        step = next(iter(proposing.from_branch(desk, branch)), None)
    if step is None:
        raise drifted(standing)  # no step is open, and none follows while the block is what it is
    key = case.scene.key
    if step.proposal.closed == "cancelled" and key not in step.proposal.seen:
        return case.outcome("already", "already", f"The rollout of {name} is cancelled already.", record)
    following = standing.rollout.next_weight
    if following is not None and step.proposal.weight != following:
        # Two people have let this step leave others out: of the first of those it is asked what became of the rollout.
        for left in proposing.from_branch(desk, naming.step_branch(record.rollout, following))[:1]:
            proposing.rewrite(desk, left, replace(left.proposal, closed="cancelled"))
    if step.pull.state == "open":
        proposing.close(
            desk,
            step,
            "cancelled",
            text="Closed: the rollout was cancelled; traffic stays as it is.",
            command=key,
        )
    else:
        proposing.rewrite(desk, step, replace(step.proposal, closed="cancelled").saw(key))
    tidy(desk, record)
    overlapping.tell_waiting(desk, standing)
    text = (
        f"The rollout of {name} ends here: traffic stays at {standing.rollout.weight} % for "
        f"{code(record.candidate)}.{'' if standing.lost is not None else ' `/rollback` still turns back.'}"
    )
    return case.outcome("done", "applied", text, record)


def _disarm(case: Case) -> Outcome:
    """Take back what the bot wrote, byte for byte, if nobody else edited the file since."""
    desk, pull, path = case.desk, case.scene.pull, case.service.path
    written = [
        (commit, found[-1])
        for commit in desk.repo.commits_of(pull.number)
        if commit.ours
        and (found := [r for r in trailers.records(commit.message) if r.service.startswith(f"{path}#")])
    ]
    now = read_file(desk.repo, path, pull.head_sha)
    sides = [_sides(desk, path, commit) for commit, _ in written]
    chain = [*(before for before, _ in sides[1:]), now]
    content = now.content if now is not None else b""
    if now is None or [after and after.blob for _, after in sides] != [f and f.blob for f in chain]:
        raise _changed_by_others(path)
    for (before, after), (_, record) in zip(reversed(sides), reversed(written), strict=True):
        if record.service != case.service.key:
            continue  # the bot's, for another service of the file
        undone = carried_over(content, after.content, before.content) if before and after else None
        if undone is None:
            raise _changed_by_others(path)
        content = undone
    record = next(r for _, r in reversed(written) if r.service == case.service.key)
    author, comment = case.scene.comment.author.login, case.scene.comment.id
    cancelled = replace(record, step=CANCEL, weight=0, requested_by=author, comment=comment)
    message = report.commit_message(cancelled, record.weight, "Cancelled.")
    try:
        sha = desk.repo.commit_file(pull.head_ref, now, content, message)
    except Moved:
        raise HeadMoved from None
    except Refused as refusal:
        raise proposing.refused(refusal) from None
    held = Held(now, case.scene.manifest(desk, case.service))
    case.scene.moved(sha, with_content(case, held, content))
    check_own(case, None)
    return _disarmed(case, cancelled, sha)


def _sides(desk: Desk, path: str, commit: Commit) -> tuple[File | None, File | None]:
    before = read_file(desk.repo, path, commit.parents[0]) if commit.parents else None
    return before, read_file(desk.repo, path, commit.sha)


def _changed_by_others(path: str) -> Declined:
    return Declined(
        Problem(
            "head-moved",
            f"{code(path)} was changed by others after the bot's commit, so it cannot be taken back exactly.",
            "Set the traffic block by hand, or merge with another share.",
        )
    )


def _disarmed(case: Case, record: Record, sha: str) -> Outcome:
    done = "Would be taken back" if case.desk.rehearsal else f"Taken back in {code(sha[:7])}"
    text = f"{done}: {code(case.service.path)} is byte for byte what it was before the bot's first commit."
    return case.outcome("done", "applied", text, record)
