"""The arithmetic of a rollout for every way of writing a split: Knative's block, its old modes, weights.

Percents are whole, 0 to 100. What is written for them in a file is the editors' matter.
"""

from __future__ import annotations

from dataclasses import replace

from bot.core import traffic
from bot.core.problems import Declined, Problem
from bot.core.text import code
from bot.core.traffic import CANDIDATE_TAG, STABLE_TAG, Shape, Split, Target

ALL = 100  # percent
# What the v1alpha1 server adds to every release.
_LATEST = Target(tag="latest", latest=True)


def to_weight(
    split: Split, *, stable: str, candidate: str, weight: int, keep_previous: bool = False
) -> Split:
    """Give the split in which the candidate has ``weight``, and stable the rest; 100 ends the rollout.

    ``keep_previous`` is that of ``traffic.finish``; only Knative's block has a place for it.

    Raises:
        Declined: ``weight-out-of-range``, ``same-revision``; ``which-destination`` for weights.
    """
    if split.shape is Shape.TARGETS:
        if weight == ALL:
            return traffic.finish(split, stable=stable, candidate=candidate, keep_previous=keep_previous)
        return traffic.shift(split, stable=stable, candidate=candidate, weight=weight)
    _check(stable, candidate, weight)
    if split.shape is Shape.WEIGHTS:
        return _weighted(split, stable, candidate, weight)
    if weight == ALL:
        return _release(Target(candidate, ALL, STABLE_TAG))
    return _release(Target(stable, ALL - weight, STABLE_TAG), Target(candidate, weight, CANDIDATE_TAG))


def back(split: Split, *, stable: str, candidate: str) -> Split:
    """Give the split in which stable has everything again.

    Raises:
        Declined: As ``to_weight``.
    """
    if split.shape is Shape.TARGETS:
        return traffic.give_back(split, stable=stable, candidate=candidate)
    if split.shape is Shape.WEIGHTS:
        return to_weight(split, stable=stable, candidate=candidate, weight=0)
    return _release(Target(stable, ALL, STABLE_TAG))


def _check(stable: str, candidate: str, weight: int) -> None:
    if not 0 <= weight <= ALL:
        raise Declined(Problem("weight-out-of-range", f"{weight} is outside 0–100.", "Use 0 to 100."))
    if stable == candidate:
        raise Declined(
            Problem(
                "same-revision",
                f"Stable and candidate are both {code(stable)}.",
                "Name the one that serves now, and the one that is tried: `stable=NAME candidate=NAME`.",
            )
        )


def _release(*slots: Target) -> Split:
    return Split((*slots, _LATEST), Shape.RELEASE)


def _weighted(split: Split, stable: str, candidate: str, weight: int) -> Split:
    shares = {stable: ALL - weight, candidate: weight}
    names = [target.revision for target in split.targets]
    missing = next((name for name in shares if name not in names), None)
    if missing is not None:
        there = ", ".join(code(name or "") for name in names)
        raise Declined(
            Problem(
                "which-destination",
                f"The rule has no destination {code(missing)}.",
                f"It has {there}." if there else "",
            )
        )
    others = [t for t in split.targets if t.revision not in shares and t.effective_percent]
    if others:
        shown = ", ".join(f"{code(t.shown)} ({t.effective_percent} %)" for t in others)
        raise Declined(
            Problem(
                "which-destination",
                f"Other destinations than stable and candidate have weight: {shown}.",
                "Set them to 0 by hand first, or name the two that the rollout is about.",
            )
        )
    targets = tuple(replace(t, percent=shares.get(t.revision or "", 0)) for t in split.targets)
    return Split(targets, Shape.WEIGHTS)
