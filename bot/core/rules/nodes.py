"""YAML text as a tree of plain nodes, each with its place; all faults of the text are collected.

Only what a configuration needs: one document, no tags, no aliases, no merge keys, bounded size and depth. Scalars are
those of the YAML 1.2 core schema. Made from the parser's events, so that nothing is expanded or built before it is
checked, and a key that stands twice is one problem among others.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bot.core.problems import Place, Problem
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_FILE = 64 * 1024
DEEPEST = 20
MOST_PROBLEMS = 50
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18}|[0-9]{1,18})(?:[eE][-+]?[0-9]{1,3})?", re.ASCII
)
_PLAIN = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    spelled: word == "true" for word in ("true", "false") for spelled in (word, word.title(), word.upper())
}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file. A ``broken`` one has been told already, and is silently no value."""

    kind: Literal["mapping", "sequence", "scalar", "broken"]
    place: Place
    value: Any = None
    items: tuple[Node, ...] = ()
    pairs: tuple[tuple[Node, Node], ...] = ()


class Faults:
    """Collects the problems of one file; from the fiftieth on they are only counted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.left_out = 0

    @property
    def full(self) -> bool:
        """Whether enough is told for one reply."""
        return len(self.problems) >= MOST_PROBLEMS

    def add(self, message: str, place: Place | None = None, remedy: str = "") -> None:
        """Tell one problem; ``message`` and ``remedy`` are Markdown."""
        if self.full:
            self.left_out += 1
            return
        self.problems.append(Problem("config-invalid", message, remedy, place or Place(self.path)))

    def in_order(self) -> tuple[Problem, ...]:
        """Give the problems by line and column, with a last one for those that were left out."""

        def where(problem: Problem) -> tuple[int, int]:
            place = problem.place or Place()
            return (place.line or 0, place.column or 0)

        found = sorted(dict.fromkeys(self.problems), key=where)
        if self.left_out:
            text = f"There are more problems; the first {len(found)} are listed."
            found.append(Problem("config-invalid", text, "Mend these first.", Place(self.path)))
        return tuple(found)


def read(text: str, faults: Faults) -> Node | None:
    """Give the root of a file, ``None`` for an empty one or one that is no YAML; never raises for its content."""
    if len(text) > LARGEST_FILE:
        remedy = "Keep rules short; comments count too."
        faults.add(f"The file is larger than {LARGEST_FILE // 1024} KiB.", remedy=remedy)
        return None
    try:
        return _Builder(text.removeprefix("\ufeff"), faults).document()
    except _EnoughError:
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(faults.path, mark.line + 1, mark.column + 1) if mark else Place(faults.path)
        faults.add("This is not valid YAML.", place, f"The parser says: {code(str(error.problem or ''))}.")
    except (YAMLError, RecursionError, ValueError, OverflowError) as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
        remedy = "Remove characters that cannot be seen." if line is not None else ""
        faults.add("This is not valid YAML.", Place(faults.path, line), remedy)
    return None


class _EnoughError(Exception):
    """Too deep, or too much is wrong: told already, and nothing behind it is read."""


class _Builder:
    """Builds nodes from events, without recursion into text that is too deep."""

    def __init__(self, text: str, faults: Faults) -> None:
        self.faults = faults
        self.events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))

    def document(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.faults.add(
                        "The file holds more than one document.",
                        self._place(event),
                        "Keep the first one only.",
                    )
                    break
            elif isinstance(event, NodeEvent):
                root = self._node(event, 1)
        return root

    def _place(self, event: Any) -> Place:
        return Place(self.faults.path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> Node:
        place = self._place(event)
        if self.faults.left_out:
            raise _EnoughError
        if depth > DEEPEST:
            self.faults.add(f"Nested deeper than {DEEPEST} levels.", place, "No key needs that.")
            raise _EnoughError
        if isinstance(event, AliasEvent):
            self.faults.add(f"An alias, {code('*' + str(event.anchor))}.", place, "Write the value itself.")
            return Node("broken", place)
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.faults.add(f"A tag, {code(tag)}.", place, "Write the value without it.")
        node = self._of_kind(event, place, depth)
        return Node("broken", place) if event.tag is not None else node

    def _of_kind(self, event: Any, place: Place, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            return self._scalar(event, place)
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(following := next(self.events), SequenceEndEvent):
                items.append(self._node(following, depth + 1))
            return Node("sequence", place, items=tuple(items))
        if not isinstance(event, MappingStartEvent):  # pragma: no cover - the parser gives no other
            raise TypeError(event)
        pairs: list[tuple[Node, Node]] = []
        seen: dict[Any, Place] = {}
        while not isinstance(following := next(self.events), MappingEndEvent):
            key = self._node(following, depth + 1)
            value = self._node(next(self.events), depth + 1)
            if self._is_key(key, seen):
                pairs.append((key, value))
        return Node("mapping", place, pairs=tuple(pairs))

    def _is_key(self, key: Node, seen: dict[Any, Place]) -> bool:
        if key.kind == "broken":
            return False
        if key.kind != "scalar" or not isinstance(key.value, str):
            self.faults.add("A key must be a text.", key.place, 'Write it in quotes, like `"1"`.')
            return False
        if key.value in seen:
            first = seen[key.value].line
            self.faults.add(
                f"A key stands twice: {code(key.value)}, first in line {first}.", key.place, "Keep one."
            )
            return False
        seen[key.value] = key.place
        return True

    def _scalar(self, event: Any, place: Place) -> Node:
        text = str(event.value)
        hidden = [c for c in text if unicodedata.category(c) in _HIDDEN and c != "\n"]
        if hidden:
            said = f"A character that cannot be seen, {code(hidden[0])}, in {code(text, longest=80)}."
            self.faults.add(said, place, "Type the value again.")
            return Node("broken", place)
        # `implicit` is false for what stands in quotes or as a block.
        return Node("scalar", place, resolved(text) if event.implicit[0] else text)


def resolved(text: str) -> Any:
    """Give a plain scalar's value: ``None``, a truth value, a number of decimal digits, or the text itself."""
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
