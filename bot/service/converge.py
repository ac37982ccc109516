"""Where a rollout stands is read from Git and GitHub; the next missing effect is carried out.

Level-triggered: it makes no difference why a service is looked at, how often, or what was
missed. Each effect has a deterministic name and is looked for before it is made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bot.core import naming, report
from bot.core.checks import GATE, ROLL_BACK, reference
from bot.core.markers import Hold
from bot.core.problems import Declined
from bot.core.rollout import Phase, origin_of
from bot.core.text import code, code_block
from bot.core.witness import evidence_trailers
from bot.ports import Actor, Check
from bot.service import (
    approving,
    arriving,
    authority,
    concluding,
    failing,
    gating,
    handing,
    overlapping,
    overriding,
    proposing,
    readback,
    wishing,
)
from bot.service.checks import approvals
from bot.service.conditions import gate_of
from bot.service.configuring import is_of_configuration
from bot.service.failing import merge_rollback
from bot.service.rebuilding import refresh, renew
from bot.service.stepping import change_to, open_step, page_of, realign

if TYPE_CHECKING:
    from bot.core.conditions import Gate
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Service, Standing

log = structlog.get_logger("canary")

SOON = timedelta(seconds=5)
LATER = timedelta(minutes=10)
LONGEST_CHAIN = 25  # steps merged in one look; a rule set has far fewer


@dataclass(frozen=True, slots=True)
class Progress:
    """What a look at a service found and did.

    ``again`` is when to look again, ``step`` the open pull request of the next step, ``merged`` the
    numbers of pull requests merged in this look, ``waits`` says what GitHub's queue or auto-merge waits for.
    ``back`` is the rollback that the rules asked for, open or just merged, 0 where there is none.
    """

    standing: Standing | None
    again: datetime | None = None
    step: Ours | None = None
    gate: Gate | None = None
    merged: tuple[int, ...] = ()
    refusal: str = ""
    problem: Declined | None = None
    waits: str = ""
    back: int = 0


def converge(desk: Desk, service: Service, *, merges: bool = True) -> Progress:
    """Look at a service and carry out what is missing, until nothing is.

    Without ``merges`` no step is merged, even if it may be: somebody is about to stop the rollout.

    Raises:
        OutsideFailure: GitHub did not answer; the next look goes on from there.
    """
    merged: tuple[int, ...] = ()
    turned: Progress | None = None
    while len(merged) < LONGEST_CHAIN:
        progress = _once(desk, service, merges=merges)
        merged += progress.merged
        turned = progress if progress.back else turned
        if not progress.merged:
            found = replace(progress, merged=merged)
            return found if turned is None else replace(found, back=turned.back, gate=turned.gate)
        desk.forget(service.base)
    return Progress(None, again=desk.now() + LATER, merged=merged)


def _once(desk: Desk, service: Service, *, merges: bool) -> Progress:
    if desk.tip(service.base) is None:
        return Progress(None)
    try:
        standing = desk.standing(service)
    except Declined as error:
        _tell_unreadable(desk, service, error)
        return Progress(None)
    ours = proposing.open_for(desk, service)
    rollout = standing.rollout
    ours = _without_leftovers(desk, standing, ours)
    if rollout.record is not None and rollout.phase in {Phase.DONE, Phase.ROLLED_BACK}:
        concluding.conclude(desk, standing, rollout.record)
    for one in ours:
        renew(desk, standing, one)
    back = next((o for o in ours if o.proposal.kind == "rollback"), None)
    if rollout.phase is Phase.DRIFTED:
        for step in (o for o in ours if o.proposal.kind == "step"):
            _show_drift(desk, standing, step)
        # A rollback leads back from any split.
        return Progress(standing) if back is None else _with_rollback(desk, standing, back, merges=merges)
    if rollout.phase is not Phase.ROLLING:
        return Progress(standing)
    if back is not None:
        return _with_rollback(desk, standing, back, merges=merges)
    try:
        return _next_step(desk, standing, ours, merges=merges)
    except Declined as error:
        _tell_unreadable(desk, service, error)
        _tell_no_step(desk, standing, ours, error)
        return Progress(standing, again=desk.now() + LATER, problem=error)


def _with_rollback(desk: Desk, standing: Standing, back: Ours, *, merges: bool) -> Progress:
    """Merge a rollback that the rules asked for; one that a person asked for is a person's to merge."""
    if not back.proposal.cause or not merges:
        return Progress(standing)
    if merge_rollback(desk, standing, back):
        return Progress(standing, merged=(back.pull.number,), back=back.pull.number)
    return Progress(standing, again=desk.now() + LATER, back=back.pull.number)


