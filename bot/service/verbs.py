"""The verbs that do something: each carries out one command on one service.

Each looks first for what an interrupted try of the same comment has done already, so that a
command worked off twice ends in one set of objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.core import naming, report
from bot.core.gate_evidence import evidence
from bot.core.markers import Hold, Proposal, Wish
from bot.core.outcome import Outcome
from bot.core.problems import Declined, OutsideFailure, Problem
from bot.core.rollout import Phase, rollback_record, rolled_back, step_above
from bot.core.rollout import clock as clock_words
from bot.core.text import code
from bot.service import holding, overriding, proposing
from bot.service.checks import quiet_checks
from bot.service.conditions import hold_words
from bot.service.configuring import is_of_configuration
from bot.service.converge import Progress, converge
from bot.service.desk import after
from bot.service.gating import step_of
from bot.service.scene import Kind
from bot.service.stepping import hold_said_on, open_step

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.trailers import Record
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Service, Standing
    from bot.service.scene import Scene


@dataclass(frozen=True, slots=True)
class Case:
    """One command on one service, with all that is known."""

    desk: Desk
    scene: Scene
    service: Service

    def standing(self) -> Standing:
        """Read the service on its base branch. Raises ``Declined``."""
        return self.desk.standing(self.service)

    def outcome(
        self, decision: str, code_: str, text: str, record: Record | None = None, **more: object
    ) -> Outcome:
        """Give an outcome for this service."""
        return Outcome(
            decision,  # type: ignore[arg-type]
            code_,
            text,
            service=self.service.name,
            rollout=record.rollout if record else "",
            step=report.step_label(record) if record else "",
            **more,  # type: ignore[arg-type]
        )


def need_rollout(case: Case, standing: Standing) -> Record:
    """Give the record of the rollout that goes on.

    Raises:
        Declined: ``no-rollout``, ``not-merged-yet``.
    """
    rollout = standing.rollout
    if rollout.phase in {Phase.ROLLING, Phase.DRIFTED} and rollout.record is not None:
        return rollout.record
    name = code(case.service.name)
    if case.scene.kind is Kind.OPEN:
        raise _not_merged(case.service.name)
    ended = {
        Phase.DONE: f"The rollout of {name} is done.",
        Phase.ROLLED_BACK: f"The rollout of {name} was rolled back.",
    }.get(rollout.phase, f"No rollout of {name} is running.")
    raise Declined(Problem("no-rollout", ended, "`/canary 25` on a merged pull request begins one."))


def _not_merged(name: str) -> Declined:
    return Declined(
        Problem(
            "not-merged-yet",
            f"No rollout of {code(name)} began here yet: it begins when this pull request is merged.",
            "`/canary 25` sets the share that it begins with.",
        )
    )


# --- promote ----------------------------------------------------------------------------------


def promote(case: Case, command: c.Promote) -> Outcome:
    """Merge the next step now if all rules pass, else remember the wish."""
    _check_place(case)
    standing = case.standing()
    done = _promoted_by(case, standing)
    if done is not None:
        return merged_outcome(case, standing, done)
    record = need_rollout(case, standing)
    if standing.rollout.phase is Phase.DRIFTED:
        raise drifted(standing)
    if command.overrides and not case.desk.rehearsal:
        from bot.service.insisting import insist  # noqa: PLC0415 - ``insisting`` builds on this layer

        return insist(case, command, standing, record)
    _check_order(command, record, _target(case, command, standing))
    if case.desk.rehearsal:
        return _would_step(case, standing, record)
    progress = converge(case.desk, case.service)
    check_turned(case, progress, record)
    if progress.merged:
        return merged_outcome(case, standing, progress.merged[0])
    step = progress.step
    if progress.problem is not None:
        raise progress.problem
    if step is None or step.pull.state != "open":
        raise no_step(case, standing, step)
    _check_order(command, record, step.proposal.weight)  # two people may have set the order aside
    step = _with_wish(case, step)
    progress = converge(case.desk, case.service)
    check_turned(case, progress, record)
    if step.pull.number in progress.merged:
        return merged_outcome(case, standing, step.pull.number)
    return remembered(case, progress, step, record)


def _would_step(case: Case, standing: Standing, record: Record) -> Outcome:
    """Show the next step where there is nobody to ask whether it may be merged."""
    weight = standing.rollout.next_weight
    if weight is None:  # pragma: no cover - a rollout that goes on has a next step
        raise ValueError(standing)
    rules = case.desk.rules_at(record)
    step = open_step(case.desk, standing, record, rules, weight)
    text = (
        f"{proposing.done(case.desk, step)}: {code(record.candidate)} from {standing.rollout.weight} % to "
        f"**{weight} %**. Bake time, gates and holds are judged on GitHub; it is merged when they pass.\n\n"
        f"{report.after(record, rules, weight)} {report.way_back(record)}"
    )
    label = replace(record, step=record.steps.index(weight) + 1)
    return case.outcome("done", "proposed", text, label)


def _check_place(case: Case) -> None:
    scene = case.scene
    if scene.kind is Kind.ROLLBACK:
        raise Declined(
            Problem(
                "wrong-place", "This pull request rolls back; merging it needs no promotion.", "Merge it."
            )
        )
    if scene.kind is Kind.CLOSED:
        raise _closed(scene)
    if scene.kind is Kind.OPEN and not case.desk.rehearsal:
        raise _not_merged(case.service.name)
    starts = scene.proposal is not None and scene.proposal.kind == "start"
    if starts and scene.pull.state == "open":
        raise Declined(
            Problem(
                "not-merged-yet",
                "This pull request starts the rollout; there is no next step before it is merged.",
                "Merge it.",
            )
        )


def _target(case: Case, command: c.Promote, standing: Standing) -> int | None:
    """Give the share of the next step, or of the open one that two people let leave others out."""
    following = standing.rollout.next_weight
    if command.to in {"next", following} or case.desk.rehearsal:
        return following
    skip = overriding.skipping(case.desk, standing, proposing.open_for(case.desk, case.service))
    return following if skip is None else skip.proposal.weight


def _check_order(command: c.Promote, record: Record, target: int | None) -> None:
    wanted = {"next": target, "full": 100}.get(str(command.to), command.to)
    if wanted != target:
        raise Declined(
            Problem(
                "step-order",
                f"The next step is {target} %, not {wanted} %.",
                f"`/promote` goes to {target} %; the steps are {', '.join(map(str, record.steps))}.",
            )
        )


def _with_wish(case: Case, step: Ours) -> Ours:
    author = case.scene.comment.author
    wish = Wish(by=author.login, to=case.scene.key, pull=case.scene.pull.number, by_id=author.id)
    case.desk.wished = wish
    # Also what was taken out of GitHub's queue is put there again: somebody asks for it.
    handed = "" if step.pull.auto_merge is None else step.proposal.handed
    proposal = replace(step.proposal, wish=wish, handed=handed).saw(case.scene.key)
    return proposing.rewrite(case.desk, step, proposal)


def _promoted_by(case: Case, standing: Standing) -> int | None:
    """Find the merge that an interrupted try of this very comment, a promotion or its resumption, has led to."""
    record = standing.rollout.record
    if record is None:
        return None
    branch = naming.step_branch(record.rollout, standing.rollout.weight)
    for ours in proposing.from_branch(case.desk, branch):
        if ours.pull.merged and case.scene.key in ours.proposal.seen:
            return ours.pull.number
    return None


def merged_outcome(case: Case, before: Standing, number: int) -> Outcome:
    """Say what a merge has led to."""
    standing = case.standing()
    record = standing.rollout.record or before.rollout.record
    weight = standing.rollout.weight
    text = f"Merged #{number}: {code(record.candidate if record else '')} has **{weight} %** now."
    if record is not None:
        text += f" {after(case.desk, record, weight)}"
        if standing.rollout.next_weight is not None:
            text += f" {report.way_back(record)}"
    return case.outcome("done", "applied", text, record, pull=number)


def remembered(case: Case, progress: Progress, step: Ours, record: Record) -> Outcome:
    """Say that a promotion is remembered, and what it waits for."""
    reasons = progress.gate.reasons if progress.gate is not None else ()
    lines = "\n".join(f"- {r}" for r in reasons)
    head = f"Remembered: #{step.pull.number} ({step.proposal.weight} %) merges when the rules pass."
    if progress.waits:
        head = f"{progress.waits} Remembered."
    elif step.pull.draft:
        head = f"Remembered: #{step.pull.number} is a draft; it merges when it is marked ready and the rules pass."
    elif progress.refusal:
        quoted = code(progress.refusal, longest=200)
        head = f"GitHub does not merge #{step.pull.number} yet: {quoted}. Remembered; I try again."
    elif not reasons:
        head = f"Remembered, but #{step.pull.number} is not what the bot proposed any more; see its checks."
    return case.outcome("pending", "remembered", f"{head}\n\n{lines}".rstrip(), record, pull=step.pull.number)


def no_step(case: Case, standing: Standing, step: Ours | None) -> Declined:
    """Say why no pull request of a step is open."""
    weight = standing.rollout.weight
    if step is not None and step.proposal.closed:
        return Declined(
            Problem(
                "no-rollout", f"#{step.pull.number} was closed: {step.proposal.closed}.", "`/resume` goes on."
            )
        )
    if step is not None and step.pull.merged:
        return Declined(
            Problem(
                "drifted",
                f"#{step.pull.number} is merged, and the base branch does not hold it: "
                f"{code(case.service.name)} is at {weight} %.",
                "Put the base branch right; then `/resume` goes on, or `/rollback` turns back.",
            )
        )
    if step is not None:
        return Declined(
            Problem(
                "held",
                f"#{step.pull.number} was closed, which means hold at {weight} %.",
                "`/resume` opens a new pull request for the step.",
            )
        )
    return Declined(
        Problem(
            "rollback-open",
            f"A rollback of {code(case.service.name)} is proposed; nothing moves forward.",
            "Merge it, or close it and comment `/resume`.",
        )
    )


def check_turned(case: Case, progress: Progress, record: Record | None) -> None:
    """See that the rules have not turned a rollout back in this very look: then nothing goes forward.

    Raises:
        Declined: ``no-rollout`` where that is merged, else ``rollback-open``; with what the gates were answered.
    """
    if not progress.back or record is None:
        return
    name, gate = code(case.service.name), progress.gate
    said = "" if gate is None else " ".join(c.reason for c in gate.failed if c.kind == "gate")
    table = "" if gate is None else evidence(gate.measured)
    if progress.back in progress.merged:
        what = f"The rules turned {name} back: #{progress.back} is merged, {code(record.stable)} has all traffic."
        remedy = f"`/canary {record.steps[0]} --again` on #{record.pull} tries the same revision once more."
        problem = "no-rollout"
    else:
        what = f"The rules turn {name} back: #{progress.back} waits to be merged; nothing moves forward."
        remedy, problem = "Merge it, or close it and comment `/resume`.", "rollback-open"
    raise Declined(Problem(problem, "\n\n".join(filter(None, (f"{what} {said}".strip(), table))), remedy))


def drifted(standing: Standing) -> Declined:
    """Say that the block is none of the rollout's steps."""
    if standing.lost is not None:
        return Declined(standing.lost)
    record = standing.rollout.record
    name = code(record.candidate) if record else "the candidate"
    return Declined(
        Problem(
            "drifted",
            f"The traffic block was changed by hand: {name} has {standing.rollout.weight} %, "
            f"the rollout left it at {record.weight if record else 0} %.",
            "`/canary adopt` goes on from there, `/rollback` sends all traffic back; or set the block to a step of "
            "the rollout.",
            place=standing.held.place if standing.held else None,
        )
    )


