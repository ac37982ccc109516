"""What a reviewer decides from: every rule of the next step, the rollout's time line, who asked for what.

All of it is Markdown that GitHub renders, Mermaid included. Source: Mermaid, "Gantt diagrams" (``dateFormat``, tags
``done``, ``active``, ``milestone``; a name ends at its first colon).
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING

from bot.core.rollout import ALL, clock
from bot.core.text import code

if TYPE_CHECKING:
    from datetime import datetime

    from bot.core.conditions import Condition, Gate, Verdict
    from bot.core.markers import Past, Proposal
    from bot.core.rules import RuleSet
    from bot.core.trailers import Record

_MARKS: dict[Verdict, str] = {
    "pass": "✅ pass",
    "wait": "⏳ wait",
    "fail": "❌ fail",
    "overridden": "⚠️ overridden",
}
_KINDS = {"comment": "issuecomment", "review": "pullrequestreview"}


def rules_table(conditions: tuple[Condition, ...]) -> str:
    """Give every rule with its verdict, value, threshold and origin as a table."""
    rows = ["| rule | verdict | value | threshold | origin |", "|---|---|---|---|---|"]
    rows += [
        f"| {' | '.join((c.rule, _MARKS[c.verdict], c.value, c.threshold, c.origin))} |" for c in conditions
    ]
    return "\n".join(rows)


def timeline(record: Record, past: tuple[Past, ...], gate: Gate, rules: RuleSet) -> str:
    """Give the rollout as a Mermaid diagram: the steps that were merged, the one that holds, and those to come.

    It says nothing of the present moment, so that it is the same at every look. What is to come is the earliest: each
    step merged as soon as its bake time is over.

    Args:
        record: Of the rollout.
        past: The steps merged so far, oldest first; the last one holds now.
        gate: The next step's.
        rules: The rollout's.
    """
    lines = [
        "```mermaid",
        "gantt",
        f"    title {record.candidate} of {record.rollout}, UTC",
        "    dateFormat YYYY-MM-DD HH:mm",
        "    axisFormat %d %b %H:%M",
    ]
    weight = past[-1].weight if past else 0
    done = [
        f"    {one.weight} % :done, {_minute(one.at)}, {_minute(following.at)}"
        for one, following in pairwise(past)
    ]
    lines += ["    section merged", *done] if done else []
    lines.append("    section now")
    lines.append(
        f"    {weight} % :active, {_minute(gate.since)}, {_minute(gate.bake_ends)}"
        if gate.bake_ends > gate.since
        else f"    {weight} % :milestone, {_minute(gate.since)}, 0m"
    )
    lines.append("    section at the earliest")
    when = gate.bake_ends
    for following in (w for w in record.steps if w > weight):
        bake = rules.bake_at(following) if following < ALL else None
        if bake:
            lines.append(f"    {following} % :{_minute(when)}, {int(bake.total_seconds() // 60)}m")
            when += bake
        else:
            lines.append(f"    {following} % :milestone, {_minute(when)}, 0m")
    return "\n".join([*lines, "```"])


def _minute(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M")


def people(record: Record, proposal: Proposal, web_url: str) -> str:
    """Say who asked for what, each with a link to where it was typed."""
    began = (
        f"[comment]({web_url}/pull/{record.pull}#issuecomment-{record.comment})"
        if record.comment
        else "rules"
    )
    lines = [f"- Rollout {code(record.rollout)}: {code(record.requested_by)} on #{record.pull} ({began})."]
    lines += [f"- {one.weight} % since {clock(one.at)}: {_merged(one)}." for one in proposal.past]
    wish = proposal.wish
    if wish is not None:
        where = f"#{wish.pull} ({_typed(wish.to, wish.pull, web_url)})"
        lines.append(f"- {proposal.weight} %: asked for by {code(wish.by)} on {where}.")
    hold = proposal.hold
    if hold is not None and hold.cause == "command" and hold.comment:
        lines.append(f"- Hold: {code(hold.by)}, comment {hold.comment}.")
    return "\n".join(lines)


def _merged(one: Past) -> str:
    by = f" by {code(one.by)}" if one.by else ""
    by += f", promoted by {code(one.asked)}," if one.asked else ""
    return f"merged{by} in #{one.pull}" if one.pull else f"set{by} without a pull request of the bot"


def _typed(to: str, pull: int, web_url: str) -> str:
    """Give a link to a comment or a review, or say that it was a button."""
    kind, _, number = to.partition("/")
    anchor = _KINDS.get(kind)
    return f"[{kind}]({web_url}/pull/{pull}#{anchor}-{number})" if anchor else "a button"


def earliest(gate: Gate) -> str:
    """Say when the next step may follow at the earliest, as far as time alone decides."""
    waiting = [c for c in gate.conditions if not c.lets_pass]
    if not waiting:
        return "Every rule lets this step go on now."
    times = [c.until for c in waiting]
    if all(times):
        return f"Earliest {clock(max(t for t in times if t is not None))}, by the time that its rules name."
    named = ", ".join(c.rule for c in waiting if c.until is None)
    return f"No time is known yet: {named}."


def digest(gate: Gate, *others: object) -> str:
    """Give what tells one state of a step from another: verdicts, not the numbers that change with every look."""
    said = [f"{c.kind} {c.rule} {c.verdict} {c.until}" for c in gate.conditions]
    return hashlib.sha256("\n".join([*said, *map(repr, others)]).encode()).hexdigest()[:16]
