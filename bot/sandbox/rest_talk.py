"""Issues, comments, reactions and labels over HTTP. A pull request is an issue here too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.errors import invalid
from bot.sandbox.model import Label, Pull
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from bot.sandbox.model import Comment, Issue, Repository

table = Table()


def _find(call: Call, level: str = "read") -> tuple[Repository, Issue]:
    """Find the route's issue; on a pull request the permission ``pull_requests`` is enough."""
    seen = call.world.repository(call.name).issues.get(call.number)
    needs = ("issues", "pull_requests") if seen is None or isinstance(seen, Pull) else ("issues",)
    repository = call.repository(*needs, level=level)
    return repository, call.world.issue(call.name, call.number)


def _find_comment(call: Call, level: str = "read") -> tuple[Repository, Comment]:
    repository = call.repository("issues", "pull_requests", level=level)
    issue, comment = call.world.find_comment(call.name, call.path["id"])
    if not isinstance(issue, Pull):
        call.repository("issues", level=level)
    return repository, comment


# issues ----------------------------------------------------------------------------------------------------


@table.add("POST", "R/issues")
def create_issue(call: Call) -> Reply:
    """Open an issue."""
    repository = call.repository("issues", level="write")
    title = call.needed("Issue", "title")
    issue = call.world.open_issue(call.name, title, call.text("body"), by=call.login)
    return Reply(shapes.issue_shape(repository, issue, call.urls), 201)


@table.add("GET", "R/issues")
def list_issues(call: Call) -> Reply:
    """List issues and pull requests, newest first."""
    repository = call.repository("issues", "pull_requests")
    state = call.query.get("state", "open")
    found = [issue for issue in repository.issues.values() if state in {"all", issue.state}]
    return call.page(found[::-1], lambda issue: shapes.issue_shape(repository, issue, call.urls))


@table.add("GET", "R/issues/{number:int}")
def get_issue(call: Call) -> Reply:
    """Get an issue or pull request."""
    repository, issue = _find(call)
    return Reply(shapes.issue_shape(repository, issue, call.urls))


@table.add("PUT", "R/issues/{number:int}/lock")
@table.add("DELETE", "R/issues/{number:int}/lock")
def lock_issue(call: Call) -> Reply:
    """Lock or unlock a conversation (needs triage)."""
    repository, issue = _find(call, "write")
    call.world.require(repository, call.world.account(call.login), Role.TRIAGE)
    call.world.lock_conversation(call.name, call.number, locked=not issue.locked)
    return Reply(status=204)


# comments ------------------------------------------------------------------------------------------------------


def _since(call: Call, comments: list[Comment]) -> list[Comment]:
    if since := call.time("since"):
        return [comment for comment in comments if comment.updated_at >= since]
    return comments


@table.add("GET", "R/issues/{number:int}/comments")
def list_comments(call: Call) -> Reply:
    """List a conversation's comments by id; ``since`` looks at the last change."""
    repository, issue = _find(call)
    found = _since(call, list(issue.comments))
    return call.page(found, lambda comment: shapes.comment_shape(repository, comment, call.urls))


@table.add("GET", "R/issues/comments")
def list_all_comments(call: Call) -> Reply:
    """List the comments of a repository."""
    repository = call.repository("issues", "pull_requests")
    every = [comment for issue in repository.issues.values() for comment in issue.comments]
    found = _since(call, every)
    sort = call.query.get("sort")
    found.sort(
        key=lambda comment: (comment.updated_at if sort == "updated" else comment.created_at, comment.id)
    )
    if sort and call.query.get("direction") == "desc":  # ignored without ``sort``, says GitHub
        found.reverse()
    return call.page(found, lambda comment: shapes.comment_shape(repository, comment, call.urls))