def _closed(scene: Scene) -> Declined:
    return Declined(
        Problem("pull-closed", f"This pull request is closed and was not merged (#{scene.pull.number}).")
    )


# --- rollback ---------------------------------------------------------------------------------


def rollback(case: Case, command: c.Rollback) -> Outcome:
    """Open the pull request that gives all traffic back; exempt from bake time, gates and holds."""
    standing = case.standing()
    record, held = standing.rollout.record, standing.held
    nothing = Problem(
        "nothing-to-roll-back",
        f"Nothing to roll back: no rollout of {code(case.service.name)} moved traffic.",
        "`/canary cancel` takes back a canary that is not merged yet.",
    )
    if record is None or held is None:
        raise Declined(nothing)
    if standing.rollout.phase is Phase.ROLLED_BACK:
        return case.outcome(
            "already", "already", f"All traffic is with {code(record.stable)} already.", record
        )
    if standing.lost is not None:
        raise Declined(standing.lost)
    branch = naming.step_branch(record.rollout, "rollback")
    earlier = next(iter(proposing.from_branch(case.desk, branch)), None)
    if earlier is not None and earlier.pull.state == "open":
        if case.scene.key in earlier.proposal.seen:
            return _rollback_outcome(case, record, earlier)
        converge(case.desk, case.service)  # rebuilds it, should the base branch have gone on
        text = f"The rollback is proposed already: #{earlier.pull.number}. Merging it applies it."
        return case.outcome("already", "already", text, record)
    author = case.scene.comment.author.login
    back = rollback_record(record, requested_by=author, comment=case.scene.comment.id)
    split = rolled_back(standing.split, record)
    if split == standing.split and standing.rollout.phase is Phase.ROLLING:
        from bot.service.ending import end  # noqa: PLC0415 - ``ending`` builds on this layer

        return end(
            case, record, standing
        )  # the candidate has nothing yet: there is only the next step to stop
    # The reason itself stays out: in a commit message nothing makes "fixes #1" or a mention inert.
    reason = "The pull request holds the reason." if command.reason else "No reason was given."
    change = proposing.Change(case.service, held, split, back, reason)
    proposal = Proposal(
        kind="rollback",
        service=record.service,
        rollout=record.rollout,
        weight=0,
        before=standing.rollout.weight,
        pull=record.pull,
        base=case.service.base,
    ).saw(case.scene.key)
    opened = proposing.propose(
        case.desk,
        standing.tip,
        change,
        proposal,
        title=f"{case.service.name}: roll back to {record.stable}",
        body=report.rollback_body(
            proposal,
            back,
            standing.split,
            split,
            command.reason or "",
            remark=change.remark,
            starts_workflows=case.desk.repo.starts_workflows,
        ),
    )
    number, sha = opened.pull.number, opened.pull.head_sha
    shown = proposing.plan_of_step(change, standing.split, 0)
    case.desk.afterwards.append((sha, (shown, *quiet_checks(case.desk, number, proposal))))
    converge(case.desk, case.service)  # closes the step that is open
    return _rollback_outcome(case, back, opened)


