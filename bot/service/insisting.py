"""``/promote --override``: the word is kept in the step's pull request, and done when a second person agrees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.core.markers import Said, Wish
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.service import overriding, proposing
from bot.service.converge import converge
from bot.service.stepping import open_step
from bot.service.verbs import check_turned, merged_outcome, no_step, remembered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.core import commands as c
    from bot.core.outcome import Outcome
    from bot.core.trailers import Record
    from bot.service.converge import Progress
    from bot.service.proposing import Ours
    from bot.service.reading import Standing
    from bot.service.verbs import Case

_MOST_SAID = 20


def insist(case: Case, command: c.Promote, standing: Standing, record: Record) -> Outcome:
    """Set rules aside for a step and promote it, once two people have said so.

    Raises:
        Declined: ``wrong-place`` in a review; ``not-allowed``, ``step-order``,
            ``nothing-to-override``, ``not-overridable``; no step is open.
    """
    desk, key = case.desk, case.scene.key
    if case.scene.comment.kind != "comment":
        text = "`--override` in a review sets nothing aside: others may change that text, and nobody sees it."
        raise Declined(Problem("wrong-place", text, "Type it as a comment on the pull request."))
    weight = overriding.check(desk, case.scene.comment.author, command, standing, record)
    progress = converge(desk, case.service)
    check_turned(case, progress, record)
    if progress.merged:
        return merged_outcome(case, standing, progress.merged[0])
    if progress.problem is not None:
        raise progress.problem
    step = progress.step
    if step is None or step.pull.state != "open" or progress.gate is None:
        raise no_step(case, standing, step)
    said = Said(key, case.scene.pull.number, overriding.about(progress.gate, step.proposal))
    rules: Sequence[str] = command.overrides
    if all(one.to != key for one in step.proposal.overrides):
        rules = overriding.holding(command, progress.gate, weight, step)
        words = (*step.proposal.overrides[1 - _MOST_SAID :], said)
        step = proposing.rewrite(desk, step, replace(step.proposal, overrides=words).saw(key))
    about = replace(step.proposal, weight=weight)
    aside = overriding.set_aside(desk, standing, about)
    agreed = {rule: overriding.is_set_aside(rule, aside, progress.gate) for rule in rules}
    missing = [rule for rule, pair in agreed.items() if pair is None]
    if missing:
        converge(desk, case.service)  # what was agreed on so far shows
        text = overriding.waiting_words(desk, standing, about, missing, key)
        head = f"Nothing is promoted yet: #{step.pull.number} waits for a second person."
        return case.outcome("pending", "second-needed", f"{head}\n\n{text}", record, pull=step.pull.number)
    step = _wished(case, standing, step, weight)
    progress = converge(desk, case.service)
    check_turned(case, progress, record)
    if step.pull.number in progress.merged:
        return merged_outcome(case, standing, step.pull.number)
    return _agreed(case, progress, step, record, [str(pair) for pair in agreed.values()])


def _wished(case: Case, standing: Standing, step: Ours, weight: int) -> Ours:
    """Remember that the step is wanted; open it where it leaves others out."""
    desk, scene = case.desk, case.scene
    author = scene.comment.author
    desk.wished = wish = Wish(author.login, scene.key, scene.pull.number, author.id)
    if step.proposal.weight == weight:
        wish = step.proposal.wish or wish
        return proposing.rewrite(desk, step, replace(step.proposal, wish=wish).saw(scene.key))
    record = standing.rollout.record
    if record is None:  # pragma: no cover - the caller has one
        raise ValueError(standing)
    opened = open_step(desk, standing, record, desk.rules_at(record), weight, instead_of=step.proposal)
    return proposing.rewrite(desk, opened, replace(opened.proposal, wish=wish).saw(scene.key))


def _agreed(case: Case, progress: Progress, step: Ours, record: Record, said: list[str]) -> Outcome:
    outcome = remembered(case, progress, step, record)
    lines = "\n".join(f"- {code(one)}" for one in said)
    return replace(outcome, text=f"Set aside for this step:\n\n{lines}\n\n{outcome.text}")
