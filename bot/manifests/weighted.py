"""Weighted routes in files: Istio's VirtualServices and the routes of the Gateway API.

Every rule with destinations is found and told apart; the weights of one are set byte for byte.
An edit touches the weights of its rule and nothing else, or is declined: every result is read
back first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests.dialects import DIALECTS, OLD_GROUP
from bot.manifests.documents import read_each
from bot.manifests.nodes import Canon, canon
from bot.manifests.source import Source
from bot.manifests.splices import Draft, last_line
from bot.manifests.weighted_edit import edit_weights, verify
from bot.manifests.weighted_read import Object, Rule, looks_weighted, read_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.core.weights import Weights

_GROUPS = (*(dialect.group for dialect in DIALECTS), OLD_GROUP)


@dataclass(frozen=True, slots=True)
class Route:
    """One rule with destinations.

    ``document`` is the place of its document in the file, from 0; ``item`` the object's place in a
    ``kind: List``, else ``None``. ``section`` and ``index`` say where the rule lies under ``spec``
    (``http`` and 1: ``spec.http[1]``); ``rule`` is its own name, ``line`` where it begins, and
    ``lines`` the first and last line of its destinations, all counted from 1. ``matches`` are its
    conditions, one line each: the platform takes a request to a rule where one of them holds.
    ``foreign`` is set where another controller sets the weights: to be reported, not edited.
    ``whole`` is all that the object says, to be compared with another version of it; ``beside`` are the
    problems of other rules of the object, which cannot be read.
    """

    path: str
    document: int
    item: int | None
    api_version: str
    kind: str
    namespace: str | None
    name: str
    hosts: tuple[str, ...]
    section: str
    index: int
    rule: str | None
    matches: tuple[str, ...]
    line: int
    lines: tuple[int, int]
    weights: Weights
    foreign: Problem | None
    whole: Canon | None = field(default=None, compare=False, repr=False)
    beside: tuple[Problem, ...] = field(default=(), compare=False, repr=False)

    @property
    def id(self) -> str:
        """``namespace/name`` of the object, or ``/name`` where the file names no namespace."""
        return f"{self.namespace or ''}/{self.name}"

    @property
    def where(self) -> str:
        """The rule's place in the object, like ``http[1]``."""
        return f"{self.section}[{self.index}]"

    @property
    def place(self) -> Place:
        """The rule's place in the file."""
        return Place(self.path, self.line)


@dataclass(frozen=True, slots=True)
class Routes:
    """The rules of a file, in its order, and what is wrong with those that cannot be read."""

    routes: tuple[Route, ...]
    problems: tuple[Problem, ...]


def may_have_routes(content: bytes) -> bool:
    """Whether a file may hold weighted routes; reads no YAML."""
    # UTF-16 is found too, so that it can be refused by name.
    text = content.replace(b"\0", b"")
    return any(group.encode() in text for group in _GROUPS)


def find_routes(content: bytes, path: str, *, name: str | None = None) -> Routes:
    """Find the rules with destinations of a file; never raises for what the file holds.

    Only documents are parsed whose text mentions an API group, and ``name`` when it is given:
    then only objects of that name are given. Other documents may hold anything. A rule that
    cannot be read is a problem, and leaves its neighbours as they are.
    """
    if not may_have_routes(content):
        return Routes((), ())
    try:
        source = Source.read(content, path)
    except Declined as declined:
        return Routes((), declined.problems)
    routes: list[Route] = []
    problems: list[Problem] = []
    for outcome in _objects(source, name):
        if not isinstance(outcome, Object):
            problems += outcome
        elif name is None or outcome.name == name:
            whole = canon(outcome.node)
            routes += [_route(outcome, rule, whole) for rule in outcome.rules]
            problems += outcome.problems
    return Routes(tuple(routes), tuple(problems))


def choose(routes: tuple[Route, ...], which: str | None = None) -> Route:
    """Choose the one route that a command is about; none is guessed.

    Args:
        routes: All that come into question. Those with a single destination have nothing to
            shift and are passed over, unless they are named.
        which: A rule's name, or its place like ``http[1]``.

    Raises:
        Declined: ``which-route``, with all that there are.
    """
    if which is None:
        found = tuple(route for route in routes if len(route.weights.destinations) > 1)
    else:
        found = tuple(route for route in routes if which in {route.rule, route.where})
    if len(found) == 1:
        return found[0]
    there = "; ".join(_shown(route) for route in found or routes)
    if which is not None:
        what = f"{'Several rules are' if found else 'No rule is'} called {code(which)}."
    else:
        what = "Several rules have weights." if found else "No rule has several destinations."
    raise Declined(
        Problem(
            "which-route",
            f"{what} There are: {there}." if there else what,
            "Name one with `route=`." if there else "",
            (found or routes)[0].place if there else None,
        )
    )


