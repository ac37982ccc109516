"""Outcomes as Markdown: replies, pull request bodies, check summaries.

All texts are ours; what comes from people or files passes ``bot.core.text``. A reviewer reads
code, what, where and remedy, and always what can be done next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import evidence, gate_evidence
from bot.core.checks import BUTTONS
from bot.core.markers import Answer, Proposal
from bot.core.rollout import length
from bot.core.text import LONGEST_SHOWN, cell, code, code_block, pointed, printable
from bot.core.traffic import Shape
from bot.core.witness import evidence_trailers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.core.conditions import Gate
    from bot.core.gates import Verdict
    from bot.core.outcome import Outcome
    from bot.core.problems import Problem
    from bot.core.rules import RuleSet
    from bot.core.traffic import Split
    from bot.core.trailers import Record

BAR_WIDTH = 20
LONGEST_DIFF = 60  # lines shown openly; a longer one is folded
LONGEST_BODY = 60_000  # characters; GitHub takes 65,536
LONGEST_TITLE = 256  # characters; GitHub takes no more
_TITLE_END = 120  # of them, behind what is left out

AT_ONCE = "Merging applies it at once: this is no rollout, no bake time, gate or further step belongs to it."

_HEADS = {
    "declined": "Not applied",
    "not-understood": "Not understood",
    "failed": "Not finished",
}


def bar(percent: int) -> str:
    """Give a share as a bar of twenty cells."""
    filled = round(percent * BAR_WIDTH / 100)
    return "█" * filled + "░" * (BAR_WIDTH - filled)


def bars(split: Split) -> str:
    """Give a split as lines of plain text, one for each target."""
    rows = [(t.tag or "", t.shown, t.effective_percent) for t in split.targets]
    wide = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]  # type: ignore[arg-type]
    return "\n".join(
        f"{tag:<{wide[0]}}  {name:<{wide[1]}}  {bar(percent)}  {percent:>3} %" for tag, name, percent in rows
    )


def before_and_after(before: Split, after: Split) -> str:
    """Give two splits as bars, one above the other."""
    return code_block(f"before\n{bars(before)}\n\nafter\n{bars(after)}")


def split_table(before: Split | None, after: Split) -> str:
    """Give a split before and after as a table, one row for each target."""
    rows: dict[tuple[str, str | None], list[str]] = {}
    for column, split in enumerate((before, after)):
        for target in split.targets if split else ():
            row = rows.setdefault((target.shown, target.tag), ["–", "–"])
            about = "" if split is None or split.exact else "≈ "
            row[column] = f"{about}{target.effective_percent} %"
    tagged = after.shape is not Shape.WEIGHTS
    lines = [f"| {after.shape.noun} |{' tag |' if tagged else ''} before | after |"]
    lines.append(f"|---|{'---|' if tagged else ''}---:|---:|")
    for (name, tag), (old, new) in rows.items():
        shown = f"**{new}**" if old != new else new
        tags = f" {cell(tag) if tag else ''} |" if tagged else ""
        lines.append(f"| {cell(name)} |{tags} {old} | {shown} |")
    return "\n".join(lines)


def diff_block(diff: str) -> str:
    """Give a unified diff as a block, folded when it is long."""
    block = code_block(diff.rstrip("\n"), language="diff")
    if diff.count("\n") <= LONGEST_DIFF:
        return block
    return f"<details><summary>The diff</summary>\n\n{block}\n\n</details>"


def problem_text(problem: Problem, *, with_code: bool) -> str:
    """Give one problem: code, what, where with a caret, remedy."""
    parts = [f"`{problem.code}`: {problem.message}" if with_code else problem.message]
    # Where the line itself is shown with a caret, its place in the comment says nothing more.
    if problem.place is not None and str(problem.place) and (problem.place.path or problem.source is None):
        parts[0] += f" ({code(str(problem.place))})"
    if problem.source is not None:
        parts.append(
            code_block(problem.source) if problem.caret is None else pointed(problem.source, problem.caret)
        )
    if problem.remedy:
        parts.append(problem.remedy)
    return "\n\n".join(parts)


def outcome_text(outcome: Outcome) -> str:
    """Give the Markdown of one outcome, without greeting and marker."""
    head = _HEADS.get(outcome.decision)
    parts = []
    several = len(outcome.problems) > 1
    if head is not None:
        parts.append(f"**{head}** · `{outcome.code}`" if not several else f"**{head}**")
    if outcome.text:
        parts.append(outcome.text)
    texts = [problem_text(p, with_code=several) for p in outcome.problems]
    if several:
        texts = ["- " + text.replace("\n", "\n  ") for text in texts]
    return "\n\n".join([*parts, *texts])


def reply(to: str, author: str, outcomes: Sequence[Outcome]) -> str:
    """Give the reply to a comment.

    Args:
        to: ``comment/<id>``, ``review/<id>`` or ``button/<id>``.
        author: The login of who wrote or pressed, as GitHub gives it.
        outcomes: In the order of their commands, at least one; of a button one, with its verb.
    """
    button = BUTTONS.get(outcomes[0].verb) if to.startswith("button/") else None
    texts = []
    for outcome in outcomes:
        text = outcome_text(outcome)
        label = (
            f"{code(outcome.service)}: " if len({o.service for o in outcomes}) > 1 and outcome.service else ""
        )
        texts.append(label + text)
    joined = "\n\n---\n\n".join(texts)
    first = next((o for o in outcomes if o.decision not in {"done", "already", "answered"}), outcomes[0])
    answer = Answer(
        to=to,
        decision=first.decision,
        code=first.code,
        service=first.service,
        rollout=first.rollout,
        step=first.step,
        verbs=tuple(o.verb for o in outcomes if o.verb),
        hold=next((o.hold for o in outcomes if o.hold is not None), None),
        by=author if button is not None else "",
    )
    # A table or a block begins on a line of its own, or it is none.
    gap = "\n\n" if joined.startswith(("|", "`" * 3, "- ", "#", "<")) else " "
    did = f" pressed **{button.label}**:" if button is not None else ""
    return _fit(f"@{author}{did}{gap}{joined}", answer.marker())


def notice(name: str, text: str, record: Record | None = None) -> str:
    """Give a comment that answers nobody: the end of a rollout, a step that was closed."""
    answer = Answer(
        to=name,
        decision="done",
        code="shown",
        service=record.service if record else "",
        rollout=record.rollout if record else "",
    )
    return _fit(text, answer.marker())


def _fit(text: str, marker: str) -> str:
    room = LONGEST_BODY - len(marker)
    if len(text) > room:
        text = _cut(text, room) + "\n\n… (shortened)"
    return f"{text}\n\n{marker}\n"


def _cut(text: str, room: int) -> str:
    """Give the first lines of a text, and the end of a block that was open there.

    No line is halved: half a code span is no code, and what a person wrote in it would be live.
    """
    kept: list[str] = []
    fence = indent = ""
    for line in text[:room].split("\n")[:-1]:
        kept.append(line)
        mark = line.lstrip()
        if fence:
            fence = "" if mark.rstrip() == fence else fence
        elif mark.startswith("```"):
            fence = mark[: len(mark) - len(mark.lstrip("`"))]
            indent = line[: len(line) - len(mark)]
    return "\n".join([*kept, indent + fence] if fence else kept)


# --- the rollout in words ---------------------------------------------------------------------


def step_label(record: Record) -> str:
    """Give ``2/3``, ``rollback`` or ``cancel``."""
    return f"{record.step}/{len(record.steps)}" if isinstance(record.step, int) else record.step


def after(record: Record, rules: RuleSet, weight: int) -> str:
    """Say what follows a weight."""
    following = next((w for w in record.steps if w > weight), None)
    if following is None:
        return f"After that the rollout is done: {code(record.candidate)} is the stable revision."
    wait = length(rules.bake_at(weight))
    how = "merges itself" if rules.auto and weight else "waits for a merge or `/promote`"
    return f"Next: {following} %, after {wait} of bake time; the step's pull request {how}."


def calendar(record: Record, rules: RuleSet, start: datetime) -> str:
    """Give the earliest times of all steps of a rollout whose first step were merged at ``start``."""
    lines = ["| step | candidate | earliest | bake |", "|---:|---:|---|---|"]
    when = start
    for i, weight in enumerate(record.steps, 1):
        bake = rules.bake_at(weight)
        shown = length(bake) if weight < 100 else "–"  # noqa: PLR2004 - percents
        first = "at the merge" if i == 1 else when.strftime("%Y-%m-%d %H:%M UTC")
        lines.append(f"| {i} | {weight} % | {first} | {shown} |")
        when += bake
    return "\n".join(lines)


def way_back(record: Record) -> str:
    """Say how to turn back."""
    return f"`/rollback` sends all traffic back to {code(record.stable)}."


def commit_message(record: Record, before: int, reason: str, measured: Sequence[Verdict] = ()) -> str:
    """Give the message of a commit of the bot: subject, reason, trailers; what gates measured stands among these."""
    if record.step == "rollback":
        subject = f"Give all traffic of {record.service.rpartition('/')[2]} back to {record.stable}"
    elif record.step == "cancel":
        subject = f"Take the canary of {record.candidate} back"
    elif record.step == 1:
        subject = f"Start {record.candidate} at {record.weight} %"
    else:
        subject = f"Shift {record.candidate} from {before} % to {record.weight} %"
    witness = "".join(f"{line}\n" for line in evidence_trailers(measured))
    return f"{subject}\n\n{one_line(reason)}\n\n{record.trailers()}\n{witness}"


def one_line(text: str) -> str:
    """Give foreign text as one line of a commit message: no line of it can pass for a trailer of ours."""
    return printable(" ".join(text.split()), longest=LONGEST_SHOWN)


def title(text: str) -> str:
    """Give the title of a pull request. Of one that is too long the middle is left out: names are long, not shares."""
    begin = LONGEST_TITLE - _TITLE_END - 1
    return text if len(text) <= LONGEST_TITLE else f"{text[:begin]}…{text[-_TITLE_END:]}"


def step_title(service: str, before: int, weight: int) -> str:
    """Give the title of a step's pull request."""
    return f"{service}: {before} % → {weight} %"


