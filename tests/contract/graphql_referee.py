"""Is a GraphQL document one that GitHub documents, and is the answer what it asked for?

The source is GitHub's public schema (``@octokit/graphql-schema``), pinned in ``packages``.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from tests.contract.packages import GRAPHQL_SCHEMA, made, npm_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphql import DocumentNode, GraphQLSchema

    from tests.contract.exchange import Exchange

_ERROR_KEYS = frozenset({"type", "path", "locations", "message", "extensions"})


@cache
def schema() -> GraphQLSchema:
    """Give GitHub's schema. Raises ``Unavailable``."""

    def fill(folder: Path) -> None:
        (folder / "schema.graphql").write_bytes(npm_file(GRAPHQL_SCHEMA, "schema.graphql"))

    text = (made(f"graphql-schema-{GRAPHQL_SCHEMA[1]}", fill) / "schema.graphql").read_text(encoding="utf-8")
    return build_schema(text, assume_valid=True, assume_valid_sdl=True)


def name_of(body: bytes) -> str:
    """Name a document: ``mutation Enqueue``; ``document`` where there is none."""
    try:
        parsed = parse(json.loads(body)["query"])
    except (ValueError, KeyError, TypeError, GraphQLError):
        return "document"
    first = next((one for one in parsed.definitions if isinstance(one, OperationDefinitionNode)), None)
    if first is None or first.name is None:
        return "document"
    return f"{first.operation.value} {first.name.value}"


def faults(exchange: Exchange) -> Iterator[str]:
    """Give what is wrong with a document, its variables, or the answer to it."""
    try:
        asked = json.loads(exchange.request_body)
        document = parse(asked["query"])
    except (ValueError, KeyError, TypeError, GraphQLError) as error:
        yield f"no document: {error}"
        return
    problems = [error.message for error in validate(schema(), document)]
    yield from problems
    if problems or exchange.status != 200:
        return
    try:
        told = json.loads(exchange.response_body)
    except ValueError:
        yield "the answer is not JSON"
        return
    for failure in told.get("errors") or ():
        extra = set(failure) - _ERROR_KEYS
        if extra or not isinstance(failure.get("message"), str):
            yield f"an error with {sorted(extra) or 'no message'}"
    yield from _answer(document, asked.get("variables") or {}, told)


def _answer(document: DocumentNode, variables: dict[str, Any], told: dict[str, Any]) -> Iterator[str]:
    """Execute the document on the answer itself: what it selects has to be there, and nothing else."""
    data = told.get("data")
    # Variables are coerced here as well, also where the answer is an error.
    done = execute_sync(
        schema(),
        document,
        root_value=data or {},
        variable_values=variables,
        type_resolver=lambda _value, _info, _type: "PullRequest",
    )
    yield from (error.message for error in done.errors or ())
    if not done.errors and not told.get("errors") and done.data != data:
        yield f"the answer is not what was selected: {json.dumps(data)[:200]}"
