"""Commit statuses over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox import shapes
from bot.sandbox.errors import not_found
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from bot.sandbox.model import Repository

table = Table()


@table.add("POST", "R/statuses/{sha}")
def create_status(call: Call) -> Reply:
    """Report on a commit."""
    repository = call.repository("statuses", level="write")
    status = call.world.create_status(call.name, call.path["sha"], call.body, by=call.login)
    return Reply(shapes.status_shape(repository, status, call.urls), 201)


def _commit(call: Call) -> tuple[Repository, str]:
    repository = call.repository("statuses")
    sha = repository.git.resolve(call.path["ref"])
    if sha is None:
        raise not_found()
    return repository, sha


@table.add("GET", "R/commits/{ref:path}/statuses")
def list_statuses(call: Call) -> Reply:
    """List all statuses of a commit, newest first."""
    repository, sha = _commit(call)
    found = call.world.all_statuses(call.name, sha)
    return call.page(found, lambda one: shapes.status_shape(repository, one, call.urls))


@table.add("GET", "R/commits/{ref:path}/status")
def get_combined_status(call: Call) -> Reply:
    """Get the latest status of each context, and one state for all."""
    repository, sha = _commit(call)
    latest = call.world.statuses(call.name, sha)
    listed = call.page(latest, lambda one: shapes.status_shape(repository, one, call.urls, short=True))
    shape = shapes.combined_status_shape(repository, sha, latest, call.urls)
    return Reply(shape | {"statuses": listed.body}, headers=listed.headers)