def _tell_unreadable(desk: Desk, service: Service, error: Declined) -> None:
    for step in proposing.open_for(desk, service):
        text = "\n\n".join(report.problem_text(p, with_code=True) for p in error.problems)
        about = "configuration" if is_of_configuration(error.problems) else "manifest on the base branch"
        title = f"The {about} cannot be read"
        state = reference(step.pull.number, f"gate-unreadable-{about[0]}")
        desk.tell(step.pull.head_sha, [Check(GATE, "failure", title, text, external_id=state)])
        handing.take_back(desk, step)


def _tell_no_step(desk: Desk, standing: Standing, ours: tuple[Ours, ...], error: Declined) -> None:
    """Say once on the first pull request that the next step cannot be proposed, where no step could."""
    record, weight = standing.rollout.record, standing.rollout.next_weight
    if record is None or any(o.proposal.kind == "step" for o in ours):
        return
    problems = "\n\n".join(report.problem_text(p, with_code=True) for p in error.problems)
    text = f"The step to {weight} % cannot be proposed; I try again.\n\n{problems}"
    proposing.notify(desk, record.pull, f"no-step-{record.rollout}-{weight}", text, record)


def _without_leftovers(desk: Desk, standing: Standing, ours: tuple[Ours, ...]) -> tuple[Ours, ...]:
    """Close the bot's pull requests that the state on the base branch has overtaken."""
    kept = []
    back_open = any(o.proposal.kind == "rollback" and _is_current(o, standing) for o in ours)
    skip = None if back_open else overriding.skipping(desk, standing, ours)
    for one in ours:
        why = None if one is skip else _overtaken(one, standing, back_open=back_open, skip=skip)
        if why is None:
            kept.append(one)
        else:
            proposing.close(desk, _without_words(one) if why[0] == "skipped" else one, why[0], text=why[1])
            old = next((r for r in standing.records if r.rollout == one.proposal.rollout), None)
            if why[0] == "superseded" and old is not None:
                overlapping.tell_merged_anyway(desk, standing, one)
                concluding.tidy(desk, old)
    return tuple(kept)


def _without_words(one: Ours) -> Ours:
    """Give a step without the commands that let another one take its place: their outcome is that one's."""
    said = {word.to for word in one.proposal.overrides}
    seen = tuple(key for key in one.proposal.seen if key not in said)
    return replace(one, proposal=replace(one.proposal, seen=seen))


def _is_current(one: Ours, standing: Standing) -> bool:
    record = standing.rollout.record
    return record is not None and record.rollout == one.proposal.rollout


def _overtaken(
    one: Ours, standing: Standing, *, back_open: bool, skip: Ours | None
) -> tuple[str, str] | None:
    kind, rollout = one.proposal.kind, standing.rollout
    if kind == "start":
        return None
    if not _is_current(one, standing):
        by = f"the rollout of #{rollout.record.pull}" if rollout.record is not None else "another rollout"
        return "superseded", f"Closed: {by} has taken over; one rollout of a service runs at a time."
    if kind == "rollback":
        if rollout.phase is Phase.ROLLED_BACK:
            return "overtaken", "Closed: all traffic is with the stable revision already."
        return None
    if back_open or rollout.phase is Phase.ROLLED_BACK:
        return "rollback", "Closed: the rollout is being rolled back."
    if one.proposal.closed == proposing.CANCELLED:
        return proposing.CANCELLED, "Closed: the rollout was cancelled; traffic stays as it is."
    if skip is not None:
        text = f"Closed: #{skip.pull.number} goes to {skip.proposal.weight} % instead; two people said so."
        return "skipped", text
    if rollout.phase is Phase.DRIFTED or one.proposal.weight == rollout.next_weight:
        return None
    if one.proposal.overrides and one.proposal.weight > (rollout.next_weight or rollout.weight):
        text = "Closed: what two people said about it does not stand any more. `/resume` goes on with the next step."
        return "unskipped", text
    return "overtaken", f"Closed: the candidate has {rollout.weight} % already."


