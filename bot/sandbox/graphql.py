"""GraphQL, as far as the bot asks: how a pull request would be merged, the queue, and four mutations.

Documents are not executed in general: each operation is known by its field, and is answered with the selection
that the bot makes. The contract tests validate documents and answers against GitHub's public schema. The shape of
an error is that of a recording (PyGithub, ``PullRequest.testEnableAutomergeError``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.sandbox.errors import ApiError
from bot.sandbox.queue import METHODS
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.model import Pull, Repository

table = Table()
_FIELD = re.compile(r"^\s*(?:query|mutation)\s+\w+\s*\([^{}]*\)\s*\{\s*(\w+)", re.ASCII)
_TYPES = {401: "FORBIDDEN", 403: "FORBIDDEN", 404: "NOT_FOUND", 422: "UNPROCESSABLE"}


@table.add("POST", "/graphql")
def graphql(call: Call) -> Reply:
    """Carry out one document: 200, also where it fails."""
    if call.caller is None:
        raise ApiError(401, "This endpoint requires you to be authenticated.")
    query, variables = call.body.get("query"), call.body.get("variables") or {}
    found = _FIELD.match(query) if isinstance(query, str) else None
    answer = _FIELDS.get(found[1]) if found is not None else None
    if found is None or answer is None or not isinstance(variables, dict):
        return Reply({"errors": [{"message": "A query attribute must be specified and must be a string."}]})
    field = found[1]
    try:
        return Reply({"data": {field: answer(call, variables)}})
    except ApiError as error:
        told = {
            "type": _TYPES.get(error.status, "UNPROCESSABLE"),
            "path": [field],
            "locations": [{"line": 1, "column": found.start(1) + 1}],
            "message": error.message,
        }
        return Reply({"data": {field: None}, "errors": [told]})


def _at(call: Call, name: str) -> Call:
    owner, _, repo = name.partition("/")
    return replace(call, path={"owner": owner, "repo": repo})


def _pull(call: Call, node: Any, *needs: str, level: str = "read") -> tuple[Repository, Pull]:
    """Find a pull request by its node id, if the caller may see it. Raises ``ApiError``."""
    for repository in call.world.repositories():
        for pull in repository.pulls:
            if node == f"PR_{pull.id}":
                return _at(call, repository.full_name).repository(*needs, level=level), pull
    raise ApiError(404, f"Could not resolve to a node with the global id of '{node}'")


def _node(call: Call, variables: dict[str, Any]) -> Any:
    repository, pull = _pull(call, variables.get("id"), "pull_requests")
    world, name = call.world, repository.full_name
    entry = world.entry_of(repository, pull)
    waiting = [one.pull for one in world.queue(name, pull.base_ref)]
    place = None if entry is None else {"position": waiting.index(pull) + 1, "state": "AWAITING_CHECKS"}
    return {
        "headRefOid": pull.head_sha,
        "isMergeQueueEnabled": world.queue_rule(repository, pull.base_ref) is not None,
        "mergeQueueEntry": place,
        "mergeStateStatus": world.merge_state(name, pull.number),
        "repository": {
            "autoMergeAllowed": repository.allow_auto_merge,
            "mergeCommitAllowed": "merge" in repository.merge_methods,
            "squashMergeAllowed": "squash" in repository.merge_methods,
            "rebaseMergeAllowed": "rebase" in repository.merge_methods,
        },
    }


def _repository(call: Call, variables: dict[str, Any]) -> Any:
    name = f"{variables.get('owner')}/{variables.get('name')}"
    repository, branch = _at(call, name).repository("merge_queues"), str(variables.get("branch"))
    if call.world.queue_rule(repository, branch) is None:
        return {"mergeQueue": None}
    nodes = [
        {
            "baseCommit": {"oid": entry.base_sha} if entry.base_sha else None,
            "headCommit": {"oid": entry.head_sha} if entry.head_sha else None,
            "pullRequest": {"number": entry.pull.number},
        }
        for entry in call.world.queue(name, branch)
    ]
    return {"mergeQueue": {"entries": {"nodes": nodes}}}


def _input(variables: dict[str, Any]) -> dict[str, Any]:
    given = variables.get("input")
    return given if isinstance(given, dict) else {}


def _enqueue(call: Call, variables: dict[str, Any]) -> Any:
    told = _input(variables)
    repository, pull = _pull(call, told.get("pullRequestId"), "contents", level="write")
    call.world.enqueue(repository.full_name, pull.number, by=call.login, head=told.get("expectedHeadOid"))
    return {"clientMutationId": None}


def _dequeue(call: Call, variables: dict[str, Any]) -> Any:
    repository, pull = _pull(call, _input(variables).get("id"), "contents", level="write")
    call.world.dequeue(repository.full_name, pull.number, by=call.login)
    return {"clientMutationId": None}


def _enable(call: Call, variables: dict[str, Any]) -> Any:
    told = _input(variables)
    repository, pull = _pull(call, told.get("pullRequestId"), "contents", level="write")
    call.world.enable_auto_merge(
        repository.full_name,
        pull.number,
        by=call.login,
        method=METHODS[told.get("mergeMethod") or "MERGE"],
        title=told.get("commitHeadline"),
        message=told.get("commitBody"),
        head=told.get("expectedHeadOid"),
    )
    return {"clientMutationId": None}


def _disable(call: Call, variables: dict[str, Any]) -> Any:
    repository, pull = _pull(call, _input(variables).get("pullRequestId"), "contents", level="write")
    call.world.disable_auto_merge(repository.full_name, pull.number, by=call.login)
    return {"clientMutationId": None}


_FIELDS: dict[str, Callable[[Call, dict[str, Any]], Any]] = {
    "node": _node,
    "repository": _repository,
    "enqueuePullRequest": _enqueue,
    "dequeuePullRequest": _dequeue,
    "enablePullRequestAutoMerge": _enable,
    "disablePullRequestAutoMerge": _disable,
}