NO_WORKFLOWS = (
    "Opened with a workflow's own token: GitHub starts no workflow for it, or lets it wait for an approval. A "
    "required check that a workflow reports will not come by itself: close and reopen this pull request, or give "
    "the bot an App token."
)
"""F38 of the fault model: said where somebody would wait for a check that never comes."""


def step_body(  # noqa: PLR0917 - one page, its facts
    proposal: Proposal,
    record: Record,
    before: Split,
    split: Split,
    rules: RuleSet,
    gate: Gate | None,
    *,
    web_url: str,
    remark: str = "",
    starts_workflows: bool = True,
) -> str:
    """Give the body of a step's or start's pull request: what a reviewer decides from.

    ``gate`` is ``None`` for a start. ``web_url`` is the repository's page. ``remark`` is a sentence on how the file
    writes the split, such as another scale of its weights.
    """
    name = record.service.rpartition("/")[2]
    lines = [
        f"`{name}`: {code(record.candidate)} from {proposal.before} % to **{proposal.weight} %**, "
        f"step {step_label(record).replace('/', ' of ')}.",
        split_table(before, split),
        before_and_after(before, split),
        *([remark] if remark else []),
    ]
    if gate is not None:
        lines += [
            evidence.earliest(gate),
            "\n".join(f"- {r}" for r in gate.reasons),
            evidence.rules_table(gate.conditions),
            gate_evidence.evidence(gate.measured),
            "As it was when a rule last changed its verdict; the check `canary / gate` and `/canary why` have the "
            "numbers of now.",
            evidence.timeline(record, proposal.past, gate, rules),
            evidence.people(record, proposal, web_url),
        ]
    lines += [
        f"Merging applies it. {after(record, rules, proposal.weight)}",
        f"`/promote` merges this as soon as the rules pass, `/hold` stops here. {way_back(record)}",
        f"Rollout `{record.rollout}` · rules `{rules.id}` · began on #{record.pull} · "
        f"asked for by {code(record.requested_by)}",
    ]
    lines += [] if starts_workflows else [NO_WORKFLOWS]
    return _fit("\n\n".join(line for line in lines if line), proposal.marker())