def _next_step(desk: Desk, standing: Standing, ours: tuple[Ours, ...], *, merges: bool) -> Progress:
    record, weight = standing.rollout.record, standing.rollout.next_weight
    if record is None or weight is None:
        return Progress(standing)
    # Where two people left steps out, the step that leaves them out is the only one left.
    step = next((o for o in ours if o.proposal.kind == "step"), None)
    if step is None:
        branch = naming.step_branch(record.rollout, weight)
        latest = next(iter(proposing.from_branch(desk, branch)), None)
        if latest is not None and (
            latest.proposal.closed == "overtaken" or _went_back(desk, standing, latest)
        ):
            latest = None
        if latest is not None and latest.pull.state == "closed":
            return _closed_step(desk, standing, latest)
        step = latest
    if step is None:
        left = proposing.passed_over(desk, record, standing.rollout.weight)
        if left is not None and left.pull.state == "closed" and left.proposal.closed == proposing.CANCELLED:
            return Progress(standing, step=left)
    rules = desk.rules_at(record)
    if step is None:
        step = open_step(desk, standing, record, rules, weight)
        if record.step == 1:
            overlapping.tell_waiting(desk, standing)
    return _judge_step(desk, standing, rules, step, merges=merges)


def _went_back(desk: Desk, standing: Standing, step: Ours) -> bool:
    """Whether a step was merged long ago, and the rollout comes to it again from an adopted split below."""
    if not step.pull.merged or step.pull.merged_at is None or desk.now() - step.pull.merged_at < LATER:
        return False
    _, *earlier = standing.records
    return any((r.rollout, r.weight) == (step.proposal.rollout, step.proposal.weight) for r in earlier)


def _closed_step(desk: Desk, standing: Standing, step: Ours) -> Progress:
    if step.pull.merged:
        # Merged, and the base branch does not show it yet: GitHub's replicas lag for a moment. Where that
        # goes on, it was merged elsewhere, or what it brought was taken out again.
        lags = step.pull.merged_at is None or desk.now() - step.pull.merged_at < LATER
        if not lags:
            readback.lost(desk, step, standing)
        return Progress(standing, again=desk.now() + (SOON if lags else LATER), step=step)
    if not step.proposal.closed and step.proposal.hold is None:
        text = (
            f"Closing this means **hold**: {code(standing.service.name)} stays at {standing.rollout.weight} %. "
            "`/resume` opens a new pull request for this step, `/rollback` turns back."
        )
        # Said first: what is stored is not looked at again.
        proposing.notify(desk, step.pull.number, "step-closed", text, standing.rollout.record)
        step = proposing.rewrite(desk, step, replace(step.proposal, hold=Hold(by="", cause="closed")))
    return Progress(standing, step=step)


# --- judging a step ---------------------------------------------------------------------------


def _judge_step(desk: Desk, standing: Standing, rules: RuleSet, step: Ours, *, merges: bool) -> Progress:
    step = realign(desk, standing, rules, step)
    change = change_to(standing, step.proposal.weight, rules)
    step, extra, sound = refresh(desk, standing, change, step)
    gate = gate_of(desk, standing, rules, step.proposal, step.pull)
    right = arriving.put_right(desk, standing, rules, step, gate)
    if right is not None:
        step, gate = right, gate_of(desk, standing, rules, right.proposal, right.pull)
    if merges:
        acted = failing.act(desk, standing, rules, step, gate)
        if acted.turned:
            # Closes the step, and merges the rollback.
            return replace(_once(desk, standing.service, merges=merges), gate=gate)
        if acted.step.proposal.hold != step.proposal.hold:
            gate = gate_of(desk, standing, rules, acted.step.proposal, acted.step.pull)
        step = acted.step
    shown = gating.steady(desk, step.proposal, gate)
    proposal = replace(step.proposal, live=gating.live_since(rules, step.proposal, gate))
    proposal, body = page_of(desk, standing, rules, proposal, change, shown)
    if proposal != step.proposal:
        step = proposing.rewrite(desk, step, proposal, body)
    if not sound:
        check = Check(
            GATE,
            "failure",
            "Changed by hand",
            extra,
            external_id=reference(step.pull.number, f"gate-hand-{step.pull.head_sha[:12]}"),
            actions=proposing.buttons(step.proposal, desk.now(), back=True),
        )
        desk.tell(
            step.pull.head_sha,
            [check, approving.check(desk, standing, step.proposal, change.record, step.pull, gate)],
        )
        step = handing.take_back(desk, step)
        return Progress(standing, again=gate.until, step=step, gate=gate)
    check = proposing.gate_check(desk, step, shown, standing.split, change, extra)
    desk.tell(
        step.pull.head_sha,
        [check, approving.check(desk, standing, step.proposal, change.record, step.pull, gate)],
    )
    wished = step.proposal.wish is not None
    wanted = merges and (wished or (rules.auto and step.proposal.before > 0))
    if gate.passes and wanted and not step.pull.draft:
        return _merge(desk, standing, rules, step, change.record, gate)
    step = handing.take_back(desk, step)
    return Progress(standing, again=gate.until, step=step, gate=gate)


