"""What GitHub does and its description does not say: each exception with its reason, and nothing without one.

Most exceptions mend the description where it is wrong, so that the rest of the same body is still judged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.exchange import Exchange, Violation

Json = dict[str, Any]
_TEXT: Json = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """One exception.

    ``covers`` tells whether a violation is the exception. ``mend`` changes a schema in place before it is
    compiled, and tells whether there was something to mend; its first argument says whose schema it is:
    ``GET /app 200``, ``POST /repos/{owner}/{repo}/check-runs sent``, ``webhook push``.
    """

    name: str
    reason: str
    covers: Callable[[Exchange, Violation], bool] | None = None
    mend: Callable[[str, Json], bool] | None = None


def _parts(schema: Any) -> Iterator[Json]:
    """Give every mapping inside a schema."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from _parts(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _parts(part)


def _add(schema: Json, has: str, missing: str) -> bool:
    """Let objects that have one property have another text."""
    found = False
    for part in _parts(schema):
        named = part.get("properties")
        if isinstance(named, dict) and has in named and missing not in named:
            named[missing] = _TEXT
            found = True
    return found


def _loosen(schema: Json, old: str) -> bool:
    """Turn alternatives that cannot be met as they stand into ``anyOf``."""
    schema["anyOf"] = schema.pop(old)
    return True


def _error_status(key: str, schema: Json) -> bool:
    return key.rpartition(" ")[2] in {"405", "409", "422"} and _add(schema, "documentation_url", "status")


def _user_view_type(key: str, schema: Json) -> bool:
    older = key.startswith("webhook issue_comment/") or key == "GET /app/installations 200"
    return older and _add(schema, "gists_url", "user_view_type")


def _client_id(key: str, schema: Json) -> bool:
    if key == "GET /app/installations 200":
        return _add(schema, "app_slug", "client_id")
    return key.startswith("webhook issue_comment/") and _add(schema, "external_url", "client_id")


def _installation_account(key: str, schema: Json) -> bool:
    if key != "GET /app/installations 200":
        return False
    return any(
        _loosen(part, "allOf")
        for part in list(_parts(schema["items"]["properties"]["account"]))
        if "allOf" in part
    )


def _ambiguous_conflict(key: str, schema: Json) -> bool:
    return key == "PUT /repos/{owner}/{repo}/contents/{path} 409" and _loosen(schema, "oneOf")


def _bot_email(key: str, schema: Json) -> bool:
    if not key.startswith(("webhook check_suite/", "webhook merge_group/")):
        return False
    found = [part for part in _parts(schema) if part.get("format") == "email"]
    for part in found:
        del part["format"]
    return bool(found)


def _merge_queues(_key: str, schema: Json) -> bool:
    found = False
    for part in _parts(schema):
        names = part.get("enum")
        if (
            isinstance(names, list)
            and {"check_run", "pull_request_review"} <= {*names}
            and "merge_group" not in names
        ):
            names.append("merge_group")
            found = True
        held = part.get("properties")
        if (
            isinstance(held, dict)
            and {"checks", "pull_requests", "issues"} <= {*held}
            and "merge_queues" not in held
        ):
            held["merge_queues"] = {"type": "string", "enum": ["read", "write"]}
            found = True
    return found


def _is_basic_error(body: bytes) -> bool:
    """Tell whether a body is GitHub's ``basic-error`` with a message."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return (
        isinstance(told, dict)
        and "message" in told
        and set(told) <= {"message", "documentation_url", "status", "url"}
        and all(isinstance(value, str) for value in told.values())
    )


def _failed(exchange: Exchange, violation: Violation) -> bool:
    return violation.kind == "status" and exchange.status >= 500 and _is_basic_error(exchange.response_body)


def _unseen(exchange: Exchange, violation: Violation) -> bool:
    return violation.kind == "status" and exchange.status == 404 and _is_basic_error(exchange.response_body)


def _deleted_fork(key: str, schema: Json) -> bool:
    found = False
    if key.startswith("GET /repos/{owner}/{repo}/pulls") and key.endswith("200"):
        for name in {"pull-request", "pull-request-simple"} & set(schema["$defs"]):
            head = schema["$defs"][name]["properties"]["head"]["properties"]
            head["repo"] = {"anyOf": [head["repo"], {"type": "null"}]}
            found = True
    return found


def _refused(exchange: Exchange, violation: Violation) -> bool:
    return (
        violation.kind == "status"
        and exchange.status in {401, 403, 429}
        and _is_basic_error(exchange.response_body)
    )


def _error_with_body(exchange: Exchange, violation: Violation) -> bool:
    return (
        violation.kind == "response"
        and exchange.status >= 400
        and violation.sentence.endswith("has no documented body")
        and _is_basic_error(exchange.response_body)
    )


ALLOWED = (
    Allowance(
        "server-error",
        "Any request can fail with 5xx; the description names that for hardly any.",
        covers=_failed,
    ),
    Allowance(
        "refused",
        "Any request can meet a bad credential, a missing permission or a rate limit: 401, 403, and 429, which "
        "the description never names.",
        covers=_refused,
    ),
    Allowance(
        "unseen",
        "What is not there, or may not be seen, is 404 for every operation on it; many leave that out.",
        covers=_unseen,
    ),
    Allowance(
        "error-body",
        "Errors come with the shape basic-error, as recordings show, also where no body is described: 404 of an "
        "unmerged pull request, 422 of deleting a ref.",
        covers=_error_with_body,
    ),
    Allowance(
        "error-status",
        'Errors carry the status as a text ("status":"422"), as recordings since 2024 show; only basic-error '
        "has it.",
        mend=_error_status,
    ),
    Allowance(
        "user-view-type",
        "Users carry user_view_type (schema simple-user, and recordings since 2024); the issue of an "
        "issue_comment event and the list of installations have an older copy of the user.",
        mend=_user_view_type,
    ),
    Allowance(
        "client-id",
        "Apps and installations carry client_id (schemas integration and installation); the issue of an "
        "issue_comment event and the list of installations have older copies.",
        mend=_client_id,
    ),
    Allowance(
        "installation-account",
        "An installation's account must be a user and an enterprise at once (allOf); of a single installation "
        "the description says it right (anyOf).",
        mend=_installation_account,
    ),
    Allowance(
        "deleted-fork",
        "A pull request whose fork was deleted has null for the repository of its head, as recordings show.",
        mend=_deleted_fork,
    ),
    Allowance(
        "contents-conflict",
        "The 409 of a file is one of basic-error and rule violation (oneOf), but every basic-error is both.",
        mend=_ambiguous_conflict,
    ),
    Allowance(
        "merge-queues",
        "An App subscribes to merge_group and holds merge_queues (schema app-permissions); the Apps inside of older "
        "events and of suites have lists without both.",
        mend=_merge_queues,
    ),
    Allowance(
        "bot-email",
        "The head commit of a suite or a merge group may be a bot's, whose address has brackets "
        "(1+name[bot]@users.noreply.github.com) that no plain e-mail address has.",
        mend=_bot_email,
    ),
)