def _rollback_outcome(case: Case, record: Record, ours: Ours) -> Outcome:
    text = (
        f"{proposing.done(case.desk, ours)}: all traffic of {code(case.service.name)} back to "
        f"**{code(record.stable)}** ({ours.proposal.before} % → 0 % for {code(record.candidate)}). "
        "Merging applies it at once: no bake time, gate or hold applies."
    )
    back = replace(record, step="rollback")
    return case.outcome("done", "proposed", text, back, pull=ours.pull.number)


# --- hold and resume --------------------------------------------------------------------------


def hold(case: Case, command: c.Hold) -> Outcome:
    """Stop promotions until resumed or expired."""
    desk, scene = case.desk, case.scene
    until = "" if command.duration is None else (desk.now() + command.duration).isoformat(timespec="seconds")
    asked = Hold(
        by=scene.comment.author.login,
        cause="command",
        comment=scene.comment.id,
        reason=(command.reason or "")[:200],
        until=until,
    )
    name = code(case.service.name)
    record = _armed(case)
    if record is not None:
        earlier = hold_said_on(desk, record)
        held = asked if earlier is None else earlier.joined(asked)
        text = f"The rollout of {name} will begin on hold{_ends(held)}: the first step may be merged, none follows it."
        return case.outcome("done", "applied", f"{text}{_kept(earlier, held, asked)}", record, hold=held)
    try:
        home, standing = _home(case)
    except OutsideFailure:
        # Nothing that a hold needs: what the rules ask about people, gates and freezes may wait.
        standing = case.standing()
        unjudged = holding.open_step(desk, standing)
        if unjudged is None:
            raise
        home = unjudged
    known = home.proposal.hold
    again = scene.key in home.proposal.seen
    if again and known is None:
        # Its reply is gone, so it is worked off again; what was resumed since is not held anew.
        text = f"This comment held {name}; it was resumed since."
        return case.outcome("already", "already", text, standing.rollout.record)
    held = asked if known is None else known if again else known.joined(asked)
    rewritten = proposing.rewrite(desk, home, replace(home.proposal, hold=held).saw(scene.key))
    if rewritten.pull.state == "open" and standing.rollout.phase is Phase.ROLLING:
        try:
            check_turned(case, converge(desk, case.service), standing.rollout.record)
        except OutsideFailure:
            holding.show(desk, standing, rewritten, hold_words(held))
    weight = standing.rollout.weight
    text = (
        f"{name} is **on hold** at {weight} %{_ends(held)}. `/resume` goes on, `/rollback` turns back."
        f"{'' if again else _kept(known, held, asked)}"
    )
    return case.outcome("done", "applied", text, standing.rollout.record)