def _show_drift(desk: Desk, standing: Standing, step: Ours) -> None:
    record = standing.rollout.record
    text = (
        report.problem_text(standing.lost, with_code=True)
        if standing.lost is not None
        else (
            "The traffic block on the base branch was changed by hand: no step can be computed from it.\n\n"
            f"{code_block(report.bars(standing.split))}\n\n"
            "`/canary adopt` goes on from there, `/rollback` sends all traffic back; setting the block to a step of "
            "the rollout goes on with that step."
        )
    )
    title = f"Drifted from {record.weight} %" if record else "Drifted"
    check = Check(
        GATE,
        "failure",
        title,
        text,
        external_id=reference(step.pull.number, f"gate-drift-{standing.tip[:12]}"),
        actions=(ROLL_BACK,),
    )
    told = (
        approvals() if record is None else approving.check(desk, standing, step.proposal, record, step.pull)
    )
    desk.tell(step.pull.head_sha, [check, told])
    handing.take_back(desk, step)


# --- merging ----------------------------------------------------------------------------------


def _since(step: Ours, standing: Standing) -> datetime | None:
    """Tell since when a promotion is about this step: not by an adopted edit, which may be older than its adoption."""
    since = step.proposal.since
    return datetime.fromisoformat(since) if since and standing.rollout.adopted is None else None


def _merge(  # noqa: PLR0917 - one step, its facts
    desk: Desk, standing: Standing, rules: RuleSet, step: Ours, record: Record, gate: Gate
) -> Progress:
    wish = step.proposal.wish
    by = Actor(wish.by_id, wish.by) if wish is not None else None
    verdict = authority.allowed(desk, "promote", by, standing.service) if by is not None else None
    if verdict is not None and verdict.unknown:
        log.warning("wish not looked up", repository=desk.repo.name, pull=step.pull.number)
        return Progress(standing, again=desk.now() + LATER, step=step, gate=gate)
    lost = ""
    if wish is not None and verdict is not None:
        # The right may have been withdrawn since the wish; a wish is worth what its owner may do now.
        if not verdict.allowed:
            lost = f"{code(wish.by)} may not promote any more"
        elif not wishing.stands(desk, standing, step, _since(step, standing)):
            lost = f"The promotion of {code(wish.by)} is not there any more"
    if wish is not None and lost:
        text = f"{lost}; the wish is dropped."
        name = f"wish-dropped-{wish.to}"
        proposing.notify(desk, step.pull.number, name, text, standing.rollout.record)
        step = handing.take_back(desk, step)
        step = proposing.rewrite(desk, step, replace(step.proposal, wish=None))
        return Progress(standing, again=gate.until, step=step, gate=gate)
    who = wish.trailers if wish else "Canary-Promoted-By: rules"
    if by is not None and verdict is not None:
        authority.record(desk, "promote", by, standing.service, verdict)
    else:
        origin = origin_of(rules, rules.origins.get("auto")).strip("`")
        authority.record_rule(desk, "promote", standing.service, "all rules to pass", origin)
    lines = (*overriding.trailers(gate), *evidence_trailers(gate.measured))
    aside = any(c.verdict == "overridden" for c in gate.conditions)
    passed = "Two people set rules aside" if aside else "Bake time is over; nothing holds the rollout"
    who = "\n".join((who, *lines))
    # Not the pull request's: whoever may edit that would write the first line of the bot's commit.
    title = report.step_title(standing.service.name, step.proposal.before, step.proposal.weight)
    title = f"{report.title(title)} (#{step.pull.number})"
    tried = handing.merge(desk, step, record, handing.Words(title, f"{passed}.", who))
    if tried.merged:
        return Progress(standing, gate=gate, merged=(step.pull.number,))
    if tried.moved:
        return Progress(standing, again=desk.now() + SOON, step=step, gate=gate, refusal="the branch moved")
    again = desk.now() + LATER
    return Progress(
        standing, again=again, step=tried.step, gate=gate, refusal=tried.refusal, waits=tried.waits
    )
