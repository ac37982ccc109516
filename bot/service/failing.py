"""What a gate that fails leads to: the step is held, or the rollout turned back by the rules.

Each effect is looked for before it is made, in the order in which it is read: a comment before the value that says
that it was written, the pull request of the rollback before the step is closed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.core import naming, report, trailers
from bot.core.gate_evidence import evidence
from bot.core.gates import Outcome
from bot.core.markers import Hold, Proposal
from bot.core.problems import Declined
from bot.core.rollout import clock, rollback_record, rolled_back
from bot.core.text import code, printable
from bot.service import authority, handing, proposing
from bot.service.checks import quiet_checks

if TYPE_CHECKING:
    from bot.core.conditions import Condition, Gate
    from bot.core.rules import RuleSet
    from bot.service.desk import Desk
    from bot.service.proposing import Ours
    from bot.service.reading import Standing

RULES = "rules"
"""Who asked for what no person asked for, in trailers and texts."""

_UNANSWERED = "gate-unanswered"


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a step whose gates were judged. ``turned`` says that a rollback is open now."""

    step: Ours
    turned: bool = False


def act(desk: Desk, standing: Standing, rules: RuleSet, step: Ours, gate: Gate) -> Acted:
    """Do what the rules say of the gates that fail, and ask people where none answers for too long."""
    failed = tuple(c for c in gate.failed if c.kind == "gate")
    if failed and rules.on_fail == "rollback" and _turn_back(desk, standing, gate, failed):
        return Acted(step, turned=True)
    if failed:
        return Acted(_hold(desk, standing, step, gate, failed))
    return Acted(_ask_people(desk, standing, rules, step, gate))


# --- on hold ----------------------------------------------------------------------------------


def _hold(desk: Desk, standing: Standing, step: Ours, gate: Gate, failed: tuple[Condition, ...]) -> Ours:
    hold = step.proposal.hold
    # A gate that fails after people set the hold of another one aside puts its own.
    aside = any(c.kind == "hold" and c.verdict == "overridden" for c in gate.conditions)
    if hold is not None and not aside and (hold.expires is None or desk.now() < hold.expires):
        return step
    said = " ".join(c.reason for c in failed)
    text = (
        f"{said} The rollout of {code(standing.service.name)} is **on hold** at {step.proposal.before} %.\n\n"
        f"{evidence(gate.measured)}\n\n"
        "`/resume` judges again and goes on when the gate passes; `/rollback` turns back."
    )
    # Said first: what is stored is not looked at again.
    name = f"gate-failed-{step.proposal.failed}"
    proposing.notify(desk, step.pull.number, name, text, standing.rollout.record)
    held = Hold(by="", cause="gate", reason=_plain(said)[:200])
    return proposing.rewrite(desk, step, replace(step.proposal, hold=held, failed=step.proposal.failed + 1))


def _plain(markdown: str) -> str:
    return printable(markdown.replace("`", ""))


# --- no answer --------------------------------------------------------------------------------


def _ask_people(desk: Desk, standing: Standing, rules: RuleSet, step: Ours, gate: Gate) -> Ours:
    """Ask people, once, about a gate that has had no answer for as long as it may."""
    if _UNANSWERED in step.proposal.seen:
        return step
    begun = all(c.value != "not begun" for c in gate.conditions if c.kind == "bake")
    since = (
        gate.bake_ends if begun or not step.proposal.since else datetime.fromisoformat(step.proposal.since)
    )
    late = []
    for condition in gate.conditions:
        rule = rules.gates.get(condition.rule.removeprefix("gate "))
        silent = condition.kind == "gate" and condition.verdict == "wait"
        if silent and rule is not None and desk.now() >= since + rule.max_wait:
            late.append(condition)
    if not late:
        return step
    text = (
        f"No answer since {clock(since)}: the step waits for a person now.\n\n"
        + "\n".join(f"- {c.reason}" for c in late)
        + "\n\nMerging this by hand goes on without the answer; `/rollback` turns back. The gate is still asked."
    )
    proposing.notify(desk, step.pull.number, _UNANSWERED, text, standing.rollout.record)
    return proposing.rewrite(desk, step, step.proposal.saw(_UNANSWERED))