@table.add("POST", "R/issues/{number:int}/comments")
def create_comment(call: Call) -> Reply:
    """Comment."""
    repository, _ = _find(call, "write")
    comment = call.world.comment(call.name, call.number, call.body.get("body"), by=call.login)
    return Reply(shapes.comment_shape(repository, comment, call.urls), 201)


@table.add("GET", "R/issues/comments/{id:int}")
def get_comment(call: Call) -> Reply:
    """Get a comment."""
    repository, comment = _find_comment(call)
    return Reply(shapes.comment_shape(repository, comment, call.urls))


@table.add("PATCH", "R/issues/comments/{id:int}")
def update_comment(call: Call) -> Reply:
    """Change a comment."""
    repository, _ = _find_comment(call, "write")
    comment = call.world.edit_comment(call.name, call.path["id"], call.body.get("body"), by=call.login)
    return Reply(shapes.comment_shape(repository, comment, call.urls))


@table.add("DELETE", "R/issues/comments/{id:int}")
def delete_comment(call: Call) -> Reply:
    """Delete a comment."""
    _find_comment(call, "write")
    call.world.delete_comment(call.name, call.path["id"], by=call.login)
    return Reply(status=204)


# reactions ---------------------------------------------------------------------------------------------------------


@table.add("GET", "R/issues/comments/{id:int}/reactions")
def list_reactions(call: Call) -> Reply:
    """List a comment's reactions."""
    _, comment = _find_comment(call)
    content = call.query.get("content")
    found = [reaction for reaction in comment.reactions if content in {None, reaction.content}]
    return call.page(found, lambda reaction: shapes.reaction_shape(reaction, call.urls))


@table.add("POST", "R/issues/comments/{id:int}/reactions")
def create_reaction(call: Call) -> Reply:
    """React: 201, or 200 when that reaction is there."""
    _find_comment(call, "write")
    content = call.needed("Reaction", "content")
    reaction, new = call.world.react(call.name, call.path["id"], content, by=call.login)
    return Reply(shapes.reaction_shape(reaction, call.urls), 201 if new else 200)


@table.add("DELETE", "R/issues/comments/{id:int}/reactions/{reaction:int}")
def delete_reaction(call: Call) -> Reply:
    """Take a reaction back."""
    _find_comment(call, "write")
    call.world.unreact(call.name, call.path["id"], call.path["reaction"], by=call.login)
    return Reply(status=204)


# labels --------------------------------------------------------------------------------------------------------------


def _labels(call: Call, repository: Repository, labels: list[Label]) -> Reply:
    return call.page(labels, lambda label: shapes.label_shape(repository, label, call.urls))


@table.add("GET", "R/issues/{number:int}/labels")
def list_labels(call: Call) -> Reply:
    """List the labels of an issue."""
    repository, issue = _find(call)
    return _labels(call, repository, issue.labels)


@table.add("POST", "R/issues/{number:int}/labels")
def add_labels(call: Call) -> Reply:
    """Add labels: ``{"labels": [...]}``, or a bare list as old programs send."""
    repository, issue = _find(call, "write")
    given: Any = call.body if isinstance(call.body, list) else call.body.get("labels", [])
    names = [item.get("name") if isinstance(item, dict) else item for item in given]
    texts = [name for name in names if isinstance(name, str) and name]
    if len(texts) < len(names):
        raise invalid("Label", "name")
    call.world.add_labels(call.name, call.number, texts, by=call.login)
    return _labels(call, repository, issue.labels)


@table.add("DELETE", "R/issues/{number:int}/labels/{label:path}")
def remove_label(call: Call) -> Reply:
    """Take a label off."""
    repository, issue = _find(call, "write")
    call.world.remove_label(call.name, call.number, call.path["label"], by=call.login)
    return _labels(call, repository, issue.labels)


@table.add("GET", "R/labels")
def list_repository_labels(call: Call) -> Reply:
    """List the labels of a repository."""
    repository = call.repository("issues", "pull_requests")
    return _labels(call, repository, list(repository.labels.values()))
