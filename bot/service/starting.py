"""``/canary`` itself: a rollout begins with a commit on the pull request, or with a start pull request.

``/canary plan`` shows the same without writing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import report, trailers
from bot.core.legacy import LATEST
from bot.core.markers import Proposal
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase
from bot.core.start import Started, StartFacts, start
from bot.core.text import code, code_block
from bot.core.traffic import Shape
from bot.core.trailers import CANCEL
from bot.manifests import workload
from bot.manifests.diff import unified
from bot.ports import Moved, Refused
from bot.service import owning, proposing
from bot.service.checks import Known, plan_check, quiet_checks
from bot.service.converge import converge
from bot.service.desk import edited, need_record
from bot.service.reading import Held, Touched, read_held, records_of_pull
from bot.service.scene import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Service, Standing
    from bot.service.verbs import Case


class HeadMoved(Exception):  # noqa: N818 - an answer: plan again
    """The file changed between reading and writing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A planned first step: what is there, what shall be, under which rules, and what a reviewer should know."""

    held: Held
    base: Held | None
    started: Started
    rules: RuleSet
    content: bytes
    cautions: tuple[Problem, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the file has to change at all."""
        return self.content != self.held.file.content


def armed_record(desk: Desk, pull: Pull, service: Service) -> Record | None:
    """Give the record of an unmerged rollout on a feature pull request: the bot's last commit in it."""
    last = last_record(desk, pull, service)
    return last if last is not None and last.step != CANCEL else None


def last_record(desk: Desk, pull: Pull, service: Service) -> Record | None:
    """Give the bot's last record of a service on an unmerged pull request, a cancellation included."""
    if pull.from_fork:
        return None  # the bot commits to no fork; a workflow there may look like it
    own = (commit for commit in desk.repo.commits_of(pull.number) if commit.ours)
    found = [r for commit in own for r in trailers.records(commit.message) if r.service == service.key]
    return found[-1] if found else None


def draft(case: Case, command: c.Canary) -> Draft:
    """Plan the first step on an open or merged feature pull request.

    Raises:
        Declined: As ``bot.core.rollout.start``; the file cannot be edited exactly.
    """
    desk, scene, service = case.desk, case.scene, case.service
    merged = scene.kind is Kind.MERGED
    standing = case.standing()
    one = scene.touched_one(desk, service)
    target = standing.held if merged else one.target
    if target is None:
        raise Declined(Problem("no-service", f"{code(service.name)} is not in this pull request any more."))
    # Where the pull request moves the file, the base branch has the service under its old path.
    origin = standing.held if standing.held is not None else one.before
    before = read_held(desk.repo, service.path, service.id, scene.pull.base_sha) if merged else origin
    if before is None and not merged:
        raise _new_service(service)
    armed = _proposed_record(case) if merged else None
    if not merged and _looks_armed(one, standing):
        armed = armed_record(desk, scene.pull, service)
    rules = desk.rules_of(service)
    route = _route(case, command, target, armed, standing)
    target = target.at(route)
    _same_rule(case, target, armed, standing)
    before, origin = (_at(held, route) for held in (before, origin))
    started = start(
        StartFacts(
            key=service.key,
            before=before.version if before is not None else None,
            target=target.version,
            base_split=origin.version.split if origin is not None else target.version.split,
            running=standing.rollout,
            rules=rules,
            pull=scene.pull.number,
            comment=scene.comment.id,
            requested_by=scene.comment.author.login,
            weights=command.weights,
            stable=command.stable,
            candidate=command.candidate,
            route=target.manifest.route,
            armed=armed,
            merged=merged,
        )
    )
    holder = owning.holder_of(target)
    sha = standing.tip if merged else scene.pull.head_sha
    owning.check_file(desk.repo, target, holder, scene.base, sha)
    refused = owning.refusals(target, holder, started.split)
    if refused:
        raise Declined(*refused)
    content = edited(target, started.split, started.template_name)
    need_record(started.record, target.place)
    cautions = owning.cautions(target, holder, started.split) + owning.left_unread(desk.repo, target, sha)
    return Draft(target, origin, started, rules, content, cautions)