# --- back -------------------------------------------------------------------------------------


def _turn_back(desk: Desk, standing: Standing, gate: Gate, failed: tuple[Condition, ...]) -> bool:
    """Open the rollback that the rules ask for; ``False`` where people have thought better of one before.

    The rollback of a rollout has one branch: what was opened there once and closed by a person is not opened again
    by the rules, so that there is no loop.
    """
    record, held = standing.rollout.record, standing.held
    if record is None or held is None:  # pragma: no cover - a step is judged of what is there
        return False
    branch = naming.step_branch(record.rollout, "rollback")
    if proposing.from_branch(desk, branch):
        return False  # an open one has been found before any step is judged
    cause = f"gate {failed[0].rule.removeprefix('gate ')}"
    back = replace(rollback_record(record, requested_by=RULES, comment=0), cause=cause)
    try:
        split = rolled_back(standing.split, record)
    except Declined:
        return False
    change = proposing.Change(standing.service, held, split, back, _numbers(gate), measured=gate.measured)
    proposal = Proposal(
        kind="rollback",
        service=record.service,
        rollout=record.rollout,
        weight=0,
        before=standing.rollout.weight,
        pull=record.pull,
        base=standing.service.base,
        cause=cause,
    )
    said = " ".join(c.reason for c in failed)
    passing = f"the {cause} to pass"
    authority.record_rule(desk, "rollback", standing.service, passing, failed[0].origin.strip("`"))
    proposing.propose(
        desk,
        standing.tip,
        change,
        proposal,
        (proposing.plan_of_step(change, standing.split, 0),),
        title=f"{standing.service.name}: roll back to {record.stable}",
        body=report.rollback_body(
            proposal,
            back,
            standing.split,
            split,
            "",
            remark=change.remark,
            because=f"{said}\n\n{evidence(gate.measured)}",
            starts_workflows=desk.repo.starts_workflows,
        ),
    )
    return True


def _numbers(gate: Gate) -> str:
    failed = [v for v in gate.measured if v.outcome is Outcome.FAIL]
    return "A gate failed: " + ", ".join(v.gate for v in failed) + "."


def merge_rollback(desk: Desk, standing: Standing, back: Ours) -> bool:
    """Merge a rollback that the rules asked for; where GitHub does not let the bot, people are told once."""
    record = standing.rollout.record
    commits = desk.repo.commits_of(back.pull.number)
    said = [one for commit in commits for one in trailers.records(commit.message)]
    if not said or not all(commit.ours for commit in commits):
        return False  # a person has taken it over
    # Anybody who may write can say in the body that the rules asked for it; the bot's own commit cannot be edited.
    asked = said[-1]
    if (asked.step, asked.rollout) != (trailers.ROLLBACK, back.proposal.rollout) or not asked.cause:
        return False
    desk.tell(back.pull.head_sha, quiet_checks(desk, back.pull.number, back.proposal))
    who = f"Canary-Promoted-By: {RULES}\nCanary-Cause: {asked.cause}"
    title = report.title(f"{standing.service.name}: roll back to {asked.stable}")
    title = f"{title} (#{back.pull.number})"
    words = handing.Words(title, "A gate failed, and the rules say rollback.", who)
    tried = handing.merge(desk, back, asked, words)
    if tried.refusal:
        text = (
            f"GitHub does not let the bot merge this rollback: {code(tried.refusal, longest=200)}. "
            "**Please merge it**; until then the candidate keeps its traffic. The bot tries again."
        )
        proposing.notify(desk, back.pull.number, "rollback-waits", text, record)
    elif tried.waits:
        text = f"{tried.waits} Until it is merged the candidate keeps its traffic."
        proposing.notify(desk, back.pull.number, "rollback-waits", text, record)
    return tried.merged
