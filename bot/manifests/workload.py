"""Everything whose split a rollout can move, whatever API it is written in: found, read and edited as one.

A workload is one object of a file: a Knative Service or Route, a Service in one of the v1alpha1 modes, an
Istio VirtualService, a route of the Gateway API. Its ``split`` says in percent who gets what.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bot.core.legacy import LATEST, Legacy, targets_of
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.core.traffic import CANDIDATE_TAG, STABLE_TAG, Shape, Split, Target, defaulted
from bot.core.validate import is_label, problems_of
from bot.core.weights import set_percents
from bot.manifests.judge import server_refusal
from bot.manifests.knative import Manifest, edit_service, find_services
from bot.manifests.knative import is_candidate as may_be_knative
from bot.manifests.legacy import LegacyService, edit_legacy, find_legacy
from bot.manifests.legacy_check import LATER, check_legacy
from bot.manifests.weighted import Route, choose, find_routes, may_have_routes, set_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.core.weights import Weights

_NONE: dict[str, str] = {}
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,63}", re.ASCII)
_HALF = 4  # hexadecimal digits for what a rule matches, and as many for where it leads
SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Workload:
    """One object of a file, with the split that is about to be moved.

    ``document`` is the place of its document in the file, from 0; ``line`` is where it begins, ``lines`` the
    first and last line of its split, ``None`` where nothing is written; all count from 1. ``template`` is what
    makes a revision, without its name, ``None`` where the object has none. ``rules`` are the rules of a mesh or
    gateway object, ``rule`` the one whose split is meant, ``None`` while that is not known. ``origin`` is the
    object as its own reader gives it.
    """

    path: str
    api_version: str
    kind: str
    namespace: str | None
    name: str
    document: int
    line: int
    lines: tuple[int, int] | None
    template: Any
    template_name: str | None
    template_name_line: int | None
    annotations: Mapping[str, str]
    split: Split
    origin: Manifest | LegacyService | None
    rules: tuple[Route, ...] = ()
    rule: Route | None = None

    @property
    def id(self) -> str:
        """``namespace/name`` of a Knative Service, ``Kind:namespace/name`` of others; the namespace may be empty."""
        own = f"{self.namespace or ''}/{self.name}"
        return own if self.kind == SERVICE else f"{self.kind}:{own}"

    @property
    def place(self) -> Place:
        """Where the split stands, or the document."""
        return Place(self.path, self.lines[0] if self.lines else self.line)

    @property
    def names_revisions(self) -> bool:
        """Whether the bot writes the candidate's name into the template: Knative makes revisions of it."""
        return self.split.shape is Shape.TARGETS and self.kind == SERVICE and self.template is not None

    @property
    def written(self) -> tuple[object, ...]:
        """What the file says of the split, to be compared with another version of the file."""
        if isinstance(self.origin, Manifest):
            return self.origin.targets
        if isinstance(self.origin, LegacyService):
            return (self.origin.legacy,)
        return tuple((r.where, r.rule, r.weights) for r in self.rules)

    @property
    def content(self) -> tuple[object, ...]:
        """All of it that a rollout could be about, to be compared with another version of the file."""
        whole = self.rules[0].whole if self.rules else None
        return (self.template, self.template_name, self.annotations, self.written, whole)

    def at(self, route: str | None) -> Workload:
        """Give the workload with the rule that is meant.

        Args:
            route: A rule's name or place like ``http[1]``; ``None`` where the only one with weights is meant.

        Raises:
            Declined: ``which-route``.
        """
        if not self.rules:
            if not route:
                return self
            raise Declined(
                Problem(
                    "which-route",
                    f"The {self.kind} {code(self.name)} has no rules to choose from.",
                    "Leave `route=` out.",
                    self.place,
                )
            )
        chosen = self._chosen(route)
        return replace(self, rule=chosen, lines=chosen.lines, split=split_of(chosen.weights))

    def _chosen(self, route: str | None) -> Route:
        unreadable = self.rules[0].beside
        if not route:
            if unreadable:
                raise Declined(*unreadable)  # one of them may be the one that is meant
            return choose(self.rules, None)
        name, mark, seen = route.partition("~")
        if mark:
            return self._again(name, seen)
        try:
            return choose(self.rules, name)
        except Declined as declined:
            raise Declined(*declined.problems, *unreadable) from None

    def _again(self, name: str, seen: str) -> Route:
        """Find the rule that a rollout is about: by its own name, else by what it matches and where it leads.

        A place alone proves nothing: a rule that was put in front of it moves all others.
        """
        named = [r for r in self.rules if r.rule == name]
        if len(named) == 1:
            return named[0]
        like = [r for r in self.rules if fingerprint(r) == seen]
        like = like or [r for r in self.rules if fingerprint(r)[_HALF:] == seen[_HALF:]]
        found = [r for r in like if r.where == name] or like
        if len(found) == 1:
            return found[0]
        raise Declined(
            *self.rules[0].beside,  # it may be one of those
            Problem(
                "which-route",
                f"The rule {code(name)} that the rollout moves is not in {code(self.name)} any more.",
                "Put it back, with its destinations; or set the weights by hand, and begin anew.",
                self.place,
            ),
        )

    @property
    def route(self) -> str:
        """The chosen rule, as ``at`` finds it again: its name or place, ``~``, and its fingerprint; else empty."""
        if self.rule is None:
            return ""
        own = self.rule.rule
        alone = own is not None and [r.rule for r in self.rules].count(own) == 1
        name = own if own is not None and alone and _PLAIN.fullmatch(own) else self.rule.where
        return f"{name}~{fingerprint(self.rule)}"


