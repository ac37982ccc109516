"""The first step of a rollout, planned: what is there, what shall be, and what a reviewer should know of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.legacy import LATEST
from bot.core.problems import Declined, Problem
from bot.core.rollout import Phase, turned_back
from bot.core.start import Started, StartFacts, start
from bot.core.text import code
from bot.core.traffic import Shape
from bot.core.trailers import CANCEL
from bot.manifests import workload
from bot.service import overlapping, owning, previewing, proposing
from bot.service.desk import edited, need_record
from bot.service.reading import Held, Touched, read_held, records_of_pull
from bot.service.scene import Kind

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Service, Standing
    from bot.service.verbs import Case


@dataclass(frozen=True, slots=True)
class Draft:
    """A planned first step: what is there, what shall be, under which rules, and what a reviewer should know.

    ``notes`` say after which rollout it comes, and where a candidate at 0 % is to be seen.
    """

    held: Held
    base: Held | None
    started: Started
    rules: RuleSet
    content: bytes
    cautions: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

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
    armed = proposed_record(case) if merged else None
    if not merged and looks_armed(one, standing):
        armed = armed_record(desk, scene.pull, service)
    rules, way = desk.rules_of(service), desk.config().naming
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
            named=desk.config().rules_for(service.name),
            config=str(desk.configured().pin),
            way=way,
            commit=_source(desk, scene.pull)
            if naming.names_commit(way) and target.version.names_revisions
            else "",
            earlier=tuple(record for record in standing.records if record.pull != scene.pull.number),
            armed=armed,
            merged=merged,
        )
    )
    started, warning = _tried_again(case, command, started, armed, standing, target)
    holder = owning.holder_of(target)
    sha = standing.tip if merged else scene.pull.head_sha
    owning.check_file(desk.repo, target, holder, scene.base, sha)
    refused = owning.refusals(target, holder, started.split)
    if refused:
        raise Declined(*refused)
    content = edited(target, started.split, started.template_name)
    need_record(started.record, target.place)
    cautions = owning.cautions(target, holder, started.split) + owning.left_unread(desk.repo, target, sha)
    first, split = started.record, started.split
    seen = previewing.preview(desk, service.name, split, first.candidate) if first.weight == 0 else ""
    notes = (overlapping.note(desk, standing, scene.pull.number), seen)
    return Draft(
        target, origin, started, rules, content, warning + cautions, tuple(note for note in notes if note)
    )


def _tried_again(  # noqa: PLR0917 - one question, its facts
    case: Case, command: c.Canary, started: Started, armed: Record | None, standing: Standing, target: Held
) -> tuple[Started, tuple[Problem, ...]]:
    """See that nothing is tried again by mistake that was rolled back: the same name is the same content.

    Raises:
        Declined: ``rolled-back-before``, with the words to type.
    """
    record = started.record
    back = rolled_back_before(standing, record)
    if back is None:
        return started, ()
    known = armed is not None and armed.again and armed.candidate == record.candidate
    problem = tell_rolled_back(record, back, typed(command, command.weights), case.service.base, target)
    if not command.again and not known:
        raise Declined(problem)
    return replace(started, record=replace(record, again=True)), (replace(problem, remedy=""),)


def rolled_back_before(standing: Standing, record: Record) -> Record | None:
    """Give the rollback that was the last word on a rollout's candidate, where its name says what it is."""
    weighted = standing.split.shape is Shape.WEIGHTS or bool(record.route)
    if weighted or record.candidate == LATEST:
        return None
    return turned_back(standing.records, record.candidate)


def tell_rolled_back(record: Record, back: Record, command: str, base: str, target: Held) -> Problem:
    """Say when a candidate was rolled back, and what to type where it is meant all the same."""
    who = f"the rules ({code(back.cause)})" if back.cause else code(back.requested_by)
    return Problem(
        "rolled-back-before",
        f"{code(record.candidate)} was rolled back on {code(base)}, as {who} asked; its rollout began on #{back.pull}.",
        f"Bring a new revision; or, if this one is meant again: {code(f'{command} --again')}.",
        target.place,
    )


def _source(desk: Desk, pull: Pull) -> str:
    """Give the sha of the newest commit of a pull request that is not the bot's: it brings the template.

    Raises:
        Declined: ``naming-impossible``: there is none, or GitHub does not list it.
    """
    commits = desk.repo.commits_of(pull.number)
    # GitHub lists the oldest 250; a working tree's head has a mark for what is not committed.
    if commits and commits[-1].sha == pull.head_sha.rstrip("+"):
        for commit in reversed(commits):
            if not commit.ours:
                return commit.sha
    raise Declined(
        Problem(
            "naming-impossible",
            "`naming` names candidates by their commit, and no commit of a person can be told to bring this one.",
            "Set a new `spec.template.metadata.name` by hand; it must begin with the service's name.",
        )
    )


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


def open_start(case: Case) -> proposing.Ours | None:
    """Find the start pull request that is open for this merged one."""
    mine = proposing.open_for(case.desk, case.service)
    number = case.scene.pull.number
    return next((o for o in mine if o.proposal.kind == "start" and o.proposal.pull == number), None)


def proposed_record(case: Case) -> Record | None:
    """Give the record of the start pull request that is open: another share keeps the rollout's id."""
    start_pull = open_start(case)
    if start_pull is None:
        return None
    found = records_of_pull(case.desk.repo, start_pull.pull.number)
    return found[-1] if found else None


def looks_armed(one: Touched, standing: Standing) -> bool:
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


def remarks(plan: Draft) -> list[str]:
    """Give what a reader should know of the edit: another scale of weights, and what else acts on the object."""
    scale = workload.remark(plan.held.manifest, plan.started.split)
    if plan.started.record.candidate == LATEST:
        scale = (
            "`@latest` follows the newest ready revision: while this rollout runs, every change of the template "
            "is the candidate at once."
        )
    return [
        *plan.notes,
        *([scale] if scale else []),
        *(f"**Note** · {report.problem_text(c, with_code=True)}" for c in plan.cautions),
    ]


def begins_nothing(plan: Draft) -> bool:
    """Whether 0 % leaves the file as the base branch has it: then no commit of its history would say so."""
    base = plan.base.file.content if plan.base is not None else None
    return plan.started.record.weight == 0 and plan.content == base


def unchanged(case: Case, plan: Draft, command: c.Canary, armed: Record | None, where: str) -> Outcome:
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
                f"Begin with at least 1: {code(typed(command, weights))}.{taken_back}",
                plan.held.place,
            )
        )
    if not case.desk.rehearsal:
        text += " No command did that, so no rollout begins with it; another share begins one."
    return case.outcome("already", "already", text, record)


def typed(command: c.Canary, weights: tuple[int, ...]) -> str:
    """Give a command as it would be typed with other weights; the head that it was for is left out."""
    options = {"stable": command.stable, "candidate": command.candidate, "route": command.route}
    words = ["/canary", command.service, *map(str, weights)]
    words += [f"{key}={value}" for key, value in options.items() if value]
    return " ".join(word for word in words if word)
