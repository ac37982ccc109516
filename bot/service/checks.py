"""``canary / plan``: the manifests of a pull request are valid, and are what the command meant.

The other two checks where there is nothing to judge, and ``canary / approvals`` everywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.checks import APPROVALS, GATE, NAMES, PLAN, reference
from bot.core.problems import Declined, Place, Problem
from bot.core.rollout import Phase, holds
from bot.core.text import code
from bot.core.trailers import CANCEL
from bot.manifests.workload import problems_with
from bot.ports import Annotation, Check
from bot.service import proposing
from bot.service.reading import touched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.markers import Proposal
    from bot.core.traffic import Split
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.reading import Touched


@dataclass(frozen=True, slots=True)
class Known:
    """What the one who has just committed knows already, so that it is not read again."""

    changed: tuple[Touched, ...]
    record: Record | None


def plan_check(desk: Desk, pull: Pull, known: Known | None = None) -> Check | None:
    """Judge the head of an open pull request; neutral where no service is touched.

    ``None`` when the base branch is gone.
    """
    tip = desk.tip(pull.base_ref)
    if tip is None:
        return None
    try:
        changed = known.changed if known else touched(desk.repo, pull, before=tip, target=pull.head_sha)
    except Declined as error:
        return _failed(error.problems, "A manifest cannot be read")
    if not changed:
        return Check(
            PLAN,
            "neutral",
            "No service is changed",
            "No service or route that the bot can roll out is touched here.",
            external_id="plan-none",
        )
    records = _records(desk, pull, changed, known)
    problems: list[Problem] = []
    parts: list[str] = []
    for one in changed:
        record = records.get(one.service.key)
        if record is not None and record.route:
            try:
                one = one.at(record.route)  # noqa: PLW2901 - the same, with its rule
            except Declined as error:
                problems += error.problems
                continue
        problems += _problems(one, record, ours=pull.ours)
        problems += _moves_by_itself(desk, one, record, ours=pull.ours)
        if one.target is not None:
            before = one.before.version.split if one.before is not None else None
            about = f": {code(record.candidate)} at {record.weight} %" if record is not None else ""
            parts.append(f"### {code(one.service.name)}{about}")
            parts.append(report.split_table(before, one.target.version.split))
    try:
        parts.append(f"Rules: {', '.join(sorted({f'`{desk.rules_of(one.service).id}`' for one in changed}))}")
    except Declined as error:
        parts += [report.problem_text(p, with_code=True) for p in error.problems]
    summary = "\n\n".join(parts)
    if problems:
        return _failed(problems, f"{len(problems)} problem{'s' if len(problems) > 1 else ''}", summary)
    said = ", ".join(f"{k.rpartition('/')[2]} at {r.weight} %" for k, r in records.items())
    title = f"Canary: {said}" if said else "The manifests are valid"
    return Check(PLAN, "success", title[:200], summary, external_id=_digest("ok", title, summary))


def quiet_checks(desk: Desk, number: int, proposal: Proposal | None = None) -> tuple[Check, ...]:
    """Give ``canary / gate`` and ``canary / approvals`` for a pull request that no step is about.

    They always report: a check that a branch rule requires and nobody sets would block for ever.

    Args:
        desk: The look's tools.
        number: The pull request.
        proposal: What it is for, if it is one of the bot's.
    """
    return no_gate(desk, number, proposal), approvals(proposal)


def no_gate(desk: Desk, number: int, proposal: Proposal | None = None) -> Check:
    """Give ``canary / gate`` for a pull request that no gate is about."""
    if proposal is not None and proposal.kind == "rollback":
        return Check(
            GATE,
            "success",
            "A rollback waits for nothing",
            "No bake time, gate or hold applies to a rollback.",
            external_id=reference(number, "gate-rollback"),
        )
    return Check(
        GATE,
        "neutral",
        "No step of a rollout",
        "Bake times and holds are judged on the pull requests of the steps.",
        external_id=reference(number, "gate-none"),
        # A rollout can begin on hold.
        actions=() if proposal is None else proposing.buttons(proposal, desk.now()),
    )


def approvals(proposal: Proposal | None = None, record: Record | None = None) -> Check:
    """Give ``canary / approvals``: who asked for what would be merged, and whom it would take to agree.

    No rule set asks for an approval yet, so it forbids nothing.

    Args:
        proposal: What the pull request is for, if it is one of the bot's.
        record: The record of the step, where it is one.
    """
    if proposal is not None and proposal.kind == "rollback":
        return _no_approval("A rollback needs no approval", "Turning back is never made to wait.", "rollback")
    if proposal is None or proposal.kind != "step" or record is None:
        words = "Approvals are judged on the pull requests of the steps."
        return _no_approval("No step of a rollout", words, "none")
    wish = proposal.wish
    asked = (
        f"asked for by {code(wish.by)}" if wish else "not asked for by anybody; it follows from the rollout"
    )
    return _no_approval(
        "No approval is asked for",
        f"Rule set {code(record.rules)} asks for no approval: nobody has to agree to this step.\n\n"
        f"- Rollout {code(record.rollout)}: asked for by {code(record.requested_by)} on #{record.pull}.\n"
        f"- This step, {proposal.before} % → {proposal.weight} %: {asked}.",
        "step",
    )


def _no_approval(title: str, words: str, state: str) -> Check:
    return Check(APPROVALS, "neutral", title[:200], words, external_id=f"approvals-{state}")


def nothing_to_judge(number: int | None, why: str) -> tuple[Check, ...]:
    """Give all checks for a commit that has nothing to be judged any more, and was asked about."""
    return tuple(
        Check(
            name,
            "neutral",
            "Not judged again",
            why,
            external_id="past" if number is None else reference(number, "past"),
        )
        for name in NAMES
    )


def _moves_by_itself(desk: Desk, one: Touched, record: Record | None, *, ours: bool) -> list[Problem]:
    """While a rollout runs, a pull request without a command must leave the weights alone."""
    if ours or record is not None or one.before is None or one.target is None:
        return []
    try:
        rollout = desk.standing(one.service).rollout
    except Declined:
        return []  # the reply to a command says so; this pull request may be the cure
    if rollout.phase is not Phase.ROLLING or rollout.record is None:
        return []
    try:
        one = one.at(rollout.record.route or None)
    except Declined:
        return []  # the rule is gone: the rollout has drifted, and says so itself
    if one.before is None or one.target is None:
        return []
    old, new = one.before.version.split, one.target.version.split
    if _weights(old) == _weights(new):
        return []
    if proposing.was_cancelled(desk, rollout):
        return []
    running = rollout.record
    return [
        Problem(
            "moves-weight",
            f"A rollout of {code(one.service.name)} is at {rollout.weight} %, and this pull request moves weight "
            "by itself.",
            f"Leave the percents to the rollout that began on #{running.pull}, or start one here: `/canary 25`.",
            one.target.place,
        )
    ]


def _weights(split: Split) -> dict[str, int]:
    return {
        t.shown: split.percent_of(t.shown) for t in split.targets if not t.floats and t.effective_percent
    } | {"": split.floating_percent}


def _records(desk: Desk, pull: Pull, changed: Sequence[Touched], known: Known | None) -> dict[str, Record]:
    """Give the last record of each service; asked for only where a block differs from the base's."""
    if known is not None and len(changed) == 1:
        return {} if known.record is None else {known.record.service: known.record}
    differs = any(
        one.target is not None
        and one.target.manifest.written != (one.before.manifest.written if one.before is not None else ())
        for one in changed
    )
    if not differs:
        return {}
    found: dict[str, Record] = {}
    for commit in () if pull.from_fork else desk.repo.commits_of(pull.number):
        for record in trailers.records(commit.message) if commit.ours else ():
            if record.step == CANCEL:
                found.pop(record.service, None)
            else:
                found[record.service] = record
    return found


