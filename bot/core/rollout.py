"""Where a rollout stands, and what comes next: facts in, plans out.

Truth, in this order: the traffic block on the base branch, the trailers of the bot's
commits, the pull requests that this App opened. Every function here is pure; times are
arguments, aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bot.core import moving
from bot.core.conditions import Condition, Gate
from bot.core.text import code
from bot.core.traffic import Shape, Split
from bot.core.trailers import CANCEL, ROLLBACK, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime, timedelta

    from bot.core.markers import Adopted
    from bot.core.problems import Place
    from bot.core.rules import RuleSet

ALL = 100


class Phase(StrEnum):
    """The states of a service, as the base branch shows them."""

    NONE = "none"  # no rollout, or one taken back before it was merged
    ROLLING = "rolling"
    DONE = "done"
    ROLLED_BACK = "rolled-back"
    DRIFTED = "drifted"  # the block holds something that no commit of the bot wrote


@dataclass(frozen=True, slots=True)
class Rollout:
    """What Git says of a service's last rollout.

    ``weight`` is the candidate's share on the base branch. ``record`` is ``None`` only in
    ``Phase.NONE``. ``adopted`` is the hand edit that a rolling one goes on from, where somebody accepted it.
    """

    phase: Phase
    record: Record | None
    weight: int
    adopted: Adopted | None = None

    @property
    def next_weight(self) -> int | None:
        """The weight of the next step, ``None`` unless the rollout goes on."""
        if self.phase is not Phase.ROLLING or self.record is None:
            return None
        return next((w for w in self.record.steps if w > self.weight), None)


NOTHING = Rollout(Phase.NONE, None, 0)


def holds(split: Split, record: Record, weight: int) -> bool:
    """Whether a split is a rollout's step to ``weight``, and nothing else."""
    if split.floating_percent or not split.exact:
        return False
    if split.shape is Shape.WEIGHTS and not {record.stable, record.candidate} <= names_of(split):
        return False  # a destination that is alone has everything, and is no step
    if weight == ALL:
        return split.percent_of(record.candidate) == ALL
    return split.percent_of(record.candidate) == weight and split.percent_of(record.stable) == ALL - weight


def not_adoptable(split: Split, record: Record) -> str:
    """Say why a rollout cannot go on from a split, in words; empty where it can.

    It can where stable and candidate have everything between them, in whole percents by name.
    """
    if split.floating_percent:
        return f"{split.floating_percent} % follow whatever revision is the newest"
    if not split.exact:
        return "the weights are no whole percents"
    there = names_of(split)
    for role, name in (("stable", record.stable), ("candidate", record.candidate)):
        if name not in there:
            return f"the {role} {split.shape.noun} {code(name)} is not in it"
    others = [
        t
        for t in split.targets
        if t.effective_percent and t.revision not in {record.stable, record.candidate}
    ]
    if others:
        shown = ", ".join(f"{code(t.shown)} ({t.effective_percent} %)" for t in others)
        return f"other {split.shape.noun}s have weight too: {shown}"
    if split.total != ALL:
        return f"the percents sum to {split.total}, not to 100"
    return ""


def with_adopted(rollout: Rollout, split: Split, adopted: Adopted) -> Rollout:
    """Give a drifted rollout that goes on from a hand edit, as long as the block holds what was accepted."""
    record = rollout.record
    if rollout.phase is not Phase.DRIFTED or record is None or rollout.weight != adopted.weight:
        return rollout
    if not_adoptable(split, record):
        return rollout
    return Rollout(Phase.ROLLING, record, rollout.weight, adopted)


def step_above(record: Record, weight: int) -> int:
    """Give the first step of a rollout above a weight; 100 has none above it and is given itself."""
    return next((w for w in record.steps if w > weight), ALL)


def names_of(split: Split) -> set[str]:
    """Give the revisions or destinations of a split that do not float."""
    return {t.revision for t in split.targets if t.revision and not t.floats}


def current(records: Iterable[Record]) -> Record | None:
    """Give the record that a service's state follows from; ``records`` are newest first."""
    return next(iter(_counted(records)), None)


def state_of(split: Split, records: Iterable[Record]) -> Rollout:
    """Tell where a service's rollout stands.

    An edit by hand that equals one of the rollout's later steps counts as that step.

    Args:
        split: The block on the base branch, with the server's defaults.
        records: Of this service, from the base branch's history, newest first.
    """
    record = current(records)
    if record is None:
        return NOTHING
    if record.step == ROLLBACK:
        back = split.percent_of(record.stable) == ALL and not split.floating_percent and split.exact
        return Rollout(Phase.ROLLED_BACK, record, 0) if back else NOTHING
    reached = next((w for w in record.steps if w >= record.weight and holds(split, record, w)), None)
    if reached is None:
        # After the end anything may follow: the next image, another rollout by hand.
        phase = Phase.NONE if record.weight == ALL else Phase.DRIFTED
        return Rollout(phase, None if phase is Phase.NONE else record, split.percent_of(record.candidate))
    return Rollout(Phase.DONE if reached == ALL else Phase.ROLLING, record, reached)


def turned_back(records: Iterable[Record], candidate: str) -> Record | None:
    """Give the rollback that was the last word on a candidate, ``None`` where it was not the last or never came.

    Names of revisions follow from their content; of a destination of a mesh or gateway, or of ``@latest``, the caller
    does not ask.

    Args:
        records: Of the service, from the base branch's history, newest first.
        candidate: The revision's name.
    """
    last = next((r for r in _counted(records) if r.candidate == candidate), None)
    return last if last is not None and last.step == ROLLBACK else None


