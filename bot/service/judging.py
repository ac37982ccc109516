"""What can be said of one manifest of a pull request: problems, and notes on what is not the bot's to judge."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.core import generated, naming, report, trailers
from bot.core.findings import Level, of_reader
from bot.core.problems import Declined, Place, Problem
from bot.core.rollout import Phase, holds, is_outdated
from bot.core.text import code
from bot.core.weights import Platform
from bot.manifests import workload
from bot.ports import Missing, Refused
from bot.service import proposing
from bot.service.comparing import held_at_origin, keeps_others, moves
from bot.service.drafting import rolled_back_before, tell_rolled_back
from bot.service.owning import by_a_program
from bot.service.reading import Service, read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.core.rollout import Rollout
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Held, Touched


@dataclass(slots=True)
class Judged:
    """What was found.

    ``notes`` are Markdown and stop nothing. ``aside`` says that a manifest is not judged, and a note why.
    ``shown`` is the manifest as it is, and as a merge would leave it, with the rule of the rollout.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    aside: bool = False
    shown: Touched | None = None


def judge(desk: Desk, pull: Pull, one: Touched, record: Record | None) -> Judged:
    """Judge one manifest at the head of a pull request.

    Args:
        desk: The look's tools.
        pull: The pull request.
        one: The manifest on both sides.
        record: What the command wrote that armed the pull request; of the bot's own, what it was made for.
    """
    if one.target is None:
        return Judged()
    if record is None and not pull.ours:
        return _without_command(desk, pull, one, one.target)
    try:
        one = one.at(record.route) if record is not None and record.route else one
    except Declined as error:
        return Judged(list(error.problems))
    judged = Judged(shown=one)
    judged.problems += _of_the_object(one, judged, owned=True)
    if record is not None:
        judged.problems += _against_record(desk, pull, one, record)
    return judged


def _without_command(desk: Desk, pull: Pull, one: Touched, target: Held) -> Judged:
    running = _running(desk, one)
    if running is None:
        refused = _not_ours(desk, pull, target.file.path, target.file.content)
        if refused is not None:
            return Judged(notes=[_note(refused)], aside=True)
    judged = Judged(shown=one)
    if running is not None and running.record is not None and running.record.route:
        with suppress(Declined):  # the rule is gone, which is judged below
            judged.shown = one.at(running.record.route)
    judged.problems += _of_the_object(one, judged, owned=running is not None)
    if running is not None and running.record is not None:
        judged.problems += _moves_by_itself(desk, pull, one, running, running.record, judged)
    return judged


def judge_unreadable(desk: Desk, pull: Pull, tip: str, problems: Iterable[Problem]) -> Judged:
    """Part what fails from what is only not read, where no manifest of a pull request can be judged.

    A file that a rollout is about has to be readable, whatever it is.
    """
    judged = Judged(aside=True)
    known: dict[str, Problem | None] = {}
    for problem in problems:
        path = problem.place.path if problem.place is not None else ""
        reading = of_reader(problem).level is Level.ERROR and problem.code != "path-refused"
        if path and path not in known:
            known[path] = _not_ours_at(desk, pull, path)
        refused = known.get(path)
        if (reading and refused is None) or _is_rolled(desk, pull, tip, path):
            judged.problems.append(problem)
        elif (note := _note(refused or problem)) not in judged.notes:
            judged.notes.append(note)
    return judged


# --- files that are not the bot's ---------------------------------------------------------------


def _not_ours_at(desk: Desk, pull: Pull, path: str) -> Problem | None:
    file = read_file(desk.repo, path, pull.head_sha)
    return None if file is None else _not_ours(desk, pull, path, file.content)


def _not_ours(desk: Desk, pull: Pull, path: str, content: bytes) -> Problem | None:
    try:
        return by_a_program(desk.repo, path, content, pull.base_ref, pull.head_sha)
    except Missing:  # a fork that went away: nothing can be listed
        return generated.refusal(path, pull.base_ref, content=content)