def _ends(hold: Hold) -> str:
    return f" until {clock_words(hold.expires)}" if hold.expires else ""


def _kept(earlier: Hold | None, held: Hold, asked: Hold) -> str:
    """Say that an earlier hold is the stronger one, where it is."""
    if earlier is None or held == asked:
        return ""
    who = f"that of {code(earlier.by)}" if earlier.cause == "command" and earlier.by else "the one before"
    end = "does not end by itself" if earlier.expires is None else "ends later"
    return f" Another hold, {who}, {end}: it stays."


def resume(case: Case, _command: c.Resume) -> Outcome:
    """End a hold; after a step was closed by a person, open a new one."""
    desk, scene = case.desk, case.scene
    name = code(case.service.name)
    record = _armed(case)
    if record is not None:
        return case.outcome("done", "applied", f"The rollout of {name} will not begin on hold.", record)
    standing = case.standing()
    done = _promoted_by(case, standing)
    if done is not None:
        return merged_outcome(case, standing, done)
    home, standing = _home(case)
    if standing.rollout.phase is Phase.DRIFTED:
        raise drifted(standing)
    if scene.key not in home.proposal.seen:
        if home.pull.state == "open" and home.proposal.hold is None:
            return case.outcome("already", "already", f"{name} is not on hold.", standing.rollout.record)
        if home.proposal.closed == "cancelled":
            raise Declined(
                Problem("no-rollout", f"The rollout of {name} was cancelled.", "`/canary 25` begins one.")
            )
    if home.pull.state == "closed" and standing.rollout.phase is Phase.ROLLING:
        if _turns_back(case, standing):
            raise no_step(case, standing, None)  # what is opened now the next look would close again
        _reopen(case, standing, home)
    elif home.proposal.hold is not None:
        desk.answers.forget(step_of(desk, home.proposal))
        proposing.rewrite(desk, home, replace(home.proposal, hold=None).saw(scene.key))
    progress = converge(desk, case.service)
    check_turned(case, progress, standing.rollout.record)
    return _resumed(case, progress, standing)