def _shown(route: Route) -> str:
    own = f"{code(route.rule)}, " if route.rule else ""
    return f"{own}`{route.where}` of {code(route.name)} ({code(route.path)}, line {route.line})"


def set_weights(content: bytes, route: Route, weights: tuple[int | None, ...]) -> bytes:
    """Give the file with other weights in one rule.

    Args:
        content: The file that ``route`` was found in.
        route: The rule.
        weights: What is written for each destination afterwards, by slot; ``None`` for no weight.

    Raises:
        Declined: ``head-moved``, ``ambiguous-document``, ``split-invalid`` where the platform
            would refuse the weights, ``traffic-block-unusual``, ``line-ends-unusual``, and all
            codes of the reader.
    """
    source = Source.read(content, route.path)
    owner, rule = _the_rule(source, route)
    if len(weights) != len(rule.entries):
        raise ValueError(f"{len(weights)} weights for {len(rule.entries)} destinations")
    draft = Draft(source)
    edit_weights(draft, owner, rule, weights)
    if not draft.splices:
        return content
    edited = Source.of(draft.text(), route.path, bom=source.bom)
    verify(owner, rule, edited, weights)
    return source.encode(edited.text)


def _objects(source: Source, name: str | None) -> Iterator[Object | tuple[Problem, ...]]:
    """Give each readable object of a file, or the problems of one that is not readable."""

    def may_be(text: str) -> bool:
        return any(group in text for group in _GROUPS) and (name is None or name in text)

    return read_each(
        source,
        may_be=may_be,
        looks_like=looks_weighted,
        read=lambda chunk: read_objects(source, chunk),
        what="route",
    )


def _route(owner: Object, rule: Rule, whole: Canon) -> Route:
    source = owner.source
    first = source.line(rule.block.key.start)
    last = last_line(source, rule.block.value, rule.block.key.end + 1)
    return Route(
        path=source.path,
        document=owner.chunk.number,
        item=owner.item,
        api_version=owner.api_version,
        kind=owner.kind,
        namespace=owner.namespace,
        name=owner.name,
        hosts=owner.hosts,
        section=rule.section,
        index=rule.index,
        rule=rule.name,
        matches=rule.matches,
        line=source.line(rule.start) + 1,
        lines=(first + 1, last + 1),
        weights=rule.weights,
        foreign=owner.foreign,
        whole=whole,
        beside=tuple(owner.problems),
    )


def _the_rule(source: Source, route: Route) -> tuple[Object, Rule]:
    """Find the one rule again.

    Raises:
        Declined: ``ambiguous-document``, ``head-moved``, or why it cannot be read.
    """
    outcomes = list(_objects(source, route.name))
    if not any(isinstance(outcome, Object) for outcome in outcomes):
        outcomes = list(_objects(source, None))  # the name may be written with escapes
    same = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, Object)
        and (outcome.kind, outcome.namespace, outcome.name) == (route.kind, route.namespace, route.name)
    ]
    if len(same) > 1:
        lines = ", ".join(str(source.line(owner.node.start) + 1) for owner in same)
        raise Declined(
            Problem(
                "ambiguous-document",
                f"The objects at lines {lines} are all the {route.kind} {code(route.name)}.",
                "Remove all but one, or give them namespaces.",
                source.place(same[1].node.start),
            )
        )
    for owner in same:
        for rule in owner.rules:
            here = (rule.section, rule.index, rule.name, rule.weights)
            if here == (route.section, route.index, route.rule, route.weights):
                return owner, rule
    problems = [p for outcome in outcomes if not isinstance(outcome, Object) for p in outcome]
    problems += [problem for owner in same for problem in owner.problems]
    moved = Problem(
        "head-moved", f"The route {code(route.name)} is not what it was read as.", "", Place(source.path)
    )
    raise Declined(*(problems or [moved]))