def _is_rolled(desk: Desk, pull: Pull, tip: str, path: str) -> bool:
    """Whether a rollout is about a file: one that runs, or one that begins with the pull request.

    Without a path all files of the pull request are asked about.
    """
    paths = {
        old
        for changed in desk.repo.changed_files(pull)
        if path in {"", changed.path}
        for old in (changed.path, changed.previous_path)
        if old
    }
    own = () if pull.from_fork else desk.repo.commits_of(pull.number)
    begun = [r for commit in own if commit.ours for r in trailers.records(commit.message)]
    if any(record.service.rpartition("#")[0] in paths for record in begun):
        return True
    keys: dict[str, None] = {}
    for old in sorted(paths):
        if old.endswith((".yaml", ".yml", ".json")):
            with suppress(Refused):  # at a path like that nothing was ever rolled out
                keys |= {record.service: None for record in desk.historian.all_records(desk.repo, old, tip)}
    services = (Service.parse(pull.base_ref, key) for key in keys)
    return any(_rolls(desk, service) is not None for service in services if service is not None)


# --- the manifest itself ------------------------------------------------------------------------


def _of_the_object(one: Touched, judged: Judged, *, owned: bool) -> Iterator[Problem]:
    """Say what the platform says of the whole object.

    Who else sets its weights is a problem where it is ``owned``, by a rollout of the bot, and a note elsewhere.
    """
    if one.target is None:
        return
    manifest = one.target.manifest
    if not manifest.rules:
        yield from workload.problems_with(manifest, manifest.split)
        yield from _unchanged_name(one, one.target)
        return
    for rule in manifest.rules:
        weights, name = rule.weights, f"{code(rule.where)} of {code(rule.name)}"
        largest = weights.platform.largest
        if weights.refusal is not None:
            wrong = next((d for d in weights.destinations if not 0 <= (d.weight or 0) <= largest), None)
            message = f"{weights.platform.value} refuses {name}: {code(weights.refusal)}."
            remedy = f"Write weights from 0 to {largest} that do not sum to 0."
            place = Place(rule.path, wrong.line) if wrong is not None and wrong.line else rule.place
            yield Problem("split-invalid", message, remedy, place)
        elif weights.platform is Platform.GATEWAY and weights.total == 0:
            message = f"All weights of {name} are 0: every request is answered with status 500."
            remedy = "Give a backend some weight."
            judged.notes.append(_note(Problem("split-invalid", message, remedy, rule.place)))
    foreign = next((rule.foreign for rule in manifest.rules if rule.foreign is not None), None)
    unread = workload.find(one.target.file.content, manifest.path, name=manifest.name).problems
    for problem in (*unread, *([foreign] if foreign is not None else [])):
        if of_reader(problem).level is Level.ERROR or (owned and problem is foreign):
            yield problem
        else:
            judged.notes.append(_note(problem))


def _unchanged_name(one: Touched, target: Held) -> Iterator[Problem]:
    if one.before is None:
        return
    manifest, before, version = target.manifest, one.before.version, target.version
    name = manifest.template_name
    if name is not None and before.template != version.template and before.template_name == name:
        yield Problem(
            "name-unchanged",
            f"The template changes and keeps its revision name {code(name)}: the API server refuses that.",
            "`/canary 25` gives it a new name, or change `spec.template.metadata.name`.",
            Place(manifest.path, manifest.template_name_line or manifest.line),
        )


# --- against a rollout --------------------------------------------------------------------------


def _running(desk: Desk, one: Touched) -> Rollout | None:
    """Give the rollout that goes on at the base branch; it goes by the path that the file has there."""
    if one.before is None:
        return None
    service = one.service
    return _rolls(desk, Service(service.base, one.before.file.path, service.id))


def _rolls(desk: Desk, service: Service) -> Rollout | None:
    try:
        rollout = desk.standing(service).rollout
    except Declined:
        return None  # the reply to a command says so; this pull request may be the cure
    return rollout if rollout.phase is Phase.ROLLING and rollout.record is not None else None