def _turns_back(case: Case, standing: Standing) -> bool:
    """Whether a rollback of the rollout that goes on is proposed."""
    record = standing.rollout.record
    return record is not None and any(
        (one.proposal.kind, one.proposal.rollout) == ("rollback", record.rollout)
        for one in proposing.open_for(case.desk, case.service)
    )


def _resumed(case: Case, progress: Progress, standing: Standing) -> Outcome:
    record = standing.rollout.record
    if progress.merged:
        return merged_outcome(case, standing, progress.merged[0])
    step = progress.step
    where = f" #{step.pull.number} goes to {step.proposal.weight} %." if step is not None else ""
    reasons = "".join(f"\n- {r}" for r in progress.gate.reasons) if progress.gate else ""
    number = step.pull.number if step is not None else 0
    text = f"{code(case.service.name)} goes on.{where}{reasons}"
    return case.outcome("done", "applied", text, record, pull=number)


def _reopen(case: Case, standing: Standing, home: Ours) -> None:
    """Open the step again as a new pull request from the base branch's present content."""
    record, weight = standing.rollout.record, standing.rollout.next_weight
    if record is None or weight is None:
        return
    rules = case.desk.rules_at(record)
    open_step(case.desk, standing, record, rules, weight, home.proposal.saw(case.scene.key))


def _armed(case: Case) -> Record | None:
    """Give the record of a rollout that begins when this open pull request is merged."""
    from bot.service.drafting import armed_record  # noqa: PLC0415 - keeps the verbs importable alone

    if case.scene.kind is not Kind.OPEN:
        return None
    record = armed_record(case.desk, case.scene.pull, case.service)
    if record is None:
        need_rollout(case, case.standing())
    return record


def _home(case: Case) -> tuple[Ours, Standing]:
    """Give the pull request that carries the rollout's hold and wish: the open one, else the next step's.

    Raises:
        Declined: ``no-rollout``, ``wrong-place``.
    """
    if case.scene.kind is Kind.ROLLBACK:
        raise Declined(Problem("wrong-place", "A rollback is never held; close it if it is not wanted."))
    if case.scene.kind is Kind.CLOSED:
        raise _closed(case.scene)
    standing = case.standing()
    starts = [o for o in proposing.open_for(case.desk, case.service) if o.proposal.kind == "start"]
    if starts and standing.rollout.phase is not Phase.ROLLING:
        return starts[0], standing
    record = need_rollout(case, standing)
    progress = converge(case.desk, case.service, merges=False)  # who says hold is not answered with a merge
    standing = progress.standing or standing
    # Without rules nothing goes on, and a step that is open can be held all the same.
    if progress.problem is not None and not is_of_configuration(progress.problem.problems):
        raise progress.problem
    if progress.step is not None:
        return progress.step, standing
    weight = standing.rollout.next_weight
    branch = naming.step_branch(record.rollout, weight or step_above(record, record.weight))
    latest = next(iter(proposing.from_branch(case.desk, branch)), None)
    if latest is None and progress.problem is not None:
        raise progress.problem
    if latest is None:
        raise no_step(case, standing, None) if weight is not None else drifted(standing)
    return latest, standing