def _route(
    case: Case, command: c.Canary, target: Held, armed: Record | None, standing: Standing
) -> str | None:
    """Give the rule that is meant: as typed, as this rollout or the running one has it, as configured."""
    if not target.manifest.rules:
        return command.route
    running = standing.rollout.record if standing.rollout.phase is Phase.ROLLING else None
    for said in (
        command.route,
        armed.route if armed is not None else None,
        running.route if running is not None else None,
        case.desk.config().of(case.service.name).route,
    ):
        if said:
            return said
    return None


def _same_rule(case: Case, target: Held, armed: Record | None, standing: Standing) -> None:
    """Refuse a second rule of one object: its rollout would leave the first one's canary where it is.

    Raises:
        Declined: ``rollout-running``.
    """
    running = standing.rollout
    goes_on = running.phase in {Phase.ROLLING, Phase.DRIFTED} and not proposing.was_cancelled(
        case.desk, running
    )
    for record in (armed, running.record if goes_on else None):
        own = target.manifest.rule
        if record is None or own is None or not record.route:
            continue
        try:
            rule = target.manifest.at(record.route).rule
        except Declined:
            continue  # it is gone, and says so itself
        if rule is None or rule.where == own.where:
            continue
        raise Declined(
            Problem(
                "rollout-running",
                f"A rollout of {code(record.route.partition('~')[0])} of {code(case.service.name)} is at "
                f"{record.weight} %; one rule of an object at a time.",
                "End that one first: `/promote`, `/rollback` or `/canary cancel`.",
                target.place,
            )
        )


def _at(held: Held | None, route: str | None) -> Held | None:
    try:
        return None if held is None else held.at(route)
    except Declined:
        return None  # the rule is new in this pull request


def _open_start(case: Case) -> proposing.Ours | None:
    """Find the start pull request that is open for this merged one."""
    mine = proposing.open_for(case.desk, case.service)
    number = case.scene.pull.number
    return next((o for o in mine if o.proposal.kind == "start" and o.proposal.pull == number), None)


def _proposed_record(case: Case) -> Record | None:
    """Give the record of the start pull request that is open: another share keeps the rollout's id."""
    start_pull = _open_start(case)
    if start_pull is None:
        return None
    found = records_of_pull(case.desk.repo, start_pull.pull.number)
    return found[-1] if found else None


def _looks_armed(one: Touched, standing: Standing) -> bool:
    """Whether the block differs from the base branch's: only then the bot may have been here before."""
    base = standing.held.manifest.written if standing.held else ()
    return one.target is not None and one.target.manifest.written != base


def _new_service(service: Service) -> Declined:
    return Declined(
        Problem(
            "unknown-stable",
            f"{code(service.name)} is new in this pull request: nothing serves yet, so there is nothing to "
            "shift traffic from.",
            "Merge it; `/canary` is for the next change.",
        )
    )


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


def twice(case: Case, write: Callable[[], Outcome]) -> Outcome:
    """Write, and once more on what is there now where it moved; a second race is the reviewer's to look at."""
    scene = case.scene
    try:
        return write()
    except HeadMoved:
        scene.pull = case.desk.repo.pull(scene.pull.number)
        scene.forget()
    try:
        return write()
    except HeadMoved:
        raise Declined(
            Problem(
                "head-moved",
                f"The branch moved from {code(scene.pull.head_sha[:7])} while I worked; nothing was written.",
                "Look at the new commits and repeat the command.",
            )
        ) from None


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
    if one.target is not None and _looks_armed(one, case.standing()):
        armed = armed_record(desk, pull, service)
        if armed is not None and armed.comment == case.scene.comment.id:
            check = plan_check(desk, pull)
            if check is not None:
                desk.tell(pull.head_sha, [check, *quiet_checks(desk, pull.number)])
            return _armed_outcome(case, armed, one.target, one.before, None)
    _check_head(case, command.sha)
    plan = draft(case, command)
    record = plan.started.record
    if pull.from_fork:
        raise _fork(plan, service, command)
    if not plan.changes or (_begins_nothing(plan) and not desk.rehearsal):
        armed = armed_record(desk, pull, service) if armed is None and record.weight == 0 else armed
        if one.target is not None and armed is not None and armed.comment == record.comment:
            return _armed_outcome(case, armed, one.target, one.before, None)  # an interrupted try did it
        return _unchanged(case, plan, command, armed, "in this pull request ")
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


