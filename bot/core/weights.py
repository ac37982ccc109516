"""The weights of one routing rule of a mesh or gateway, as values, and the arithmetic of shifting.

Weights are proportions: a destination gets weight / sum of all weights. Sources: Istio API,
``HTTPRouteDestination.weight`` and ``RouteDestination.weight`` ("If there is only one destination
in a rule, it will receive all traffic. Otherwise, if weight is 0, the destination will not receive
any traffic."), Istio's validation of virtual services; Gateway API v1, ``BackendRef.weight``.

Current Istio is followed, which accepts every sum but 0. Earlier releases asked for a sum of 100:
a rule that sums to 100 still does after every shift, so they go on accepting it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from bot.core.problems import Declined, Problem
from bot.core.text import code

SCALE = 100  # what weights sum to when the sum of the file does not divide evenly


class Platform(Enum):
    """Whose rules say what a weight means; the value is the name that people know it by."""

    ISTIO = "Istio"
    GATEWAY = "the Gateway API"

    @property
    def absent(self) -> int:
        """What a weight that is not written counts as, beside other destinations."""
        return 0 if self is Platform.ISTIO else 1

    @property
    def largest(self) -> int:
        """The largest weight that the schema takes."""
        return 2**31 - 1 if self is Platform.ISTIO else 1_000_000


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination of a rule.

    ``name`` tells it from the others: ``host/subset`` or the backend's name, with port or
    namespace where it takes them. ``weight`` is as written, ``None`` where nothing is. ``slot``
    is its place in the list, from 0. ``also`` are longer and shorter names that a person may
    use; ``line`` counts from 1. Neither plays a part in comparisons.
    """

    name: str
    weight: int | None
    slot: int
    also: tuple[str, ...] = field(default=(), compare=False)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Weights:
    """All destinations of a rule, in the file's order; at least one."""

    platform: Platform
    destinations: tuple[Destination, ...]

    @property
    def effective(self) -> tuple[int, ...]:
        """The weights with the platform's defaults; a single destination of Istio has all, whatever its weight."""
        if self.platform is Platform.ISTIO and len(self.destinations) == 1:
            return (self.destinations[0].weight or SCALE,)
        absent = self.platform.absent
        return tuple(absent if d.weight is None else d.weight for d in self.destinations)

    @property
    def total(self) -> int:
        """The sum of the weights; 0 serves nobody."""
        return sum(self.effective)

    @property
    def shares(self) -> tuple[Fraction, ...]:
        """What each destination gets, in percent; all 0 where nobody is served."""
        total = self.total
        return tuple(Fraction(100 * weight, total) if total else Fraction(0) for weight in self.effective)

    @property
    def refusal(self) -> str | None:
        """What the platform says against the weights, ``None`` where it accepts them.

        A Gateway accepts that all weights are 0 and answers every request with 500.
        """
        for destination in self.destinations:
            if not 0 <= (destination.weight or 0) <= self.platform.largest:
                return f"weight {destination.weight} is not in 0..{self.platform.largest}"
        if self.platform is Platform.ISTIO and len(self.destinations) > 1:
            if self.total == 0:
                return "total destination weight = 0"
            if self.total > self.platform.largest:
                return f"the weights sum to more than {self.platform.largest}"
        return None


@dataclass(frozen=True, slots=True)
class Shifted:
    """What is written for each destination afterwards, by slot; ``None`` leaves a weight out.

    ``note`` is a sentence for the reader where the weights got another scale, else empty.
    """

    weights: tuple[int | None, ...]
    note: str = ""


