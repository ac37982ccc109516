"""The traffic block of one service, as values, and the arithmetic of shifting.

Percents are whole numbers from 0 to 100 and sum to 100 over a split.
Source: Knative Serving v1, ``TrafficTarget``, its defaulting and its validation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from bot.core.problems import Declined, Problem
from bot.core.text import code

STABLE_TAG = "current"
CANDIDATE_TAG = "candidate"
PREVIOUS_TAG = "previous"


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of ``spec.traffic``.

    A field that is ``None`` is not written in the file; ``effective_percent`` and
    ``floats`` apply the API server's defaults. ``slot`` is the place in the list
    that the target was read from, ``None`` for a new one: it tells the editor which
    lines to keep, and plays no part in comparisons. ``configuration`` is a Route's
    ``configurationName``: its newest ready revision, so such a target floats.
    """

    revision: str | None = None
    percent: int | None = None
    tag: str | None = None
    latest: bool | None = None
    slot: int | None = field(default=None, compare=False)
    configuration: str | None = None

    @property
    def effective_percent(self) -> int:
        """The percent after defaulting: absent means 0."""
        return self.percent or 0

    @property
    def floats(self) -> bool:
        """Whether the target follows the newest ready revision."""
        if self.configuration:
            return True
        return not self.revision if self.latest is None else self.latest

    @property
    def shown(self) -> str:
        """The name a reader knows it by: the revision, or ``@latest``."""
        if not self.floats:
            return self.revision or ""
        return f"@latest of {self.configuration}" if self.configuration else "@latest"


class Shape(Enum):
    """How a manifest writes its split."""

    TARGETS = "targets"  # Knative's block: targets come and go
    RELEASE = "release"  # the v1alpha1 modes: stable, candidate, and what the server adds
    WEIGHTS = "weights"  # Istio and the Gateway API: proportions between destinations that stay

    @property
    def noun(self) -> str:
        """What a reader calls one target."""
        return "destination" if self is Shape.WEIGHTS else "revision"


@dataclass(frozen=True, slots=True)
class Split:
    """All targets of a service, in the file's order.

    ``exact`` is false where weights are no whole percents: they are shown rounded then, and are no step of
    any rollout.
    """

    targets: tuple[Target, ...]
    shape: Shape = Shape.TARGETS
    exact: bool = True

    @property
    def total(self) -> int:
        """The sum of the percents, 100 in a valid split."""
        return sum(t.effective_percent for t in self.targets)

    def percent_of(self, revision: str) -> int:
        """Give the share of a revision over all targets that pin it."""
        return sum(t.effective_percent for t in self.targets if not t.floats and t.revision == revision)

    @property
    def floating_percent(self) -> int:
        """The share that follows the newest ready revision."""
        return sum(t.effective_percent for t in self.targets if t.floats)

    @property
    def heaviest(self) -> Target | None:
        """The target with the most weight, the first of equals; ``None`` when no one has any."""
        weighted = [t for t in self.targets if t.effective_percent > 0]
        return max(weighted, key=lambda t: t.effective_percent, default=None)


def defaulted(targets: tuple[Target, ...]) -> Split:
    """Give the split that the API server makes of a block: none, null or empty is 100 % to the latest."""
    return Split(targets or (Target(latest=True, percent=100),))


def _with_percent(target: Target, percent: int) -> Target:
    # An absent percent means 0 already; writing it would touch a line for nothing.
    return target if target.effective_percent == percent else replace(target, percent=percent)


def _is_pinned(target: Target, revision: str) -> bool:
    return not target.floats and target.revision == revision


def shift(split: Split, *, stable: str, candidate: str, weight: int) -> Split:
    """Give the candidate ``weight`` percent, and the stable revision the rest.

    Other targets go to 0 and keep their tags, so their URLs stay up; those without
    a tag are dropped, as Knative's own client does. A target that is missing is made:
    a floating one without a tag becomes the stable target where it stood; the tag
    ``candidate`` moves to the new candidate; new targets come last.

    Args:
        split: As read from the file; it need not name either revision.
        stable: The revision that keeps the rest.
        candidate: The revision that is tried.
        weight: The candidate's share, whole percent, 0 to 100.

    Returns:
        A new split in which no floating target carries weight, summing to 100.

    Raises:
        Declined: ``weight-out-of-range``, ``same-revision``.
    """
    if not 0 <= weight <= 100:  # noqa: PLR2004 - percents
        raise Declined(Problem("weight-out-of-range", f"{weight} is outside 0–100.", "Use 0 to 100."))
    if stable == candidate:
        raise Declined(
            Problem(
                "same-revision",
                f"Stable and candidate are both {code(stable)}.",
                "Change the template, or name the revision that serves now: `stable=NAME`.",
            )
        )
    targets = list(split.targets)
    targets = _placed(targets, stable, STABLE_TAG)
    targets = _placed(targets, candidate, CANDIDATE_TAG, keep=stable)
    shares = {stable: 100 - weight, candidate: weight}
    result: list[Target] = []
    for target in targets:
        share = 0 if target.floats or target.revision is None else shares.pop(target.revision, 0)
        is_wanted = not target.floats and target.revision in {stable, candidate}
        if is_wanted or target.tag:
            # A second target of the same revision keeps its tag at 0.
            result.append(_with_percent(target, share))
    # Two untagged targets of one revision: the first has the whole share, the other nothing left to say.
    return Split(tuple(_without_idle_twins(result)))


