"""Shapes that hold other shapes: lists, mappings by name, and mappings with known keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.rules.shapes import BROKEN, At, closest, shown, suggestion
from bot.core.text import code, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.core.rules.nodes import Node
    from bot.core.rules.shapes import Reading, Shape

MOST_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; ``what`` names its entries. The same entry twice is a problem."""

    item: Shape
    what: str
    least: int = 0
    most: int = MOST_ENTRIES

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        if node.kind != "sequence":
            inner = node.value if isinstance(node.value, str) and node.value else "…"
            remedy = f"Write `{at.key}: [{printable(inner, longest=60)}]`."
            reading.faults.add(f"`{at.key}` must be a list of {self.what}.", at.place, remedy)
            return BROKEN
        if not self.least <= len(node.items) <= self.most:
            told = f"`{at.key}` must name at least one of its {self.what}."
            if len(node.items) > self.most:
                told = f"`{at.key}` has {len(node.items)} {self.what}; at most {self.most} are read."
            reading.faults.add(told, at.place, "Leave the key out for the default." if not node.items else "")
            return BROKEN
        found: list[Any] = []
        for index, item in enumerate(node.items):
            value = self.item.read(reading, item, At(at.key, item.place, f"{at.path}.{index}"))
            if value in found:
                reading.faults.add(f"`{at.key}` has the same entry twice.", item.place, "Remove one.")
            elif value is not BROKEN:
                found.append(value)
        return tuple(found)

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:
        """Give it as JSON Schema."""
        made = {"type": "array", "items": self.item.schema(known_rules), "uniqueItems": True}
        return made | {"minItems": self.least, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from names to values; ``what`` names an entry."""

    item: Shape
    what: str
    pattern: str = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,250}[A-Za-z0-9])?"
    remedy: str = "Names have letters, digits, `-`, `.` and `/`."

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        if node.kind != "mapping":
            remedy = f"Write the name of each {self.what} as a key, or leave `{at.key}` out if there is none."
            reading.faults.add(f"`{at.key}` must be a mapping, not {shown(node)}.", at.place, remedy)
            return BROKEN
        found: dict[str, Any] = {}
        for key, value in node.pairs[:MOST_ENTRIES]:
            if reading.faults.left_out:
                break
            path = f"{at.path}.{key.value}"
            if re.fullmatch(self.pattern, key.value, re.ASCII) is None:
                remedy = self.remedy
                reading.faults.add(f"{code(key.value)} is no name of a {self.what}.", key.place, remedy)
                continue
            reading.origins[path] = key.place
            held = self.item.read(reading, value, At(f"{at.key}.{key.value}", key.place, path))
            if held is not BROKEN:
                found[key.value] = held
        if len(node.pairs) > MOST_ENTRIES:
            said = f"`{at.key}` has {len(node.pairs)} entries; at most {MOST_ENTRIES} are read."
            reading.faults.add(said, at.place)
        return found

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:
        """Give it as JSON Schema."""
        return {
            "type": "object",
            "additionalProperties": self.item.schema(known_rules),
            "propertyNames": {"pattern": f"^(?:{self.pattern})$"},
        }


@dataclass(frozen=True, slots=True)
class Field:
    """One key. ``doc`` is one line for editors and documents.

    ``followed`` says whether the service does what the key says; while it is false, the service refuses the key, so
    that nobody relies on it. ``looser`` says, in words, which change of it an organisation's lock refuses.
    """

    key: str
    shape: Shape
    doc: str
    required: bool = False
    followed: bool = True
    looser: str = ""


def _same(values: dict[str, Any], _reading: Reading, _node: Node, _at: At) -> Any:
    return values


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys. ``make`` turns the values that are good into one, and tells what is wrong together."""

    what: str
    fields: tuple[Field, ...]
    make: Callable[[dict[str, Any], Reading, Node, At], Any] = _same

    @property
    def keys(self) -> dict[str, Field]:
        """The fields by key."""
        return {field.key: field for field in self.fields}

    def read(self, reading: Reading, node: Node, at: At) -> Any:
        """Give the value, or tell what is wrong with it."""
        if node.kind == "broken":
            return BROKEN
        if node.kind != "mapping":
            wanted = ", ".join(f"`{field.key}`" for field in self.fields if field.required)
            remedy = f"It has the keys {wanted}." if wanted else f"Known: {', '.join(map(code, self.keys))}."
            what = self.what or code(at.key)
            reading.faults.add(f"{what} must be a mapping, not {shown(node)}.", at.place, remedy)
            return BROKEN
        values: dict[str, Any] = {}
        seen: set[str] = set()
        for key, value in node.pairs:
            seen.add(key.value)
            held = BROKEN if reading.faults.left_out else self._held(reading, key, value, at)
            if held is not BROKEN:
                values[key.value] = held
        unknown = () if reading.faults.full else seen - self.keys.keys()
        meant = {closest(name, self.keys) for name in unknown}
        for field in self.fields:
            # A misspelt key has been told, with the right one beside it.
            if field.required and field.key not in seen | meant:
                what = self.what[:1].lower() + self.what[1:] or code(at.key)
                remedy = f"Add `{field.key}:`. {field.doc}"
                reading.faults.add(f"`{field.key}` is missing: {what} needs it.", node.place, remedy)
        return self.make(values, reading, node, at)

    def _held(self, reading: Reading, key: Node, value: Node, at: At) -> Any:
        field = self.keys.get(key.value)
        if field is None:
            remedy = suggestion(key.value, list(self.keys))
            reading.faults.add(f"Unknown key {code(key.value)}.", key.place, remedy)
            return BROKEN
        if reading.for_service and not field.followed:
            reading.faults.add(
                f"{code(key.value)} is planned; this version cannot follow it.",
                key.place,
                "Remove it until the service follows it, so that nobody relies on it.",
            )
            return BROKEN
        path = f"{at.path}.{key.value}" if at.path else key.value
        reading.origins[path] = key.place
        held = field.shape.read(reading, value, At(key.value, key.place, path))
        if held is BROKEN:
            reading.broken.add(path)
        return held

    def schema(self, known_rules: tuple[str, ...]) -> dict[str, Any]:
        """Give it as JSON Schema."""
        properties = {
            field.key: {"description": field.doc} | field.shape.schema(known_rules) for field in self.fields
        }
        made: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
        needed = [field.key for field in self.fields if field.required]
        return made | ({"required": needed} if needed else {})