def edit_body(name: str, by: str, pull: int, before: Split, after: Split, *, starts_workflows: bool) -> str:
    """Give the body of a pull request that ``/traffic`` and the like asked for on a merged one."""
    lines = [
        f"The traffic of {code(name)}, as asked for by {code(by)} on #{pull}.",
        split_table(before, after),
        code_block(bars(after)),
        AT_ONCE,
    ]
    lines += [] if starts_workflows else [NO_WORKFLOWS]
    return _fit("\n\n".join(lines), "")


def rollback_body(
    proposal: Proposal,
    record: Record,
    before: Split,
    split: Split,
    reason: str,
    *,
    remark: str = "",
    because: str = "",
    starts_workflows: bool = True,
) -> str:
    """Give the body of a rollback's pull request; ``remark`` as in ``step_body``.

    ``because`` is what a gate measured, Markdown, where no person asked for it.
    """
    name = record.service.rpartition("/")[2]
    lines = [
        f"`{name}`: all traffic **back to {code(record.stable)}**, asked for by {code(record.requested_by)}.",
        *([because] if because else []),
    ]
    if reason:
        lines.append(f"Reason given: {code(reason)}")
    lines += [
        split_table(before, split),
        code_block(bars(split)),
        *([remark] if remark else []),
        "Merging applies it, at once: no bake time, no gate and no hold applies to a rollback.",
        f"The template stays what it is: {code(record.candidate)} keeps its place at 0 % where it has a tag. "
        f"The cluster must still have {code(record.stable)}.",
        f"Rollout `{record.rollout}` · began on #{record.pull}",
    ]
    lines += [] if starts_workflows else [NO_WORKFLOWS]
    return _fit("\n\n".join(lines), proposal.marker())