def check_own(case: Case, record: Record | None) -> None:
    """Set the checks on the commit that was made just now, from what is known of it.

    Those that have nothing to say of it wait until the command is answered.
    """
    desk, pull = case.desk, case.scene.pull
    known = Known(case.scene.touched(desk), record)
    check = plan_check(desk, pull, known)
    if check is not None:
        desk.tell(pull.head_sha, [check], fresh=True)
    desk.afterwards.append((pull.head_sha, quiet_checks(desk, pull.number)))


def with_content(case: Case, held: Held, content: bytes) -> tuple[Touched, ...]:
    """Give the pull request's services as they are with another content of one file."""
    file = replace(held.file, content=content, blob="")
    found = {w.id: w for w in workload.find(content, file.path).workloads}
    changed = case.scene.touched(case.desk)
    if case.service not in {one.service for one in changed}:
        changed = (*changed, Touched(case.service, held, held))  # found elsewhere in the repository
    return tuple(
        replace(one, target=Held(file, found[one.service.id]))
        if one.service.path == file.path and one.service.id in found
        else one
        for one in changed
    )


def _armed_outcome(  # noqa: PLR0917 - one reply, its facts
    case: Case, record: Record, held: Held, base: Held | None, diff: str | None, plan: Draft | None = None
) -> Outcome:
    rules = case.desk.rulebook.get(record.rules)
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
        parts += _remarks(plan)
    if record.weight == 0 and split.shape is Shape.TARGETS:
        parts.append(f"At 0 % only the tag's URL leads to {code(record.candidate)}.")
    parts.append(f"Merging this pull request applies it. {report.after(record, rules, record.weight)}")
    parts.append(
        f"`/canary N` here changes the share, `/canary cancel` takes it back. {report.way_back(record)}"
    )
    return case.outcome("done", "applied", "\n\n".join(parts), record)


def _remarks(plan: Draft) -> list[str]:
    """Give what a reader should know of the edit: another scale of weights, and what else acts on the object."""
    scale = workload.remark(plan.held.manifest, plan.started.split)
    if plan.started.record.candidate == LATEST:
        scale = (
            "`@latest` follows the newest ready revision: while this rollout runs, every change of the template "
            "is the candidate at once."
        )
    return [
        *([scale] if scale else []),
        *(f"**Note** · {report.problem_text(c, with_code=True)}" for c in plan.cautions),
    ]


def _begins_nothing(plan: Draft) -> bool:
    """Whether 0 % leaves the file as the base branch has it: then no commit of its history would say so."""
    base = plan.base.file.content if plan.base is not None else None
    return plan.started.record.weight == 0 and plan.content == base


def _unchanged(case: Case, plan: Draft, command: c.Canary, armed: Record | None, where: str) -> Outcome:
    """Answer a share that changes no byte.

    A rollout is remembered by the commits that changed its file. GitHub makes a commit without a change, but
    leaves it out of the file's history: nothing would follow the merge.

    Raises:
        Declined: ``weight-out-of-range``: 0 % begins nothing here.
    """
    record, shape = plan.started.record, plan.started.split.shape
    text = f"{code(case.service.name)} is at {record.weight} % {where}already."
    known = armed is not None and armed.weight == record.weight
    if known or (case.desk.rehearsal and shape is not Shape.WEIGHTS):
        return case.outcome("already", "already", text, record)
    if record.weight == 0:
        why = (
            "There is no tag to be put on a destination"
            if shape is Shape.WEIGHTS
            else "The file says so already"
        )
        taken_back = " `/canary cancel` takes back what is here." if armed is not None else ""
        weights = command.weights[1:] or (1,)
        raise Declined(
            Problem(
                "weight-out-of-range",
                f"{why}: 0 % changes nothing, and without a change no rollout begins.",
                f"Begin with at least 1: {code(_typed(command, weights))}.{taken_back}",
                plan.held.place,
            )
        )
    if not case.desk.rehearsal:
        text += " No command did that, so no rollout begins with it; another share begins one."
    return case.outcome("already", "already", text, record)