def _problems(one: Touched, record: Record | None, *, ours: bool) -> list[Problem]:
    if one.target is None:
        return []
    manifest, version = one.target.manifest, one.target.version
    name = manifest.template_name
    place = one.target.place
    problems = list(problems_with(manifest, version.split))
    before = one.before
    changed = before is not None and before.version.template != version.template
    if before is not None and changed and name is not None and before.version.template_name == name:
        problems.append(
            Problem(
                "name-unchanged",
                f"The template changes and keeps its revision name {code(name)}: the API server refuses that.",
                "`/canary 25` gives it a new name, or change `spec.template.metadata.name`.",
                Place(manifest.path, manifest.template_name_line or manifest.line),
            )
        )
    if record is not None:
        problems += _against_record(one, record, place, ours=ours)
    return problems


def _against_record(one: Touched, record: Record, place: Place, *, ours: bool) -> list[Problem]:
    if one.target is None:
        return []
    manifest, version = one.target.manifest, one.target.version
    again = (
        "Close this pull request, delete its branch and comment `/resume`: that builds the step again."
        if ours
        else f"Comment `/canary {record.weight}` again."
    )
    stale = (
        manifest.template_name is not None
        and manifest.names_revisions
        and naming.is_generated(manifest.template_name, manifest.name)
        and naming.revision_name(manifest.name, version.template) != manifest.template_name
    )
    if manifest.names_revisions and (manifest.template_name != record.candidate or stale):
        shown = code(manifest.template_name or "none")
        return [
            Problem(
                "name-unchanged",
                f"The template changed after `/canary`: its revision name {shown} does not belong to it.",
                again,
                Place(manifest.path, manifest.template_name_line or manifest.line),
            )
        ]
    if not holds(version.split, record, record.weight):
        return [
            Problem(
                "drifted",
                f"The traffic block is not what `/canary {record.weight}` wrote.",
                again,
                place,
            )
        ]
    return []


def _failed(problems: Sequence[Problem], title: str, summary: str = "") -> Check:
    text = "\n\n".join(report.problem_text(p, with_code=True) for p in problems)
    annotations = tuple(
        Annotation(
            path=p.place.path,
            start_line=p.place.line,
            end_line=p.place.line,
            level="failure",
            message=f"{p.message} {p.remedy}".strip().replace("`", ""),
            title=p.code,
        )
        for p in problems
        if p.place is not None and p.place.path and p.place.line is not None
    )
    whole = f"{text}\n\n{summary}".strip()
    return Check(
        PLAN, "failure", title[:200], whole, annotations=annotations, external_id=_digest("bad", title, whole)
    )


def _digest(*parts: str) -> str:
    return f"plan-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