@dataclass(frozen=True, slots=True)
class Found:
    """The workloads of a file, in its order, and what is wrong with documents that seem to hold one."""

    workloads: tuple[Workload, ...]
    problems: tuple[Problem, ...]


def may_hold(content: bytes) -> bool:
    """Whether a file may hold a workload; reads no YAML."""
    return may_be_knative(content) or may_have_routes(content)


def find(content: bytes, path: str, *, name: str | None = None) -> Found:
    """Find the workloads of a file; never raises for what the file holds.

    With a ``name`` only objects of that name are given, and only documents that mention it are parsed.
    """
    workloads: list[Workload] = []
    problems: list[Problem] = []
    if may_be_knative(content):
        services = find_services(content, path, name=name)
        old = find_legacy(content, path, name=name)
        workloads += [knative(m) for m in services.manifests]
        workloads += [_legacy(s) for s in old.services]
        problems += old.problems
        # A mode that today's reader does not know is read by that of the old modes, but not in a list.
        modes = any(problem.code == LATER for problem in services.problems)
        left = check_legacy(content, path, services)[1] if modes else services.problems
        problems += [p for p in left if p not in old.problems]
    if may_have_routes(content):
        routes = find_routes(content, path, name=name)
        workloads += _weighted(routes.routes)
        problems += [p for p in routes.problems if p not in problems]
    return Found(tuple(sorted(workloads, key=lambda w: w.line)), tuple(problems))


def edit(content: bytes, workload: Workload, split: Split, *, template_name: str | None = None) -> bytes:
    """Give the file with another split, and with a revision's name where one is to be written.

    Args:
        content: The file that ``workload`` was found in.
        workload: The object; of a mesh or gateway one, with its rule.
        split: What the file says afterwards, exactly.
        template_name: What ``spec.template.metadata.name`` is afterwards, for a Knative Service.

    Raises:
        Declined: The platform would refuse it, or the file cannot be edited exactly.
    """
    problems = problems_with(workload, split, template_name)
    if problems:
        raise Declined(*problems)
    origin = workload.origin
    if isinstance(origin, Manifest):
        return edit_service(
            content, workload.path, origin, targets=split.targets, template_name=template_name
        )
    if isinstance(origin, LegacyService):
        if split == workload.split:
            return content
        wanted = _mode_of(split)
        same = targets_of(origin.legacy) == targets_of(wanted)  # a percent of 0 need not be written
        return content if same else edit_legacy(content, origin, wanted)
    rule = _the_rule(workload)
    return set_weights(content, rule, set_percents(rule.weights, _percents(split)).weights)


def remark(workload: Workload, split: Split) -> str:
    """Give the sentence that a reader needs on how ``edit`` writes a split, empty where there is none."""
    if workload.rule is None:
        return ""
    return set_percents(workload.rule.weights, _percents(split)).note


def problems_with(workload: Workload, split: Split, template_name: str | None = None) -> tuple[Problem, ...]:
    """Give what the platform, or another owner of the split, says against it."""
    foreign = workload.rule.foreign if workload.rule is not None else None
    if foreign is not None:
        return (foreign,)
    if split.shape is Shape.WEIGHTS:
        said = (
            workload.rule.weights.refusal if workload.rule is not None and split == workload.split else None
        )
        platform = workload.rule.weights.platform.value if workload.rule is not None else ""
        return () if said is None else (_refused(f"{platform} refuses the weights: {code(said)}.", workload),)
    if split.shape is Shape.RELEASE:
        return tuple(_of_release(workload, split))
    name = template_name or workload.template_name
    found = problems_of(split, service=workload.name, template_name=name, place=workload.place)
    if found or workload.kind == SERVICE or not isinstance(workload.origin, Manifest):
        return found
    refusal = server_refusal(workload.origin, split.targets)
    return tuple(
        _refused(f"The API server would refuse the result: {code(line, longest=1000)}", workload)
        for line in (refusal or "").splitlines()
    )


def fingerprint(rule: Route) -> str:
    """Give eight hexadecimal digits: four of what a rule matches, four of its destinations; weights play no part."""
    parts = (rule.matches, tuple(sorted(d.name for d in rule.weights.destinations)))
    return "".join(hashlib.sha256(repr(part).encode()).hexdigest()[:_HALF] for part in parts)