def _typed(command: c.Canary, weights: tuple[int, ...]) -> str:
    """Give a command as it would be typed with other weights; the head that it was for is left out."""
    options = {"stable": command.stable, "candidate": command.candidate, "route": command.route}
    words = ["/canary", command.service, *map(str, weights)]
    words += [f"{key}={value}" for key, value in options.items() if value]
    return " ".join(word for word in words if word)


def _fork(plan: Draft, service: Service, command: c.Canary) -> Declined:
    diff = unified(plan.held.file.content, plan.content, service.path)
    again = code(_typed(command, command.weights))
    return Declined(
        Problem(
            "fork",
            "This pull request comes from a fork, where the bot has no right to commit. This is the change:\n\n"
            + report.diff_block(diff),
            f"Its author can make it; or merge, and comment {again} then: that opens a start pull request.",
        )
    )


# --- after the merge --------------------------------------------------------------------------


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
    earlier = _open_start(case)
    if earlier is not None and case.scene.key in earlier.proposal.seen:
        # An interrupted try of this comment opened it.
        _close_other_starts(case, earlier)
        return _start_outcome(case, earlier, None)
    plan = draft(case, command)
    record = plan.started.record
    if earlier is not None and (earlier.proposal.rollout, earlier.proposal.weight) == (
        record.rollout,
        record.weight,
    ):
        converge(desk, service)  # rebuilds it, should the base branch have gone on
        text = f"#{earlier.pull.number} starts {code(service.name)} at {record.weight} % already; merging applies it."
        return case.outcome("already", "already", text, record, pull=earlier.pull.number)
    if not plan.changes:
        return _unchanged(case, plan, command, None, "")
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
        remark=change.remark,
        starts_workflows=desk.repo.starts_workflows,
    )
    title = f"{service.name}: start {record.candidate} at {record.weight} %"
    opened = proposing.propose(desk, standing.tip, change, proposal, title=title, body=body)
    _close_other_starts(case, opened)
    check = plan_check(desk, opened.pull)
    if check is not None:
        desk.tell(opened.pull.head_sha, [check], fresh=True)
    desk.afterwards.append((opened.pull.head_sha, quiet_checks(desk, opened.pull.number, proposal)))
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
        record = _proposed_record(case)
    else:
        record = plan.started.record
        before = plan.base.version.split if plan.base else None
        parts += [
            report.split_table(before, plan.started.split),
            report.diff_block(unified(plan.held.file.content, plan.content, case.service.path)),
            *_remarks(plan),
            f"Merging it applies it. {report.after(record, plan.rules, record.weight)} {report.way_back(record)}",
        ]
    return case.outcome("done", "proposed", "\n\n".join(parts), record, pull=ours.pull.number)


# --- plan --------------------------------------------------------------------------


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
    drafted = draft(case, asked)
    record = drafted.started.record
    before = drafted.base.version.split if drafted.base else None
    diff = unified(drafted.held.file.content, drafted.content, case.service.path)
    parts = [
        f"`/canary {weight}` would give {code(record.candidate)} **{weight} %** of {code(case.service.name)}; "
        "nothing was written.",
        report.split_table(before, drafted.started.split),
        report.diff_block(diff) if diff else "The file holds that split already.",
        *_remarks(drafted),
        f"Earliest times under `{rules.id}`, if the first step were merged now:",
        report.calendar(record, rules, case.desk.now()),
    ]
    return case.outcome("answered", "shown", "\n\n".join(parts), record)
