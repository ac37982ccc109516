"""The verbs that only read: ``status``, ``why``, ``help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import evidence, gate_evidence, report
from bot.core.commands import help_text
from bot.core.conditions import Condition
from bot.core.outcome import Outcome
from bot.core.rollout import Phase, origin_of
from bot.core.text import code, code_block
from bot.service import proposing
from bot.service.conditions import gate_of
from bot.service.scene import Kind

if TYPE_CHECKING:
    from bot.core import commands as c
    from bot.core.gates import Verdict
    from bot.core.rules import RuleSet
    from bot.service.proposing import Ours
    from bot.service.reading import Standing
    from bot.service.verbs import Case


def helping(command: c.Help) -> Outcome:
    """Say how the commands are used."""
    return Outcome("answered", "shown", help_text(command.about), verb="help")


_PHASES = {
    Phase.NONE: "No rollout is running.",
    Phase.DONE: "The rollout is done.",
    Phase.ROLLED_BACK: "The rollout was rolled back.",
    Phase.DRIFTED: "The traffic block was changed by hand; `/canary adopt` goes on from there, `/rollback` turns back.",
}


def status(case: Case, _command: c.Status) -> Outcome:
    """Show the split on the base branch, the rollout's place, and the open pull requests."""
    standing = case.standing()
    rollout, record = standing.rollout, standing.rollout.record
    parts = []
    if rollout.phase is Phase.ROLLING and record is not None:
        parts.append(
            f"{code(case.service.name)}: {code(record.candidate)} has **{rollout.weight} %** on "
            f"{code(case.service.base)}, {code(record.stable)} the rest (rollout `{record.rollout}`, from "
            f"#{record.pull}; steps {', '.join(map(str, record.steps))})."
        )
    else:
        parts.append(f"{code(case.service.name)}: {_PHASES.get(rollout.phase, '')}")
    if standing.held is not None:
        parts.append(code_block(report.bars(standing.split)))
    else:
        parts.append(f"The service is not on {code(case.service.base)} yet.")
    ours = proposing.open_for(case.desk, case.service)
    parts += [f"- #{one.pull.number}: {_purpose(case, one)}" for one in ours]
    if case.scene.kind is Kind.OPEN:
        parts += _armed_line(case)
    return case.outcome("answered", "shown", "\n\n".join(parts), record)


def _purpose(case: Case, ours: Ours) -> str:
    proposal = ours.proposal
    if proposal.kind == "rollback":
        return "rolls back; merging it applies it."
    if proposal.kind == "start":
        return f"starts the rollout at {proposal.weight} %."
    gate = gate_of(case.desk, case.standing(), _rules_of(case), proposal, ours.pull)
    waits = " ".join(gate.reasons) or "It may be merged."
    wish = f" {code(proposal.wish.by)} asked to promote it." if proposal.wish else ""
    return f"{proposal.before} % → {proposal.weight} %. {waits}{wish}"


def _rules_of(case: Case) -> RuleSet:
    record = case.standing().rollout.record
    return case.desk.rules_at(record) if record is not None else case.desk.rules_of(case.service)


def _armed_line(case: Case) -> list[str]:
    from bot.service.drafting import armed_record  # noqa: PLC0415 - ``drafting`` builds on this layer

    armed = armed_record(case.desk, case.scene.pull, case.service)
    if armed is None:
        return ["This pull request holds no canary; `/canary 25` makes one."]
    return [f"Merging this pull request gives {code(armed.candidate)} {armed.weight} %."]


def why(case: Case, _command: c.Why) -> Outcome:
    """List every rule on the next step with verdict, value, threshold and origin."""
    standing = case.standing()
    record = standing.rollout.record
    if standing.rollout.phase is not Phase.ROLLING or record is None:
        text = f"{code(case.service.name)}: {_PHASES.get(standing.rollout.phase, '')} No rule applies."
        return case.outcome("answered", "shown", text, record)
    rules = case.desk.rules_at(record)
    mine = proposing.open_for(case.desk, case.service)
    step = next((o for o in mine if o.proposal.kind == "step"), None)
    conditions, measured = _conditions(case, standing, rules, step, mine)
    head = f"{code(case.service.name)} at {standing.rollout.weight} %"
    following = standing.rollout.next_weight if step is None else step.proposal.weight
    goal = f", next {following} %" + (f" in #{step.pull.number}" if step is not None else "")
    parts = (f"{head}{goal}:", evidence.rules_table(conditions), gate_evidence.evidence(measured))
    return case.outcome("answered", "shown", "\n\n".join(part for part in parts if part), record)


def _conditions(
    case: Case, standing: Standing, rules: RuleSet, step: Ours | None, mine: tuple[Ours, ...]
) -> tuple[tuple[Condition, ...], tuple[Verdict, ...]]:
    """Give every rule on the next step, and what gates were answered."""
    weight, following = standing.rollout.weight, standing.rollout.next_weight
    record = standing.rollout.record
    found: list[Condition] = []
    back = next((o for o in mine if o.proposal.kind == "rollback"), None)
    if back is not None:
        value = f"#{back.pull.number} is open"
        found.append(Condition("order", "no rollback proposed", "fail", value=value, origin="product"))
    if step is None:
        found.append(
            Condition(
                "order",
                "step proposed",
                "fail",
                value="no open pull request",
                threshold="one",
                origin="product",
            )
        )
        return tuple(found), ()
    steps = ", ".join(f"{w}" for w in record.steps) if record is not None else ""
    origin = (
        code("Canary-Steps")
        if record is not None and record.steps != rules.steps_from(record.steps[0])
        else None
    )
    if step.proposal.weight == following:  # else the gate has its own word on it
        found.append(
            Condition(
                "order",
                "order of steps",
                "pass",
                value=f"{weight} % → {following} %",
                threshold=f"{steps} %",
                origin=origin or origin_of(rules, rules.origins.get("steps")),
            )
        )
    gate = gate_of(case.desk, standing, rules, step.proposal, step.pull)
    wish, auto = step.proposal.wish, rules.auto and weight > 0
    asked = f"by {code(wish.by)}" if wish else "nobody asked"
    promotion = Condition(
        "order",
        "promotion",
        "pass" if wish or auto else "wait",
        value="by the rules" if auto else asked,
        threshold="a merge, `/promote` or `auto`",
        origin=origin_of(rules, rules.origins.get("auto")),
    )
    return (*found, *gate.conditions, promotion), gate.measured
