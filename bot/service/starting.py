"""``/canary`` itself: a rollout begins with a commit on the pull request, or with a start pull request.

``/canary plan`` shows the same without writing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core import report
from bot.core.markers import Proposal
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.text import code, code_block
from bot.core.traffic import Shape
from bot.manifests.diff import unified
from bot.ports import Moved, Refused
from bot.service import overlapping, previewing, proposing
from bot.service.checks import plan_check
from bot.service.committing import HeadMoved, check_own, twice, with_content
from bot.service.converge import converge
from bot.service.desk import after
from bot.service.drafting import (
    Draft,
    armed_record,
    begins_nothing,
    draft,
    looks_armed,
    open_start,
    proposed_record,
    remarks,
    typed,
    unchanged,
)
from bot.service.freezing import refuse_start
from bot.service.scene import Kind

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.trailers import Record
    from bot.service.reading import Held, Service
    from bot.service.verbs import Case


def canary(case: Case, command: c.Canary) -> Outcome:
    """Start a rollout, or set the share of one that is not merged yet."""
    scene = case.scene
    if scene.kind in {Kind.STEP, Kind.ROLLBACK}:
        home = scene.proposal.pull if scene.proposal else scene.pull.number
        raise Declined(
            Problem(
                "wrong-place",
                "A rollout begins on the pull request that brings the new revision.",
                f"`/promote` takes the next step here; comment `/canary` on #{home} to begin again.",
            )
        )
    if scene.kind is Kind.CLOSED:
        raise Declined(
            Problem("pull-closed", "This pull request is closed and was not merged.", "Reopen it.")
        )
    if scene.kind is Kind.MERGED:
        return _start_after_merge(case, command)
    return twice(case, lambda: _commit_to_pull(case, command))


def _check_head(case: Case, wanted: str | None) -> None:
    if wanted is not None and not case.scene.pull.head_sha.startswith(wanted.lower()):
        raise Declined(
            Problem(
                "wrong-head",
                f"{code(wanted)} is not the current head, that is {code(case.scene.pull.head_sha[:7])}.",
                "Look at the new commits and repeat the command.",
            )
        )


def _commit_to_pull(case: Case, command: c.Canary) -> Outcome:
    desk, pull, service = case.desk, case.scene.pull, case.service
    # First of all: has an interrupted try of this comment done it already?
    one = case.scene.touched_one(desk, service)
    armed = None
    if one.target is not None and looks_armed(one, case.standing()):
        armed = armed_record(desk, pull, service)
        if armed is not None and armed.comment == case.scene.comment.id:
            check = plan_check(desk, pull)
            if check is not None:
                desk.tell(pull.head_sha, [check, *overlapping.quiet(desk, pull)])
            return _armed_outcome(case, armed, one.target, one.before, None)
    _check_head(case, command.sha)
    overlapping.refuse(desk, case.standing(), pull.number)
    plan = draft(case, command)
    record = plan.started.record
    if pull.from_fork:
        raise _fork(plan, service, command)
    if not plan.changes or (begins_nothing(plan) and not desk.rehearsal):
        armed = armed_record(desk, pull, service) if armed is None and record.weight == 0 else armed
        if one.target is not None and armed is not None and armed.comment == record.comment:
            return _armed_outcome(case, armed, one.target, one.before, None)  # an interrupted try did it
        return unchanged(case, plan, command, armed, "in this pull request ")
    reason = f"Asked for by {record.requested_by} on #{pull.number}. {proposing.rules_line(plan.rules, record.weight)}"
    message = report.commit_message(record, 0, reason)
    try:
        sha = desk.repo.commit_file(pull.head_ref, plan.held.file, plan.content, message)
    except Moved:
        raise HeadMoved from None
    except Refused as refusal:
        raise proposing.refused(refusal) from None
    case.scene.moved(sha, with_content(case, plan.held, plan.content))
    check_own(case, record)
    diff = unified(plan.held.file.content, plan.content, service.path)
    return _armed_outcome(case, record, plan.held, plan.base, diff, plan)


def _armed_outcome(  # noqa: PLR0917 - one reply, its facts
    case: Case, record: Record, held: Held, base: Held | None, diff: str | None, plan: Draft | None = None
) -> Outcome:
    split = plan.started.split if plan is not None else held.version.split
    before = base.version.split if base is not None else None
    head = case.scene.pull.head_sha[:7]
    done = "Would commit" if case.desk.rehearsal else f"Committed {code(head)}"
    parts = [
        f"{done}: {code(record.candidate)} gets **{record.weight} %** of "
        f"{code(case.service.name)}, {code(record.stable)} keeps {100 - record.weight} %.",
        report.split_table(before, split),
        code_block(report.bars(split)),
    ]
    if diff:
        parts.append(report.diff_block(diff))
    if plan is not None:
        parts += remarks(plan)
    elif record.weight == 0 and split.shape is Shape.TARGETS:
        parts.append(previewing.preview(case.desk, case.service.name, split, record.candidate))
    parts.append(f"Merging this pull request applies it. {after(case.desk, record, record.weight)}")
    parts.append(
        f"`/canary N` here changes the share, `/canary cancel` takes it back. {report.way_back(record)}"
    )
    return case.outcome("done", "applied", "\n\n".join(parts), record)


def _fork(plan: Draft, service: Service, command: c.Canary) -> Declined:
    diff = unified(plan.held.file.content, plan.content, service.path)
    again = code(typed(command, command.weights))
    return Declined(
        Problem(
            "fork",
            "This pull request comes from a fork, where the bot has no right to commit. This is the change:\n\n"
            + report.diff_block(diff),
            f"Its author can make it; or merge, and comment {again} then: that opens a start pull request.",
        )
    )


def _start_after_merge(case: Case, command: c.Canary) -> Outcome:
    desk, service = case.desk, case.service
    standing = case.standing()
    running = standing.rollout
    goes_on = running.phase in {Phase.ROLLING, Phase.DRIFTED} and not proposing.was_cancelled(desk, running)
    if running.record is not None and goes_on:
        _refuse_running(case, running.record, running.weight, command)
        if running.record.pull == case.scene.pull.number:
            text = f"{code(service.name)} is at {running.weight} % already."
            return case.outcome("already", "already", text, running.record)
    earlier = open_start(case)
    if earlier is not None and case.scene.key in earlier.proposal.seen:
        # An interrupted try of this comment opened it.
        _close_other_starts(case, earlier)
        return _start_outcome(case, earlier, None)
    overlapping.refuse(desk, standing, case.scene.pull.number)
    plan = draft(case, command)
    record = plan.started.record
    refuse_start(desk, service)
    if earlier is not None and (earlier.proposal.rollout, earlier.proposal.weight) == (
        record.rollout,
        record.weight,
    ):
        converge(desk, service)  # rebuilds it, should the base branch have gone on
        text = f"#{earlier.pull.number} starts {code(service.name)} at {record.weight} % already; merging applies it."
        return case.outcome("already", "already", text, record, pull=earlier.pull.number)
    if not plan.changes:
        return unchanged(case, plan, command, None, "")
    proposal = Proposal(
        kind="start",
        service=service.key,
        rollout=record.rollout,
        weight=record.weight,
        before=0,
        pull=case.scene.pull.number,
        base=service.base,
    ).saw(case.scene.key)
    change = proposing.Change(
        service,
        plan.held,
        plan.started.split,
        record,
        f"Asked for on #{proposal.pull}.",
        plan.started.template_name,
    )
    body = report.step_body(
        proposal,
        record,
        standing.split,
        plan.started.split,
        plan.rules,
        None,
        web_url=desk.repo.web_url,
        remark="\n\n".join((change.remark, *plan.notes)).strip(),
        starts_workflows=desk.repo.starts_workflows,
    )
    title = f"{service.name}: start {record.candidate} at {record.weight} %"
    opened = proposing.propose(desk, standing.tip, change, proposal, title=title, body=body)
    _close_other_starts(case, opened)
    check = plan_check(desk, opened.pull)
    if check is not None:
        desk.tell(opened.pull.head_sha, [check], fresh=True)
    desk.afterwards.append((opened.pull.head_sha, overlapping.quiet(desk, opened.pull, proposal)))
    return _start_outcome(case, opened, plan)


def _close_other_starts(case: Case, opened: proposing.Ours) -> None:
    for other in proposing.open_for(case.desk, case.service):
        if other.proposal.kind == "start" and other.pull.number != opened.pull.number:
            text = f"Closed: #{opened.pull.number} starts the rollout instead."
            proposing.close(case.desk, other, "superseded", text=text)


def _refuse_running(case: Case, record: Record, weight: int, command: c.Canary) -> None:
    if record.pull == case.scene.pull.number and command.weights[0] != weight:
        raise Declined(
            Problem(
                "step-order",
                f"The rollout of {code(case.service.name)} runs already, at {weight} %.",
                "`/promote` takes the next step, `/rollback` turns back.",
            )
        )


def _start_outcome(case: Case, ours: proposing.Ours, plan: Draft | None) -> Outcome:
    parts = [
        f"{proposing.done(case.desk, ours)}: {code(case.service.name)} starts at **{ours.proposal.weight} %**."
    ]
    record = None
    if plan is None:
        record = proposed_record(case)
    else:
        record = plan.started.record
        before = plan.base.version.split if plan.base else None
        parts += [
            report.split_table(before, plan.started.split),
            report.diff_block(unified(plan.held.file.content, plan.content, case.service.path)),
            *remarks(plan),
            f"Merging it applies it. {report.after(record, plan.rules, record.weight)} {report.way_back(record)}",
        ]
    return case.outcome("done", "proposed", "\n\n".join(parts), record, pull=ours.pull.number)


def plan(case: Case, command: c.Plan) -> Outcome:
    """Show the diff, the split and the calendar; write nothing."""
    from bot.core.commands import Canary  # noqa: PLC0415 - the parser's value, made here from another

    if case.scene.kind not in {Kind.OPEN, Kind.MERGED}:
        raise Declined(
            Problem(
                "wrong-place", "A plan is for a pull request with a new revision.", "Try `/canary status`."
            )
        )
    rules = case.desk.rules_of(case.service)
    weight = command.weight if command.weight is not None else rules.steps[0].weight
    asked = Canary(
        service=case.service.name,
        weights=(weight,),
        stable=command.stable,
        candidate=command.candidate,
        route=command.route,
        line=command.line,
        source=command.source,
    )
    words, remedy = f"/canary {weight}", ""
    try:
        drafted = draft(case, asked)
    except Declined as declined:
        problem = declined.problems[0]
        if problem.code != "rolled-back-before":
            raise
        # A plan shows it all the same, and what has to be typed.
        words, remedy = f"{words} --again", problem.remedy
        drafted = draft(case, replace(asked, again=True))
    record = drafted.started.record
    before = drafted.base.version.split if drafted.base else None
    diff = unified(drafted.held.file.content, drafted.content, case.service.path)
    parts = [
        f"{code(words)} would give {code(record.candidate)} **{weight} %** of {code(case.service.name)}; "
        "nothing was written.",
        *([remedy] if remedy else []),
        report.split_table(before, drafted.started.split),
        report.diff_block(diff) if diff else "The file holds that split already.",
        *remarks(drafted),
        f"Earliest times under `{rules.id}`, if the first step were merged now:",
        report.calendar(record, rules, case.desk.now()),
    ]
    return case.outcome("answered", "shown", "\n\n".join(parts), record)