def shift(weights: Weights, *, stable: int, candidate: int, percent: int) -> Shifted:
    """Give the candidate ``percent`` of the traffic, and stable the rest.

    The sum of the weights stays where the percent divides it evenly, else it becomes 100. A
    weight that says what is wanted already stays as it is written, or not written. Destinations
    stay: at 100 % the stable one has the weight 0, and a rollback is the shift to 0 %.

    Args:
        weights: As read from the file.
        stable: The slot of the destination that keeps the rest.
        candidate: The slot of the destination that is tried.
        percent: The candidate's share, whole percent, 0 to 100.

    Raises:
        Declined: ``weight-out-of-range``, ``same-revision``; ``which-destination`` where another
            destination has weight, which is neither to be kept nor to be taken silently.
    """
    if not 0 <= percent <= 100:  # noqa: PLR2004 - percent
        raise Declined(Problem("weight-out-of-range", f"{percent} is not from 0 to 100."))
    if stable == candidate:
        name = code(weights.destinations[stable].name)
        raise Declined(
            Problem(
                "same-revision",
                f"Stable and candidate are both {name}.",
                "Name two destinations of the rule.",
            )
        )
    effective = weights.effective
    others = [
        destination
        for destination, weight in zip(weights.destinations, effective, strict=True)
        if weight and destination.slot not in {stable, candidate}
    ]
    if others:
        names = ", ".join(f"{code(d.name)} ({effective[d.slot]})" for d in others)
        raise Declined(
            Problem(
                "which-destination",
                f"Other destinations than stable and candidate have weight: {names}.",
                "Set them to 0 by hand first, or name the two that the rollout is about.",
            )
        )
    wanted = [0] * len(effective)
    wanted[stable], wanted[candidate] = 100 - percent, percent
    return set_percents(weights, tuple(wanted))


def set_percents(weights: Weights, percents: tuple[int, ...]) -> Shifted:
    """Give what is written so that each destination has its whole percent.

    The sum of the weights stays where all percents divide it evenly, else it becomes 100.

    Args:
        weights: As read from the file.
        percents: For each destination, by slot; they sum to 100.
    """
    total, effective = weights.total, weights.effective
    keeps = total > 0 and all(total * percent % 100 == 0 for percent in percents)
    scale = total if keeps else SCALE
    wanted = [scale * percent // 100 for percent in percents]
    note = ""
    if not keeps:
        uneven = next((p for p in reversed(percents) if total * p % 100), 0)
        before = f"they summed to {total}, which {uneven} % does not divide evenly"
        note = f"The weights sum to {SCALE} now; {before if total else 'before, none of them had any'}."
    return Shifted(
        tuple(
            destination.weight if has == wants else wants
            for destination, has, wants in zip(weights.destinations, effective, wanted, strict=True)
        ),
        note,
    )


def give_back(weights: Weights, *, stable: int, candidate: int) -> Shifted:
    """Give stable all the traffic; raises as ``shift`` does."""
    return shift(weights, stable=stable, candidate=candidate, percent=0)


def finish(weights: Weights, *, stable: int, candidate: int) -> Shifted:
    """Give the candidate all the traffic; both destinations stay. Raises as ``shift`` does."""
    return shift(weights, stable=stable, candidate=candidate, percent=100)


def pick(weights: Weights, name: str) -> Destination:
    """Find the destination that a person names: by its name, or by another that only one has.

    Raises:
        Declined: ``which-destination``.
    """
    found = [d for d in weights.destinations if d.name == name] or [
        d for d in weights.destinations if name in d.also
    ]
    if len(found) == 1:
        return found[0]
    what = "Several destinations are" if found else "No destination of the rule is"
    raise Declined(
        Problem("which-destination", f"{what} {code(name)}.", f"The rule has {_names(weights.destinations)}.")
    )


def pair_of(weights: Weights) -> tuple[Destination, Destination]:
    """Tell stable and candidate apart before a rollout: two destinations, one with more weight.

    Once a candidate may have more weight than stable, only the rollout's own memory knows them.

    Raises:
        Declined: ``which-destination``, ``unknown-candidate``.
    """
    destinations, effective = weights.destinations, weights.effective
    if len(destinations) == 1:
        raise Declined(
            Problem(
                "unknown-candidate",
                f"The rule has one destination only, {code(destinations[0].name)}.",
                "Add the candidate's destination to the rule, with the weight 0.",
            )
        )
    if len(destinations) > 2 or effective[0] == effective[1]:  # noqa: PLR2004 - a pair
        raise Declined(
            Problem(
                "which-destination",
                f"The rule does not say which is stable and which the candidate: {_names(destinations)}.",
                "Name them with `stable=` and `candidate=`.",
            )
        )
    first, second = destinations
    return (first, second) if effective[0] > effective[1] else (second, first)


def _names(destinations: tuple[Destination, ...]) -> str:
    return ", ".join(code(destination.name) for destination in destinations)
