"""``canary / plan``: the manifests of a pull request are valid, and are what the command meant.

The other two checks where there is nothing to judge, and ``canary / approvals`` everywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core import report, trailers
from bot.core.checks import APPROVALS, GATE, NAMES, PLAN, reference
from bot.core.problems import Declined
from bot.core.text import code
from bot.core.trailers import CANCEL
from bot.manifests.workload import split_of
from bot.ports import Annotation, Check
from bot.service import proposing
from bot.service.comparing import is_split, paired
from bot.service.configuring import is_theirs
from bot.service.judging import judge, judge_unreadable
from bot.service.reading import touched
from bot.service.removing import taken_away
from bot.service.ruling import ruling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core.markers import Proposal
    from bot.core.problems import Problem
    from bot.core.trailers import Record
    from bot.ports import Pull
    from bot.service.desk import Desk
    from bot.service.judging import Judged
    from bot.service.reading import Touched
    from bot.service.ruling import Ruling


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
        changed = known.changed if known else _touched(desk, pull, tip)
    except Declined as error:
        unread = judge_unreadable(desk, pull, tip, error.problems)
        rules = ruling(desk, pull)
        if unread.problems:
            wrong = [*unread.problems, *(rules.problems if rules is not None else ())]
            return _failed(wrong, "A manifest cannot be read", "\n\n".join(unread.notes))
        return _nothing(unread.notes) if rules is None else _of_rules(rules, unread.notes)
    rules = ruling(desk, pull, just_committed=known is not None)
    records = _records(desk, pull, changed, known)
    all_judged = [(one, judge(desk, pull, one, records.get(one.service.key))) for one in changed]
    gone = () if known is not None or pull.ours else taken_away(desk, pull, tip)
    notes = [note for _, judged in all_judged for note in judged.notes]
    seen = [(one, judged) for one, judged in all_judged if not judged.aside]
    if not seen and gone:
        return _failed(
            [*gone, *(rules.problems if rules is not None else ())], _count(gone), "\n\n".join(notes)
        )
    if not seen:
        return _nothing(notes) if rules is None else _of_rules(rules, notes)
    parts = [part for one, judged in seen for part in _evidence(judged, records.get(one.service.key))]
    try:
        # What was committed just now follows the present rules, so that nothing has to be read for it.
        began = {} if known is not None else records
        followed = {_rules(desk, one, began.get(one.service.key)) for one, _ in seen}
        parts.append(f"Rules: {', '.join(sorted(followed))}")
    except Declined as error:
        parts += [report.problem_text(p, with_code=True) for p in error.problems]
    summary = "\n\n".join((*parts, *(rules.words if rules is not None else ()), *notes))
    problems = [*gone, *(problem for _, judged in seen for problem in judged.problems)]
    problems += rules.problems if rules is not None else ()
    if problems:
        return _failed(problems, _count(problems), summary)
    said = ", ".join(f"{k.rpartition('/')[2]} at {r.weight} %" for k, r in records.items())
    title = f"Canary: {said}" if said else "The manifests are valid"
    return Check(PLAN, "success", title[:200], summary, external_id=_digest("ok", title, summary))


def _rules(desk: Desk, one: Touched, record: Record | None) -> str:
    """Give the rule set that a rollout follows since its command, else that of a new one. Raises ``Declined``."""
    return code((desk.rules_of(one.service) if record is None else desk.rules_at(record)).id)


def _touched(desk: Desk, pull: Pull, tip: str) -> tuple[Touched, ...]:
    return touched(desk.repo, pull, desk.files_of(pull), before=tip, target=pull.head_sha)


def _evidence(judged: Judged, record: Record | None) -> list[str]:
    """Give the split before and after; of an object without a chosen rule those of all rules."""
    one = judged.shown
    if one is None or one.target is None:
        return []
    target, before = one.target.manifest, one.before.manifest if one.before is not None else None
    about = f": {code(record.candidate)} at {record.weight} %" if record is not None else ""
    parts = [f"### {code(one.service.name)}{about}"]
    if target.rule is not None or not target.rules:
        return [*parts, report.split_table(before.split if before is not None else None, target.split)]
    pairs, *_ = paired(before.rules if before is not None else (), target.rules)
    old = {rule.where: split_of(was.weights) for was, rule in pairs}
    for rule in (r for r in target.rules if is_split(r)):
        parts += [
            f"Rule {code(rule.where)}:",
            report.split_table(old.get(rule.where), split_of(rule.weights)),
        ]
    return parts


def _of_rules(rules: Ruling, notes: Sequence[str]) -> Check:
    """Give the check of a pull request that changes the rules, and no service."""
    summary = "\n\n".join((*rules.words, *notes))
    if rules.problems:
        return _failed(rules.problems, f"{_count(rules.problems)} in the rules", summary)
    title = "The rules are valid"
    return Check(PLAN, "success", title, summary, external_id=_digest("rules", title, summary))


def _count(problems: Sequence[Problem]) -> str:
    return f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"


def _nothing(notes: Sequence[str]) -> Check:
    """Give the check of a pull request without services; notes say what looks like one and is not judged."""
    if not notes:
        return Check(
            PLAN,
            "neutral",
            "No service is changed",
            "No service or route that the bot can roll out is touched here.",
            external_id="plan-none",
        )
    title = "Nothing here is judged"
    summary = "\n\n".join(notes)
    return Check(PLAN, "neutral", title, summary, external_id=_digest("none", title, summary))


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


def approvals(proposal: Proposal | None = None) -> Check:
    """Give ``canary / approvals`` where nobody has to agree; that of a step is ``bot.service.approving.check``.

    Args:
        proposal: What the pull request is for, if it is one of the bot's.
    """
    if proposal is not None and proposal.kind == "rollback":
        return _no_approval("A rollback needs no approval", "Turning back is never made to wait.", "rollback")
    words = "Approvals are judged on the pull requests of the steps."
    return _no_approval("No step of a rollout", words, "none")


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
            column=p.place.column,
        )
        for p in problems
        if p.place is not None and p.place.path and not is_theirs(p.place.path) and p.place.line is not None
    )
    whole = f"{text}\n\n{summary}".strip()
    return Check(
        PLAN, "failure", title[:200], whole, annotations=annotations, external_id=_digest("bad", title, whole)
    )


def _digest(*parts: str) -> str:
    return f"plan-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