def _without_idle_twins(targets: list[Target]) -> list[Target]:
    seen: set[str] = set()
    kept: list[Target] = []
    for target in targets:
        name = target.revision or ""
        if not target.floats and name in seen and not target.tag and target.effective_percent == 0:
            continue
        seen.add(name)
        kept.append(target)
    return kept


def _placed(targets: list[Target], revision: str, tag: str, *, keep: str | None = None) -> list[Target]:
    """Make sure that a target pins ``revision``, with ``tag`` where it is new.

    The candidate comes with ``keep``, the stable revision: it may take its tag away from anybody else. The
    stable revision takes a tag only from a target that serves nobody. A target of a configuration is never
    re-used: it cannot name a revision.
    """
    if any(_is_pinned(t, revision) for t in targets):
        return targets
    holder = next((i for i, t in enumerate(targets) if t.tag == tag), None)
    if holder is not None and _may_be_taken(targets[holder], keep):
        # The tag's entry is re-used: its URL now leads to the new revision.
        targets[holder] = replace(targets[holder], revision=revision, latest=_pinned_flag(targets[holder]))
        return targets
    new_tag = None if holder is not None else tag
    floating = next(
        (i for i, t in enumerate(targets) if t.floats and not t.tag and not t.configuration), None
    )
    if keep is None and floating is not None:
        targets[floating] = replace(targets[floating], revision=revision, latest=None, tag=new_tag)
        return targets
    return [*targets, Target(revision=revision, percent=0, tag=new_tag)]


def _may_be_taken(holder: Target, keep: str | None) -> bool:
    if holder.configuration:
        return False
    if keep is None:
        return holder.floats or holder.effective_percent == 0
    return not _is_pinned(holder, keep)


def _pinned_flag(target: Target) -> bool | None:
    # ``latestRevision: false`` beside a revision is legal and somebody's habit: keep the key where it is.
    return False if target.latest is False else None


def finish(
    split: Split, *, stable: str, candidate: str, keep_tags: bool = False, keep_previous: bool = False
) -> Split:
    """Give the candidate everything and make it the stable revision; the old target is gone.

    The entry of the old stable revision takes the candidate's name, so that its tag (``current``)
    and place stay; the candidate's own entry goes, unless it has a tag other than ``candidate``.
    With ``keep_tags`` both entries stay and only the weights move. With ``keep_previous`` the old stable revision
    stays at 0 % under the tag ``previous``, so that the platform does not collect it.

    Raises:
        Declined: As ``shift``.
    """
    full = shift(split, stable=stable, candidate=candidate, weight=100)
    if keep_tags:
        return full
    home = next((i for i, t in enumerate(full.targets) if _is_pinned(t, stable)), None)
    result: list[Target] = []
    for i, target in enumerate(full.targets):
        if i == home:
            result.append(replace(target, revision=candidate, percent=100))
        elif _is_pinned(target, candidate) and target.tag in {None, CANDIDATE_TAG}:
            continue
        else:
            result.append(_with_percent(target, 0))
    return Split(tuple(_with_previous(result, stable) if keep_previous else result))


def _with_previous(targets: list[Target], revision: str) -> list[Target]:
    if any(_is_pinned(t, revision) for t in targets):
        return targets
    holder = next((i for i, t in enumerate(targets) if t.tag == PREVIOUS_TAG), None)
    if holder is None:
        return [*targets, Target(revision=revision, percent=0, tag=PREVIOUS_TAG)]
    old = targets[holder]
    if old.configuration or old.effective_percent:
        return targets  # the tag is somebody's own
    kept = replace(old, revision=revision, latest=_pinned_flag(old))
    return [*targets[:holder], kept, *targets[holder + 1 :]]


def give_back(split: Split, *, stable: str, candidate: str) -> Split:
    """Give the stable revision everything; the candidate stays at 0 % where it has a tag of its own.

    Where the rollout had ended, the entry that took the candidate's name gets the stable name back.

    Raises:
        Declined: As ``shift``.
    """
    pins = [t for t in split.targets if _is_pinned(t, stable)]
    if any(t.tag != PREVIOUS_TAG or t.effective_percent for t in pins):
        return shift(split, stable=stable, candidate=candidate, weight=0)
    targets: list[Target] = []
    done = False
    for target in (t for t in split.targets if t not in pins):
        if not done and _is_pinned(target, candidate) and target.effective_percent > 0:
            targets.append(replace(target, revision=stable, percent=100))
            done = True
        elif target.tag:
            targets.append(_with_percent(target, 0))
    if not done:
        return shift(split, stable=stable, candidate=candidate, weight=0)
    return Split(tuple(targets))
