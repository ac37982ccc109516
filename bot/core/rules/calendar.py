"""When a rollout would reach which share, if everybody acted as soon as the rules allow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from bot.core.freezes import next_opening, verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from bot.core.freezes import Freeze, Frozen, Override
    from bot.core.rules.values import GateRule, RuleSet

ALL = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One step of the calendar. Times are aware.

    ``asked`` is when the step before it was reached, ``ready`` when bake time and the gates' windows are over, and
    ``at`` when nothing is frozen any more; ``None`` where that is not in sight. ``gates`` must pass besides, and are
    taken to pass at once. ``alone`` says that no person is needed.
    """

    weight: int
    asked: datetime
    ready: datetime
    at: datetime | None
    bake: timedelta = timedelta(0)
    window: timedelta = timedelta(0)
    gates: tuple[str, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    alone: bool = False


def calendar(
    rules: RuleSet,
    freezes: Sequence[Freeze],
    start: datetime,
    service: str,
    *,
    weights: Sequence[int] | None = None,
    overrides: Iterable[Override] = (),
) -> tuple[Row, ...]:
    """Give the calendar of a rollout, one row for each weight; it ends early where a freeze has no end in sight.

    Args:
        rules: The rule set, adjusted to the service.
        freezes: Of the configuration.
        start: When somebody asks for the rollout.
        service: Its name.
        weights: Instead of the rule set's own.
        overrides: Exceptions from freezes.
    """
    lifted = tuple(overrides)
    rows: list[Row] = []
    asked, before = start, 0
    for index, weight in enumerate(weights or tuple(step.weight for step in rules.steps)):
        first = index == 0  # somebody asks for it; nothing has held yet
        bake = timedelta(0) if first else rules.bake_at(before)
        gates = () if first else rules.gates_at(before)
        window = max((_window(rules.gates.get(gate)) for gate in gates), default=timedelta(0))
        ready = asked + max(bake, window)
        at = next_opening(freezes, ready, service, lifted)
        frozen = tuple(_freezing(freezes, ready, at, service, lifted))
        rows.append(
            Row(
                weight,
                asked,
                ready,
                at,
                bake,
                window,
                gates,
                frozen,
                alone=not first and rules.auto and before > 0,
            )
        )
        if at is None:
            break
        asked, before = at, weight
    return tuple(rows)


def _window(gate: GateRule | None) -> timedelta:
    return timedelta(0) if gate is None else gate.window


def _freezing(
    freezes: Sequence[Freeze],
    ready: datetime,
    at: datetime | None,
    service: str,
    lifted: tuple[Override, ...],
) -> Iterable[Frozen]:
    """Give the freeze that a step meets when it is ready."""
    found = verdict(freezes, ready, service, lifted)
    if found is not None and at != ready:
        yield found


def next_of(
    rules: RuleSet,
    weight: int,
    baked: timedelta,
    *,
    failed: Collection[str] = (),
    inconclusive: Collection[str] = (),
) -> int | Literal["wait", "hold", "rollback", "done"]:
    """Tell what may follow a weight, as examples of a rule set say it.

    A gate that fails is acted on at once, also while the step bakes; one without an answer only waits.

    Args:
        rules: The rule set.
        weight: The candidate's share, whole percent.
        baked: How long it has held.
        failed: Gates that fail.
        inconclusive: Gates that have no answer.
    """
    following = next((w for w in rules.steps_from(weight) if w > weight), None)
    if following is None:
        return "done"
    asked = rules.gates_at(weight)
    if any(gate in failed for gate in asked):
        return rules.on_fail
    if baked < rules.bake_at(weight) or any(gate in inconclusive for gate in asked):
        return "wait"
    return following


def merged_by(rules: RuleSet, weight: int) -> Literal["person", "itself"]:
    """Tell who merges the step after a weight: from the preview on, a person decides first."""
    return "itself" if rules.auto and weight > 0 else "person"
