"""What a workflow's event asks for. Needs nothing but Python: most events ask for nothing.

Of an event's text only the beginnings of a comment's lines are looked at here, to tell chat from what may
be a command; the comment itself is read from GitHub. Source: GitHub, "Events that trigger workflows".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.core import events
from bot.core.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

# A workflow's event names no installation: the token decides what is reached.
INSTALLATION = 1

# Every line that ``bot.core.comment`` takes for a candidate, told without a parser of Markdown: also what looks
# like a slash, or hides before it, for the parser has an answer to those. Bounded, or a comment of line feeds
# would be read once for each of them.
_UNSEEN = r"\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_MAY_COMMAND = re.compile(rf"(?:^|\n) {{0,3}}[{_UNSEEN}]{{0,8}}[/\u2044\u2215\u29f8\uff0f]")
_CHECKED = frozenset({"opened", "synchronize", "reopened", "ready_for_review", "edited"})
# By event: the object that was said, the action of saying it, the field with its time.
_SAID = {
    "issue_comment": ("comment", "created", "created_at"),
    "pull_request_review": ("review", "submitted", "submitted_at"),
}
_GOES_ON = frozenset({"push", "schedule", "workflow_dispatch", "repository_dispatch"})


class EventUnusable(Exception):  # noqa: N818 - a reason not to start
    """The event cannot be worked on; in words, without anything of the event's text."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to do, and why, in our own words."""

    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """Look at subjects because of a comment, a button, a merge or a merge queue, then for comments left behind.

    ``subjects`` are (subject, why). ``comment`` is the comment's name in markers, ``comment/<id>``, and
    ``said_at`` its time as the event gives it; both are empty where there is none.
    """

    repository: str
    subjects: tuple[tuple[Subject, str], ...]
    comment: str = ""
    said_at: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge the manifests of a pull request, and write nothing."""

    repository: str
    number: int
    sha: str

    @property
    def subject(self) -> Subject:
        """The pull request."""
        return Subject(INSTALLATION, self.repository, f"pull/{self.number}")


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on with whatever is due in the repository."""

    repository: str


Wanted = Nothing | Look | Judge | GoOn


def read(environ: Mapping[str, str], *, slug: str) -> Wanted:
    """Say what the event of this run asks for.

    Args:
        environ: The runner's variables: ``GITHUB_EVENT_NAME``, ``GITHUB_EVENT_PATH``, ``GITHUB_REPOSITORY``.
        slug: The App that the token belongs to; only its own check runs have our buttons.

    Raises:
        EventUnusable: A variable is missing, or the file is no event of this repository.
    """
    name, repository = environ.get("GITHUB_EVENT_NAME", ""), environ.get("GITHUB_REPOSITORY", "")
    if not name or not repository:
        raise EventUnusable(
            "GITHUB_EVENT_NAME and GITHUB_REPOSITORY are not set: `canary action` runs inside a workflow."
        )
    if name in _GOES_ON:
        return GoOn(repository)
    try:
        payload = events.parse(Path(environ.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except OSError:
        raise EventUnusable("GITHUB_EVENT_PATH names no file that can be read.") from None
    except ValueError as error:
        raise EventUnusable(f"The event file cannot be used: {error}.") from None
    if _at(payload, "repository", "full_name") != repository:
        raise EventUnusable("The event is about another repository than GITHUB_REPOSITORY.")
    again = environ.get("GITHUB_RUN_ATTEMPT", "1") != "1"
    return _wanted(name, payload, repository, slug, again=again)


def _wanted(name: str, payload: Mapping[str, Any], repository: str, slug: str, *, again: bool) -> Wanted:
    if name in _SAID:
        return _of_comment(name, payload, repository)
    match name, payload.get("action"):
        case "pull_request", str() as action if action in _CHECKED:
            number = _at(payload, "pull_request", "number")
            if type(number) is not int or number < 1:
                raise EventUnusable("The event names no pull request.")
            sha = _at(payload, "pull_request", "head", "sha")
            return Judge(repository, number, sha if isinstance(sha, str) else "")
        case "pull_request", "closed":
            # Also without a merge: a step that a person closed is on hold, and hears so.
            found = _routed(name, payload, None)
            return Look(repository, found) if found else Nothing("The event names no pull request.")
        case "merge_group", "checks_requested":
            found = _routed(name, payload, None)
            return (
                Look(repository, found) if found else Nothing("The event names no commit of a merge queue.")
            )
        case "check_run" | "check_suite", _:
            if _at(payload, name, "app", "slug") != slug:
                return Nothing("The check is another App's.")
            if payload.get("action") == "requested_action" and again:
                # The event has no time: a job that is run again weeks later would press once more.
                return Nothing("A button is not pressed again by running its job again.")
            app = _at(payload, name, "app", "id")
            found = _routed(name, payload, app if type(app) is int else None)
            return Look(repository, found) if found else Nothing("Nothing of the check asks for work.")
        case _:
            return Nothing("This event is not one that the bot works on.")


def _of_comment(name: str, payload: Mapping[str, Any], repository: str) -> Wanted:
    kind, created, time = _SAID[name]
    if payload.get("action") != created:
        return Nothing("Only new comments and submitted reviews are read: an edited comment never runs.")
    if not _may_command(_at(payload, kind, "body")):
        return Nothing("The comment is conversation.")
    found = _routed(name, payload, None)
    number, at = _at(payload, kind, "id"), _at(payload, kind, time)
    if not found:
        return Nothing("The comment is not a person's on a pull request.")
    if type(number) is not int or not isinstance(at, str):
        return Look(repository, found)
    return Look(repository, found, f"{kind}/{number}", at)


def _routed(name: str, payload: Mapping[str, Any], app_id: int | None) -> tuple[tuple[Subject, str], ...]:
    return events.route(name, {**payload, "installation": {"id": INSTALLATION}}, app_id=app_id)


def _may_command(body: object) -> bool:
    return isinstance(body, str) and _MAY_COMMAND.search(body) is not None


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