def _counted(records: Iterable[Record]) -> Iterator[Record]:
    """Leave out what was taken back before the merge: it never moved traffic, and ends no other rollout."""
    taken_back: set[int] = set()
    for record in records:
        if record.step == CANCEL:
            taken_back.add(record.pull)
        elif record.pull not in taken_back:
            yield record


@dataclass(frozen=True, slots=True)
class Version:
    """What a manifest says at one commit. ``template`` has no ``metadata.name``.

    ``names_revisions`` says whether the bot may write the candidate's name into the template.
    """

    split: Split
    template: Any
    template_name: str | None
    names_revisions: bool = True


def moved(split: Split, record: Record, weight: int, *, keep_previous: bool = False) -> Split:
    """Give the split in which a rollout's candidate has ``weight``; 100 ends the rollout.

    Raises:
        Declined: As ``moving.to_weight``.
    """
    return moving.to_weight(
        split, stable=record.stable, candidate=record.candidate, weight=weight, keep_previous=keep_previous
    )


def step_record(rollout: Rollout, weight: int, *, requested_by: str, comment: int) -> Record:
    """Give the record of the step to ``weight``."""
    record = rollout.record
    if record is None:  # pragma: no cover - callers have a rollout
        raise ValueError(rollout)
    place = record.steps.index(weight) + 1
    adopted = "" if rollout.adopted is None else rollout.adopted.trailer
    return replace(
        record,
        step=place,
        weight=weight,
        requested_by=requested_by,
        comment=comment,
        adopted=adopted,
        again=False,
    )


def is_outdated(record: Record, ended: Record) -> bool:
    """Whether a rollout that is about to begin has the stable revision of one that is done since."""
    return (
        record.rollout != ended.rollout
        and record.stable == ended.stable
        and ended.candidate not in {record.stable, record.candidate}
    )


def rollback_record(record: Record, *, requested_by: str, comment: int) -> Record:
    """Give the record of the commit that gives all traffic back."""
    return replace(
        record, step=ROLLBACK, weight=0, requested_by=requested_by, comment=comment, adopted="", again=False
    )


def rolled_back(split: Split, record: Record) -> Split:
    """Give the split after a rollback.

    Raises:
        Declined: As ``moving.to_weight``.
    """
    return moving.back(split, stable=record.stable, candidate=record.candidate)


def judge(
    rules: RuleSet,
    weight: int,
    *,
    since: datetime,
    now: datetime,
    others: Sequence[Condition] = (),
    awaited: str = "",
) -> Gate:
    """Judge whether the step after ``weight`` may be merged: the bake time, and what other rules said.

    Args:
        rules: The rollout's rule set.
        weight: The candidate's share now.
        since: When that share was merged, or came to be live where a cluster was asked.
        now: The time.
        others: All other rules, judged.
        awaited: Why the bake time has not begun, a sentence of Markdown; empty where it has.
    """
    bake = rules.bake_at(weight)
    if awaited:
        condition = Condition(
            "bake",
            "bake time",
            "wait",
            awaited,
            value="not begun",
            threshold=length(bake),
            origin=origin_of(rules, rules.origin_at(weight, "bake")),
        )
        return Gate((condition, *others), since, now + bake)
    ends = since + bake
    total = max(1, round(bake.total_seconds() / 60))
    gone = max(0, int((now - since).total_seconds() // 60))
    baking = now < ends
    condition = Condition(
        "bake",
        "bake time",
        "wait" if baking else "pass",
        f"Baking: {gone} of {total} min. Earliest {clock(ends)}." if baking else "",
        value=f"{gone} min since {clock(since)}",
        threshold=length(bake),
        origin=origin_of(rules, rules.origin_at(weight, "bake")),
        until=ends if baking else None,
    )
    return Gate((condition, *others), since, ends)


def held(words: str | None, until: datetime | None, now: datetime) -> Condition:
    """Judge a hold.

    Args:
        words: Who holds the rollout and why, in Markdown, or ``None``.
        until: When the hold expires, or ``None`` when it does not.
        now: The time.
    """
    if words is None or (until is not None and now >= until):
        return Condition("hold", "hold", "pass", origin="/hold")
    reason = f"{words}{f' until {clock(until)}' if until else ''}."
    # A bar would end a cell of a table, and with it the code span around a person's words.
    value = words.replace("|", "\\u{7c}")
    return Condition("hold", "hold", "wait", reason, value=value, origin="/hold", until=until)


def origin_of(rules: RuleSet, place: Place | None) -> str:
    """Give file and line of what a rule set says, as a code span; the file where the line is not known."""
    if place is not None:
        return code(f"{place.path}:{place.line}")
    steps = rules.origins.get("steps")
    return code(steps.path if steps is not None else f"rules/{rules.id}.yaml")


def length(span: timedelta) -> str:
    """Give a duration in the largest unit that shows it whole."""
    whole = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if whole >= size and whole % size == 0:
            return f"{whole // size} {unit}"
    return f"{whole} s" if whole < 60 else f"{whole // 60} min"  # noqa: PLR2004 - seconds of a minute


def clock(when: datetime) -> str:
    """Give a time as a reader of a reply wants it: minute and zone."""
    return when.strftime("%Y-%m-%d %H:%M UTC")
