"""A rollout of any workload, edit by edit, each of them checked by other readers and by the platform's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from bot.core import moving
from bot.core.legacy import alpha_refusal
from bot.core.traffic import Shape, Split
from bot.manifests.judge import server_refusal
from bot.manifests.knative import Manifest
from bot.manifests.workload import Workload, edit, find
from tests.manifests.crds import Watch
from tests.manifests.every_oracle import assert_edit, effective, plain, shares

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = ("1.1", "1.2")


def again(content: bytes, workload: Workload) -> Workload:
    """Find a workload in another version of its file."""
    found = find(content, workload.path, name=workload.name)
    same = [w for w in found.workloads if (w.id, w.document) == (workload.id, workload.document)]
    assert len(same) == 1, found.problems
    return same[0].at(workload.rule.where) if workload.rule is not None else same[0]


def rules_of(workload: Workload) -> Iterator[Workload]:
    """Give a workload once for each rule with several destinations, itself where it has no rules."""
    if not workload.rules:
        yield workload
    for rule in workload.rules:
        if len(rule.weights.destinations) > 1:
            yield workload.at(rule.where)


def refusal(content: bytes, workload: Workload) -> str | None:
    """Give what the platform's webhook would say."""
    if workload.rule is not None:
        return workload.rule.weights.refusal
    if isinstance(workload.origin, Manifest):
        return server_refusal(workload.origin, workload.origin.targets)
    return alpha_refusal(workload.name, plain(content, workload)["spec"])


def pair_of(workload: Workload) -> tuple[str, str]:
    """Give stable and candidate for a rollout: what serves, and what comes."""
    targets = workload.split.targets
    if workload.split.shape is Shape.WEIGHTS:
        return targets[0].revision or "", targets[1].revision or ""
    named = [t for t in targets if t.revision and not t.floats and t.revision != "@latest"]
    heaviest = max(named, key=lambda t: t.effective_percent, default=None)
    stable = (heaviest.revision if heaviest else None) or f"{workload.name}-00041"
    others = [t.revision for t in named if t.revision != stable and t.tag == "candidate"]
    return stable, others[0] or "" if others else f"{workload.name}-00042"


@dataclass(slots=True)
class Walk:
    """A workload on its way; every method gives the walk after one checked edit.

    ``names`` are stable and candidate; ``readers`` the versions of YAML that read each result.
    """

    content: bytes
    workload: Workload
    names: tuple[str, str]
    watch: Watch = field(default_factory=Watch)
    readers: tuple[str, ...] = BOTH

    def to(self, weight: int, *, name: str | None = None) -> Walk:
        """Give the candidate a share.

        Raises:
            Declined: As the bot.
        """
        stable, candidate = self.names
        split = moving.to_weight(self.workload.split, stable=stable, candidate=candidate, weight=weight)
        return self._edited(split, {stable: 100 - weight, candidate: weight}, name)

    def start(self, weight: int) -> Walk:
        """Give the candidate a share, and name it in the template where the bot does."""
        return self.to(weight, name=self.names[1] if self.workload.names_revisions else None)

    def back(self) -> Walk:
        """Give stable everything."""
        stable, candidate = self.names
        split = moving.back(self.workload.split, stable=stable, candidate=candidate)
        return self._edited(split, {stable: 100}, None)

    def _edited(self, split: Split, served: dict[str, int], name: str | None) -> Walk:
        workload = self.workload
        after = edit(self.content, workload, split, template_name=name)
        found = again(after, workload)
        assert found.split == split
        assert found.template == workload.template
        assert found.template_name == (name or workload.template_name)
        if split.shape is Shape.WEIGHTS:
            places = {t.revision: t.slot for t in workload.split.targets}
            wanted = {places[key]: Fraction(share) for key, share in served.items() if share}
            assert shares(plain(after, found), found) == wanted
        else:
            by_name = {key: Fraction(share) for key, share in served.items() if share}
            assert shares(plain(after, found), found) == by_name
        assert_edit(self.content, after, (workload, found), split, name, readers=self.readers)
        assert refusal(after, found) is None
        self.watch.written(self.content, after, f"{workload.path}:{workload.line}")
        if self.readers == BOTH:
            assert edit(after, found, found.split, template_name=name) == after, "the same again"
        return Walk(after, found, self.names, self.watch, self.readers)

    @property
    def invertible(self) -> bool:
        """Whether the split as it is now can be written back later through the seam, byte for byte.

        Not where weights are missing, which no edit writes, or where their scale has to change; not where a
        mode has to change, or a block is missing.
        """
        data = plain(self.content, self.workload)
        if self.workload.split.shape is Shape.WEIGHTS:
            assert self.workload.rule is not None
            whole = [d.weight for d in self.workload.rule.weights.destinations]
            total = sum(effective(data, self.workload))
            return None not in whole and self.workload.split.exact and total % 100 == 0
        if self.workload.split.shape is Shape.RELEASE:
            release = data["spec"].get("release") or {}
            return release.get("rolloutPercent") is not None
        return bool(data["spec"].get("traffic"))

    def taken_back(self, later: Walk) -> bytes:
        """Give the later file with the split that this one has."""
        return edit(
            later.content, later.workload, self.workload.split, template_name=self.workload.template_name
        )
