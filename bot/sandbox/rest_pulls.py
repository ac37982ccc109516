"""Pull requests and reviews over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox import shapes
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.people import Grant
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from bot.sandbox.model import MergeMethod, Pull, Repository, ReviewState

table = Table()
METHODS: dict[str, MergeMethod] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
REVIEW_EVENTS: dict[str, ReviewState] = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def _shown(call: Call, repository: Repository, pull: Pull, status: int = 200) -> Reply:
    return Reply(shapes.pull_shape(call.world, repository, pull, call.urls), status)


@table.add("GET", "R/pulls")
def list_pulls(call: Call) -> Reply:
    """List pull requests; ``head`` filters as ``owner:branch`` only and is ignored otherwise."""
    repository = call.repository("pull_requests")
    query = call.query
    state = query.get("state", "open")
    if state not in {"open", "closed", "all"}:
        raise invalid("PullRequest", "state")
    found = call.world.pulls(call.name, state=state)
    owner, colon, branch = query.get("head", "").partition(":")
    if colon:
        found = [
            pull
            for pull in found
            if pull.head_ref == branch and pull.head_owner.login.casefold() == owner.casefold()
        ]
    if base := query.get("base"):
        found = [pull for pull in found if pull.base_ref == base]
    sort = query.get("sort", "created")
    if sort == "updated":
        found.sort(key=lambda pull: (pull.updated_at, pull.id))
    elif sort == "popularity":
        found.sort(key=lambda pull: (len(pull.comments), pull.id))
    else:
        found.sort(key=lambda pull: pull.id)
    if query.get("direction", "desc" if sort == "created" else "asc") == "desc":
        found.reverse()
    return call.page(
        found, lambda pull: shapes.pull_shape(call.world, repository, pull, call.urls, short=True)
    )


@table.add("POST", "R/pulls")
def create_pull(call: Call) -> Reply:
    """Open a pull request from a branch, or from ``owner:branch`` of a fork."""
    repository = call.repository("pull_requests", level="write")
    title, head, base = (call.needed("PullRequest", name) for name in ("title", "head", "base"))
    owner, _, branch = head.rpartition(":")
    source = _source(call, repository, owner)
    modify = call.body.get("maintainer_can_modify") is not False
    foreign = isinstance(call.caller, Grant) and not call.caller.covers(source)
    if foreign and modify and source is not repository:
        sentence = "Fork collab can't be granted by someone without permission"
        raise invalid("PullRequest", "fork_collab", "invalid", sentence)
    pull = call.world.open_pull(
        call.name,
        branch,
        base,
        title,
        call.text("body"),
        by=call.login,
        fork=None if source is repository else source.full_name,
        draft=call.body.get("draft") is True,
        maintainer_can_modify=modify,
    )
    return _shown(call, repository, pull, 201)


def _source(call: Call, repository: Repository, owner: str) -> Repository:
    if not owner or owner.casefold() == repository.owner.login.casefold():
        return repository
    for other in call.world.repositories():
        if other.owner.login.casefold() == owner.casefold() and other.parent is repository:
            return other
    raise invalid("PullRequest", "head")


@table.add("GET", "R/pulls/{number:int}")
def get_pull(call: Call) -> Reply:
    """Get a pull request."""
    repository = call.repository("pull_requests")
    return _shown(call, repository, call.world.pull(call.name, call.number))


@table.add("PATCH", "R/pulls/{number:int}")
def update_pull(call: Call) -> Reply:
    """Change title, body, base or state."""
    repository = call.repository("pull_requests", level="write")
    world, number, state = call.world, call.number, call.text("state")
    pull = world.pull(call.name, number)
    if state not in {None, "open", "closed"}:
        raise invalid("PullRequest", "state")
    with world.lock:
        world.edit_pull(
            call.name,
            number,
            by=call.login,
            title=call.text("title"),
            body=call.text("body"),
            base=call.text("base"),
        )
        if state == "closed":
            world.close_pull(call.name, number, by=call.login)
        elif state == "open":
            world.reopen(call.name, number, by=call.login)
    return _shown(call, repository, pull)


@table.add("GET", "R/pulls/{number:int}/files")
def list_files(call: Call) -> Reply:
    """List what a pull request changes."""
    repository = call.repository("pull_requests")
    pull = call.world.pull(call.name, call.number)
    files = call.world.diff(call.name, call.number)
    return call.page(files, lambda file: shapes.diff_shape(repository, file, pull.head_sha, call.urls))


@table.add("GET", "R/pulls/{number:int}/commits")
def list_commits(call: Call) -> Reply:
    """List the commits of a pull request, oldest first, at most 250."""
    repository = call.repository("pull_requests")
    commits = call.world.commits_of(call.name, call.number)[:250]
    return call.page(commits, lambda commit: shapes.commit_shape(call.world, repository, commit, call.urls))


@table.add("GET", "R/pulls/{number:int}/merge")
def get_merged(call: Call) -> Reply:
    """Tell whether a pull request was merged: 204 or 404."""
    call.repository("pull_requests")
    if not call.world.pull(call.name, call.number).merged:
        raise not_found()
    return Reply(status=204)


@table.add("PUT", "R/pulls/{number:int}/merge")
def merge(call: Call) -> Reply:
    """Merge a pull request."""
    call.repository("contents", level="write")
    method = METHODS.get(call.text("merge_method", default="merge") or "")
    if method is None:
        raise ApiError(422, "Invalid request.\n\nmerge_method is not one of merge, squash, rebase.")
    sha = call.world.merge(
        call.name,
        call.number,
        by=call.login,
        method=method,
        sha=call.text("sha"),
        title=call.text("commit_title"),
        message=call.text("commit_message"),
    )
    return Reply({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


@table.add("POST", "R/pulls/{number:int}/requested_reviewers")
def request_reviewers(call: Call) -> Reply:
    """Ask people and teams for a review."""
    repository = call.repository("pull_requests", level="write")
    named = [call.body.get(key) or [] for key in ("reviewers", "team_reviewers")]
    if not all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in named):
        raise ApiError(422, "Invalid request.")
    call.world.ask_for_review(call.name, call.number, named[0], named[1], by=call.login)
    pull = call.world.pull(call.name, call.number)
    return Reply(shapes.pull_shape(call.world, repository, pull, call.urls, short=True), 201)


@table.add("GET", "R/pulls/{number:int}/reviews")
def list_reviews(call: Call) -> Reply:
    """List reviews, oldest first."""
    repository = call.repository("pull_requests")
    pull = call.world.pull(call.name, call.number)
    return call.page(pull.reviews, lambda review: shapes.review_shape(repository, pull, review, call.urls))


@table.add("POST", "R/pulls/{number:int}/reviews")
def create_review(call: Call) -> Reply:
    """Submit a review."""
    repository = call.repository("pull_requests", level="write")
    state = REVIEW_EVENTS.get(call.text("event") or "")
    if state is None:
        raise ApiError(422, "Unprocessable Entity", ["Variable $event was provided invalid value"])
    pull = call.world.pull(call.name, call.number)
    body = call.text("body", default="") or ""
    review = call.world.review(call.name, call.number, body, state, by=call.login, sha=call.text("commit_id"))
    return Reply(shapes.review_shape(repository, pull, review, call.urls))