def _moves_by_itself(  # noqa: PLR0917 - one question, its facts
    desk: Desk, pull: Pull, one: Touched, rollout: Rollout, running: Record, judged: Judged
) -> Iterator[Problem]:
    """While a rollout runs, a pull request without a command must leave the weights alone."""
    if one.before is None or one.target is None:
        return
    if not moves(one.before.manifest, one.target.manifest, running.route):
        return
    if proposing.was_cancelled(desk, rollout):
        return
    origin = held_at_origin(desk.repo, pull, one.before)
    if origin is not None and not moves(origin.manifest, one.target.manifest, running.route):
        name = code(pull.base_ref)
        judged.notes.append(
            f"**Note** · {name} went on since this branch began: a merge keeps the weights of {name}."
        )
        shown = judged.shown or one
        judged.shown = replace(shown, target=shown.before)
        return
    yield Problem(
        "moves-weight",
        f"A rollout of {code(one.service.name)} is at {rollout.weight} %, and this pull request moves weight "
        "by itself.",
        f"Leave the percents to the rollout that began on #{running.pull}, or start one here: `/canary 25`.",
        ((judged.shown or one).target or one.target).place,
    )


def _against_record(desk: Desk, pull: Pull, one: Touched, record: Record) -> Iterator[Problem]:
    if one.target is None:
        return
    manifest, version = one.target.manifest, one.target.version
    again = (
        "Close this pull request, delete its branch and comment `/resume`: that builds the step again."
        if pull.ours
        else f"Comment `/canary {record.weight}` again."
    )
    stale = (
        manifest.template_name is not None
        and manifest.names_revisions
        and (record.template or naming.is_generated(manifest.template_name, manifest.name))
        and not naming.belongs(manifest.template_name, manifest.name, version.template, record.template)
    )
    if manifest.names_revisions and (manifest.template_name != record.candidate or stale):
        shown = code(manifest.template_name or "none")
        yield Problem(
            "name-unchanged",
            f"The template changed after `/canary`: its revision name {shown} does not belong to it.",
            again,
            Place(manifest.path, manifest.template_name_line or manifest.line),
        )
    elif not pull.ours and (ended := _ended(desk, one)) is not None and is_outdated(record, ended):
        yield Problem(
            "stable-outdated",
            f"{code(record.stable)} serves nobody any more: the rollout of #{ended.pull} ended since, and "
            f"{code(ended.candidate)} has all traffic.",
            f"Bring the branch up to date with {code(pull.base_ref)}, and comment `/canary {record.weight}` again.",
            one.target.place,
        )
    elif (back := _turned_back(desk, one, record)) is not None:
        yield tell_rolled_back(record, back, f"/canary {record.weight}", pull.base_ref, one.target)
    elif not holds(version.split, record, record.weight):
        yield Problem(
            "drifted",
            f"The traffic block is not what `/canary {record.weight}` wrote.",
            again,
            one.target.place,
        )
    elif (
        pull.ours
        and one.before is not None
        and not keeps_others(desk.repo, pull, one.before, one.target, record.route)
    ):
        yield Problem(
            "drifted",
            "The traffic of other rules than the rollout's was changed in this branch.",
            again,
            one.target.place,
        )


def _ended(desk: Desk, one: Touched) -> Record | None:
    """Give the rollout that is done on the base branch."""
    try:
        rollout = desk.standing(one.service).rollout
    except Declined:
        return None
    return rollout.record if rollout.phase is Phase.DONE else None


def _turned_back(desk: Desk, one: Touched, record: Record) -> Record | None:
    """Find a rollback of the candidate on the base branch, after the command that would begin its rollout."""
    if record.step != 1 or record.again or one.before is None:
        return None
    try:
        standing = desk.standing(replace(one.service, path=one.before.file.path))
    except Declined:
        return None  # the reply to a command says so; this pull request may be the cure
    return rolled_back_before(standing, record)


def _note(problem: Problem) -> str:
    return f"**Note** · {report.problem_text(problem, with_code=True)}"
