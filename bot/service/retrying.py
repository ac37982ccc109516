"""``/canary retry``: judge again now, and make the bot's pull request again from the base branch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core import report
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import code
from bot.service import overlapping, proposing
from bot.service.checks import plan_check
from bot.service.converge import converge
from bot.service.drafting import armed_record
from bot.service.gating import step_of
from bot.service.rebuilding import rebuilt, renew
from bot.service.scene import Kind
from bot.service.stepping import change_to
from bot.service.verbs import check_turned, drifted, merged_outcome, need_rollout, no_step

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.trailers import Record
    from bot.service.converge import Progress
    from bot.service.proposing import Ours
    from bot.service.reading import Standing
    from bot.service.verbs import Case


def retry(case: Case, _command: c.Retry) -> Outcome:
    """Judge the rollout's next step anew; of a pull request that is not merged yet, its manifests."""
    desk, scene = case.desk, case.scene
    if scene.kind is Kind.CLOSED:
        raise Declined(
            Problem("pull-closed", "This pull request is closed and was not merged.", "Reopen it.")
        )
    desk.again = desk.again or scene.pull.head_sha  # whoever asks is told also what has not changed
    if scene.kind is Kind.OPEN and armed_record(desk, scene.pull, case.service) is not None:
        return _judged(case)
    standing = case.standing()
    mine = proposing.open_for(desk, case.service)
    starts = [one for one in mine if one.proposal.kind == "start"]
    back = next((one for one in mine if one.proposal.kind == "rollback"), None)
    if back is not None or (starts and standing.rollout.phase not in {Phase.ROLLING, Phase.DRIFTED}):
        return _renewed(case, standing, back or starts[0])
    record = need_rollout(case, standing)
    if standing.rollout.phase is Phase.DRIFTED:
        raise drifted(standing)
    progress = converge(desk, case.service, merges=False)
    if progress.problem is not None:
        raise progress.problem
    step, standing = progress.step, progress.standing or standing
    if step is None or step.pull.state != "open":
        raise no_step(case, standing, step)
    step, said = _again(case, standing, record, step)
    progress = converge(desk, case.service)
    check_turned(case, progress, record)
    if progress.problem is not None:
        raise progress.problem
    if progress.merged:
        return merged_outcome(case, standing, progress.merged[0])
    return _verdict(case, progress, step, record, said)


def _judged(case: Case) -> Outcome:
    """Judge the manifests of a pull request that a rollout begins with."""
    desk, pull = case.desk, case.scene.pull
    check = plan_check(desk, pull)
    if check is None:
        raise Declined(Problem("file-missing", f"The base branch {code(pull.base_ref)} is gone."))
    desk.tell(pull.head_sha, [check, *overlapping.quiet(desk, pull)])
    text = f"Judged again at {code(pull.head_sha[:7])}: `canary / plan` says **{check.conclusion}**.\n\n{check.summary}"
    return case.outcome("done", "applied", text)


def _renewed(case: Case, standing: Standing, one: Ours) -> Outcome:
    """Make a start or a rollback again, where the base branch went on."""
    record = standing.rollout.record
    renew(case.desk, standing, one)
    now = case.desk.repo.pull(one.pull.number)
    moved = "made again from the base branch" if now.head_sha != one.pull.head_sha else "as it should be"
    text = f"#{now.number} is {moved}. Merging it applies it."
    return case.outcome("done", "applied", text, record, pull=now.number)


def _again(case: Case, standing: Standing, record: Record, step: Ours) -> tuple[Ours, str]:
    """Forget what a failing gate has left, and build the branch again; say what was done."""
    desk, key = case.desk, case.scene.key
    said = []
    desk.answers.forget(step_of(desk, step.proposal))
    hold = step.proposal.hold
    if hold is not None and hold.cause == "gate":
        step = proposing.rewrite(desk, step, replace(step.proposal, hold=None).saw(key))
    if key in step.proposal.seen:
        said.append("The hold that a failing gate had set is gone.")
    change = change_to(standing, step.proposal.weight, desk.rules_at(record))
    fresh = rebuilt(desk, standing, change, step)
    if fresh.pull.head_sha != step.pull.head_sha:
        said.append(f"The branch is made again from {code(standing.service.base)}.")
    elif not all(commit.ours for commit in desk.repo.commits_of(step.pull.number)):
        said.append("A person committed to this branch: it is kept, and judged as it stands.")
    return fresh, " ".join(said)


def _verdict(case: Case, progress: Progress, step: Ours, record: Record, said: str) -> Outcome:
    gate = progress.gate
    reasons = "".join(f"\n- {reason}" for reason in gate.reasons) if gate is not None else ""
    if progress.refusal:
        verdict = f"GitHub does not merge it yet: {code(progress.refusal, longest=200)}."
    elif reasons:
        verdict = "It waits:"
    else:
        verdict = (
            "It may be merged." if gate is not None else "It is not what the bot proposed; see its checks."
        )
    parts = [
        f"Judged again: #{step.pull.number} goes to {step.proposal.weight} %. {verdict}{reasons}",
        said,
        report.way_back(record),
    ]
    text = "\n\n".join(part for part in parts if part)
    return case.outcome("done", "applied", text, record, pull=step.pull.number)
