"""OpenAPI schemas as JSON Schema 2020-12 that also refuses what it does not name.

GitHub's descriptions leave objects open. A property that they do not name is nearly always a mistake of
ours, so each object is closed here, with ``unevaluatedProperties``, which sees through ``allOf``. Objects
that are described as open, or not at all, stay open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
CLOSED = "unevaluatedProperties"
DEFINED = "#/$defs/"
_ANNOTATIONS = frozenset(
    {"title", "description", "example", "examples", "default", "deprecated", "externalDocs", "readOnly"}
    | {"writeOnly", "xml", "discriminator", "x-github-breaking-changes", "x-multi-segment"}
)
_SAME_PLACE = ("allOf", "anyOf", "oneOf")


def converted(components: Mapping[str, Json]) -> Json:
    """Give the named schemas of a description, for ``$defs``."""
    return {name: _convert(schema, components, closing=False) for name, schema in components.items()}


def convert(schema: Json, components: Mapping[str, Json]) -> Json:
    """Give one schema, closed; its references are to ``$defs``."""
    return _convert(schema, components, closing=True)


def alone(schema: Json, defined: Mapping[str, Json]) -> Json:
    """Give a schema with just the definitions that it reaches, fit to be compiled."""
    reached: set[str] = set()
    waiting = [schema]
    while waiting:
        fresh = set(_references(waiting.pop())) - reached
        reached |= fresh
        waiting.extend(defined[name] for name in fresh)
    return {**schema, "$defs": {name: defined[name] for name in sorted(reached)}}


def _convert(schema: Json, components: Mapping[str, Json], *, closing: bool) -> Json:
    """Convert; ``closing`` is false where a neighbour may name further properties of the same object."""
    made: Json = {}
    for key, value in schema.items():
        if key in _ANNOTATIONS or key == "nullable":
            continue
        if key == "$ref":
            made[key] = DEFINED + _name(value)
        elif key == "properties":
            made[key] = {name: _convert(part, components, closing=True) for name, part in value.items()}
        elif key in _SAME_PLACE:
            made[key] = [_convert(part, components, closing=False) for part in value]
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            made[key] = _convert(value, components, closing=True)
        elif key != "additionalProperties" or value is False or "properties" not in schema:
            made[key] = value
    if closing and _names_properties(schema, components) and not _is_open(schema, components):
        made[CLOSED] = False
    return _or_null(made) if schema.get("nullable") else made


def _or_null(made: Json) -> Json:
    if isinstance(made.get("type"), str) and not set(made) & {"$ref", *_SAME_PLACE}:
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        return made
    return {"anyOf": [made, {"type": "null"}]}


def _here(schema: Json, components: Mapping[str, Json]) -> Iterator[Json]:
    """Give all schemas that speak of the same value."""
    yield schema
    if "$ref" in schema:
        yield from _here(components[_name(schema["$ref"])], components)
    for key in _SAME_PLACE:
        for part in schema.get(key, ()):
            yield from _here(part, components)


def _names_properties(schema: Json, components: Mapping[str, Json]) -> bool:
    return any("properties" in part for part in _here(schema, components))


def _is_open(schema: Json, components: Mapping[str, Json]) -> bool:
    """Tell whether any alternative admits properties that nothing names."""
    return any(
        isinstance(part.get("additionalProperties"), dict)
        or (part.get("additionalProperties") is True and "properties" not in part)
        or (part.get("type") == "object" and not set(part) & {"properties", "$ref", *_SAME_PLACE})
        for part in _here(schema, components)
    )


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield _name(value)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
