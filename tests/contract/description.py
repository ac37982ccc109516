"""GitHub's own description of its API and webhooks, read from the pinned npm packages.

The packages are large. What the referee needs of them is made once, and kept in the cache of
``packages``: operations with their parameters, bodies and answers as JSON Schema, without prose.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.contract.packages import OPENAPI, OPENAPI_WEBHOOKS, made, npm_file
from tests.contract.schemas import convert, converted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Json = dict[str, Any]
FORM = 1  # of the files in the cache; another number makes them anew
_SOURCE = "generated/api.github.com.json"
_JSON = "application/json"


@cache
def rest() -> Json:
    """Give ``operations`` by path and method, and the ``defined`` schemas. Raises ``Unavailable``."""
    return _kept(OPENAPI, small_rest)


@cache
def webhooks() -> Json:
    """Give ``events`` (``issue_comment/created``), and the ``defined`` schemas. Raises ``Unavailable``."""
    return _kept(OPENAPI_WEBHOOKS, small_webhooks)


def _kept(package: tuple[str, str], small: Callable[[Json], Json]) -> Json:
    def fill(folder: Path) -> None:
        told = small(json.loads(npm_file(package, _SOURCE)))
        (folder / "small.json").write_text(json.dumps(told, separators=(",", ":")))

    name, version = package
    kept = made(f"small-{FORM}-{name.rpartition('/')[2]}-{version}", fill) / "small.json"
    read: Json = json.loads(kept.read_bytes())
    return read


def small_rest(document: Json) -> Json:
    """Keep what can be checked of an OpenAPI 3.0 description of an API."""
    schemas = document["components"]["schemas"]
    return {
        "operations": {
            path: {
                method.upper(): _operation(document, told)
                for method, told in methods.items()
                if isinstance(told, dict) and "responses" in told
            }
            for path, methods in document["paths"].items()
        },
        "defined": converted(schemas),
    }


def small_webhooks(document: Json) -> Json:
    """Keep the payloads of an OpenAPI 3.1 description of webhooks, by event and action."""
    schemas = document["components"]["schemas"]
    events = {}
    for told in document["webhooks"].values():
        name = told["post"]["operationId"].replace("-", "_")
        events[name] = convert(told["post"]["requestBody"]["content"][_JSON]["schema"], schemas)
    return {"events": events, "defined": converted(schemas)}


def _operation(document: Json, told: Json) -> Json:
    schemas = document["components"]["schemas"]
    parameters = [_resolved(document, one) for one in told.get("parameters", ())]
    sent = told.get("requestBody", {})
    return {
        "multi": [p["name"] for p in parameters if p["in"] == "path" and p.get("x-multi-segment")],
        "query": {p["name"]: convert(p["schema"], schemas) for p in parameters if p["in"] == "query"},
        "needed": [p["name"] for p in parameters if p["in"] == "query" and p.get("required")],
        "in_path": {p["name"]: convert(p["schema"], schemas) for p in parameters if p["in"] == "path"},
        "sent": _bodies(sent, schemas),
        "sent_needed": bool(sent.get("required")),
        "answers": {
            status: _bodies(_resolved(document, answer), schemas)
            for status, answer in told["responses"].items()
        },
    }


def _bodies(told: Json, schemas: Mapping[str, Json]) -> Json:
    """Give the schema of each media type."""
    return {media: convert(one.get("schema", {}), schemas) for media, one in told.get("content", {}).items()}


def _resolved(document: Json, told: Json) -> Json:
    if "$ref" not in told:
        return told
    found: Json = document
    for word in told["$ref"].removeprefix("#/").split("/"):
        found = found[word]
    return found