def split_of(weights: Weights) -> Split:
    """Give the weights of a rule in percent; shares that are no whole percents are rounded to a sum of 100."""
    shares = weights.shares
    exact = sum(shares) == 100 and all(share.denominator == 1 for share in shares)  # noqa: PLR2004 - percent
    percents = [int(share) for share in shares]
    short = round(sum(shares)) - sum(percents)
    for place in sorted(range(len(shares)), key=lambda i: shares[i] - percents[i], reverse=True)[:short]:
        percents[place] += 1
    targets = tuple(
        Target(revision=d.name, percent=percent, slot=d.slot)
        for d, percent in zip(weights.destinations, percents, strict=True)
    )
    return Split(targets, Shape.WEIGHTS, exact)


# --- one for each reader ----------------------------------------------------------------------


def knative(manifest: Manifest) -> Workload:
    """Give a Knative Service or Route as a workload."""
    return Workload(
        path=manifest.path,
        api_version=manifest.api_version,
        kind=manifest.kind,
        namespace=manifest.namespace,
        name=manifest.name,
        document=manifest.document,
        line=manifest.line,
        lines=manifest.traffic_lines,
        template=manifest.template,
        template_name=manifest.template_name or None,
        template_name_line=manifest.template_name_line,
        annotations=manifest.annotations,
        # The server gives an empty block of a Service to the latest revision; a Route's has no default.
        split=defaulted(manifest.targets) if manifest.kind == SERVICE else Split(manifest.targets),
        origin=manifest,
    )


def _legacy(service: LegacyService) -> Workload:
    return Workload(
        path=service.path,
        api_version=service.api_version,
        kind=service.kind,
        namespace=service.namespace,
        name=service.name,
        document=service.document,
        line=service.line,
        lines=service.lines,
        template=service.template,
        template_name=service.template_name,
        template_name_line=service.template_name_line,
        annotations=service.annotations,
        split=Split(tuple(map(_named, targets_of(service.legacy))), Shape.RELEASE),
        origin=service,
    )


def _named(target: Target) -> Target:
    """Give a slot of a release as the file writes it: ``@latest`` is a name there, not a third target."""
    in_a_slot = target.floats and target.tag in {STABLE_TAG, CANDIDATE_TAG}
    return replace(target, revision=LATEST, latest=None) if in_a_slot else target


def _mode_of(split: Split) -> Legacy:
    """Give the release that a split is."""
    slots = {target.tag: target for target in split.targets}
    pair = [slots[tag] for tag in (STABLE_TAG, CANDIDATE_TAG) if tag in slots]
    share = pair[1].effective_percent if len(pair) > 1 else 0
    return Legacy("release", tuple(t.revision or LATEST for t in pair), share)


def _of_release(workload: Workload, split: Split) -> Iterable[Problem]:
    if not is_label(workload.name):
        yield _refused(f"The service's name {code(workload.name)} is not a DNS-1035 label.", workload)
    for target in split.targets:
        name = target.revision
        if name is not None and name != LATEST and not is_label(name):
            yield _refused(f"{code(name)} is no revision name: not a DNS-1035 label.", workload)
    if split.total != 100:  # noqa: PLR2004 - percent
        yield _refused(f"Percents sum to {split.total}, want 100.", workload)


def _weighted(routes: Iterable[Route]) -> Iterable[Workload]:
    for _, group in groupby(routes, key=lambda r: (r.document, r.item, r.kind, r.id)):
        rules = tuple(group)
        first = rules[0]
        known = [rule for rule in rules if len(rule.weights.destinations) > 1]
        rule = known[0] if len(known) == 1 else None
        yield Workload(
            path=first.path,
            api_version=first.api_version,
            kind=first.kind,
            namespace=first.namespace,
            name=first.name,
            document=first.document,
            line=first.line,
            lines=rule.lines if rule is not None else None,
            template=None,
            template_name=None,
            template_name_line=None,
            annotations=_NONE,
            split=split_of(rule.weights) if rule is not None else Split((), Shape.WEIGHTS, exact=False),
            origin=None,
            rules=rules,
            rule=rule,
        )


def _the_rule(workload: Workload) -> Route:
    if workload.rule is None:
        raise Declined(*_which(workload))
    return workload.rule


def _which(workload: Workload) -> tuple[Problem, ...]:
    try:
        choose(workload.rules, None)
    except Declined as declined:
        return declined.problems
    return ()  # pragma: no cover - a single rule is chosen by itself


def _percents(split: Split) -> tuple[int, ...]:
    return tuple(target.effective_percent for target in sorted(split.targets, key=lambda t: t.slot or 0))


def _refused(message: str, workload: Workload) -> Problem:
    return Problem("split-invalid", message, place=workload.place)
