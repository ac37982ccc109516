"""Which keys objects have, place by place, and what two sides of a comparison differ in.

A place is where an object stands in a body: `` `` the body itself, ``[]`` each entry of a list,
``head.repo`` and ``labels[]`` below. Two rules let a difference pass, because recordings are of their
day and GitHub goes on:

- *documented since*: we send a key that no recording has, the newest there is of 2022 or before, and GitHub's
  description names it there;
- *gone since*: recordings up to 2022 have a key that we do not send, and the description no longer names it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from tests.contract import description
from tests.contract.schemas import DEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Json = dict[str, Any]
RECENT = 2023  # from this year on nearly all recordings conform to the description of today
Sort = Literal["missing", "invented"]
Rule = Literal["documented since", "gone since", ""]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the objects at one place: those that all of them have, and those of any."""

    always: frozenset[str]
    ever: frozenset[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A key on one side only; ``rule`` says why that may be so, and is empty when nothing says so.

    ``missing``: recordings of ``year``, the newest with an object at that place, all have it and ours
    lack it. ``invented``: ours have it and no recording of any year does.
    """

    sort: Sort
    where: str
    place: str
    key: str
    year: int
    rule: Rule

    def __str__(self) -> str:
        return f"{self.where}: {self.place or '.'}: {self.sort} {self.key} ({self.year})"


class Described:
    """What GitHub's description says of one body: schemas by place."""

    def __init__(self, schemas: Iterable[Json], defined: Mapping[str, Json]) -> None:
        self._roots = list(schemas)
        self._defined = defined

    def names(self, place: str, key: str) -> bool:
        """Tell whether a key is documented at a place, or any key is."""
        nodes = [node for root in self._roots for node in self._here(root)]
        for part in _parts(place):
            nodes = [deeper for node in nodes for deeper in self._below(node, part)]
        return any(key in node.get("properties", {}) or _is_map(node) for node in nodes)

    def _here(self, schema: Json) -> Iterator[Json]:
        yield schema
        if "$ref" in schema:
            yield from self._here(self._defined[schema["$ref"].removeprefix(DEFINED)])
        for word in ("allOf", "anyOf", "oneOf"):
            for one in schema.get(word, ()):
                yield from self._here(one)

    def _below(self, node: Json, part: str) -> Iterator[Json]:
        deeper = node.get("items") if part == "[]" else node.get("properties", {}).get(part)
        if isinstance(deeper, dict):
            yield from self._here(deeper)


def _is_map(node: Json) -> bool:
    return isinstance(node.get("additionalProperties"), dict)


def _parts(place: str) -> list[str]:
    return [part for part in place.replace("[]", ".[]").split(".") if part]


@cache
def described(template: str, method: str) -> Described:
    """Give the description of an operation's good answers. Raises ``Unavailable``."""
    told = description.rest()
    answers = told["operations"].get(template, {}).get(method, {}).get("answers", {})
    good = [answer for status, answer in answers.items() if status.startswith("2")]
    return Described([schema for answer in good for schema in answer.values()], told["defined"])


@cache
def described_event(name: str) -> Described:
    """Give the description of a webhook, ``event`` or ``event/action``. Raises ``Unavailable``."""
    told = description.webhooks()
    schema = told["events"].get(name)
    return Described([] if schema is None else [schema], told["defined"])


def keys_of(bodies: Iterable[Any]) -> dict[str, Keys]:
    """Give the keys at every place of some bodies."""
    found: dict[str, list[frozenset[str]]] = defaultdict(list)
    for body in bodies:
        for place, value in _objects("", body):
            found[place].append(frozenset(value))
    return {
        place: Keys(frozenset.intersection(*sets), frozenset.union(*sets)) for place, sets in found.items()
    }


def _objects(place: str, value: Any) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield place, value
        for key, below in value.items():
            yield from _objects(f"{place}.{key}" if place else key, below)
    elif isinstance(value, list):
        for entry in value:
            yield from _objects(f"{place}[]", entry)


def differences(
    where: str, recorded: Iterable[tuple[int, Any]], ours: Iterable[Any], told: Described
) -> Iterator[Difference]:
    """Compare our bodies with recorded ones (each with its year), at the places that both have."""
    by_year: dict[int, list[Any]] = defaultdict(list)
    for year, body in recorded:
        by_year[year].append(body)
    years = {year: keys_of(bodies) for year, bodies in by_year.items()}
    for place, mine in sorted(keys_of(ours).items()):
        there = {year: found[place] for year, found in years.items() if place in found}
        if not there:
            continue
        newest = max(there)
        for key in sorted(there[newest].always - mine.always):
            gone: Rule = "gone since" if newest < RECENT and not told.names(place, key) else ""
            yield Difference("missing", where, place, key, newest, gone)
        ever = frozenset[str]().union(*(found.ever for found in there.values()))
        for key in sorted(mine.ever - ever):
            since: Rule = "documented since" if newest < RECENT and told.names(place, key) else ""
            yield Difference("invented", where, place, key, newest, since)
