"""Webhook payloads: the guarded parser, and what each delivery asks the bot to look at.

A delivery is only a hint. Nothing of a payload is believed beyond the names of a
repository and a pull request; what is there is read from GitHub when it is looked at.
The one exception is who pressed which button, which is told nowhere else. No URL of a
payload is ever used. Source: GitHub, "Webhook events and payloads": to Apps that may write
checks, ``requested_action`` and ``rerequested`` come without being subscribed to.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from bot.core import checks
from bot.core.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LARGEST = 1_000_000  # bytes; the payloads that are used have 10 to 200 kB
DEEPEST = 64  # nested arrays and objects; GitHub's own payloads stay under ten
LONGEST_NUMBER = 30  # characters; GitHub's ids have up to 19 digits

USED = frozenset(
    {
        "issue_comment",
        "pull_request",
        "pull_request_review",
        "check_run",
        "check_suite",
        "merge_group",
        "installation",
        "installation_repositories",
    }
)
"""The events that ``route`` can make something of."""

_PULL_ACTIONS = frozenset(
    {
        *("opened", "synchronize", "reopened", "ready_for_review", "converted_to_draft", "closed"),
        *("dequeued", "auto_merge_disabled"),  # what GitHub was given to merge comes back
    }
)
_SWEPT_FROM = {
    ("installation", "created"): "repositories",
    ("installation_repositories", "added"): "repositories_added",
}
_LARGEST_ID = 2**63 - 1

# Strings are swallowed whole, also one that never ends, so that every byte is read once.
_NESTING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
# GitHub's grammar: an owner has letters, digits and hyphens (managed users also an underscore).
_FULL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")


def parse(body: bytes) -> Mapping[str, Any]:
    """Read a payload, whatever somebody sends.

    Strings may hold NUL and lone surrogates: both are inert, because no string of a payload
    but a repository's name, which has a grammar, goes anywhere.

    Args:
        body: The raw bytes of the request, at most ``LARGEST``.

    Raises:
        ValueError: It is not one JSON object in UTF-8, or it is larger, deeper or has longer
            numbers than any payload of GitHub's. No other exception leaves this function.
    """
    if len(body) > LARGEST:
        raise ValueError("the payload is too large")
    text = body.decode("utf-8")  # UnicodeDecodeError is a ValueError
    _check_depth(text)
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("the payload is not an object")  # noqa: TRY004 - one exception for every caller
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for match in _NESTING.finditer(text):
        first = text[match.start()]
        if first in "[{":
            depth += 1
            if depth > DEEPEST:
                raise ValueError("the payload is nested too deeply")
        elif first in "]}":
            depth -= 1


def _integer(digits: str) -> int:
    # Python itself refuses above 4,300 digits, and is slow well before that.
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("the payload has a number that is too long")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("the payload has a number that is too long")
    return float(digits)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"the payload holds {name}, which is not JSON")


def route(
    event: str, payload: Mapping[str, Any], *, app_id: int | None, at: datetime | None = None
) -> tuple[tuple[Subject, str], ...]:
    """Say what to look at because of a delivery, and why, in one word.

    Only the body of a delivery is signed, so the event's name has to agree with the body's
    shape; whatever is not known, or does not fit, asks for nothing. Comments of bots ask for
    nothing: the first of three guards against talking to ourselves.

    Args:
        event: The header ``X-GitHub-Event``.
        payload: As ``parse`` gave it; any type may stand anywhere in it.
        app_id: This App's id, where it is known; checks of other Apps are not ours to repeat.
        at: When the delivery came, where it is known: the body of a press has no time.

    Returns:
        (subject, ``comment`` | ``review`` | ``pull`` | ``check`` | ``button`` | ``group`` | ``installation``), without
        repetition.
    """
    installation = _id(_object(payload, "installation"), "id")
    if event not in USED or installation is None:
        return ()
    if key := _SWEPT_FROM.get((event, _text(payload, "action"))):
        names = [_full_name(entry) for entry in _objects(payload, key)]
        return tuple(
            (Subject(installation, n, "repository"), "installation") for n in dict.fromkeys(names) if n
        )
    repository = _full_name(_object(payload, "repository"))
    if repository is None:
        return ()
    action = _text(payload, "action")
    if (event, action) == ("check_run", "requested_action"):
        press = _press(payload, app_id, at)
        return () if press is None else ((Subject(installation, repository, press.what), "button"),)
    if event == "merge_group":
        sha = _text(_object(payload, "merge_group"), "head_sha")
        wanted = action == "checks_requested" and checks.is_sha(sha)
        return ((Subject(installation, repository, f"group/{sha}"), "group"),) if wanted else ()
    if event in {"check_run", "check_suite"}:
        again = _checks(event, payload, app_id) if action == "rerequested" else ()
        return tuple((Subject(installation, repository, what), "check") for what in again)
    numbers, why = _pulls(event, payload, app_id)
    return tuple((Subject(installation, repository, f"pull/{n}"), why) for n in dict.fromkeys(numbers))


def _pulls(event: str, payload: Mapping[str, Any], app_id: int | None) -> tuple[list[int], str]:
    """Give the numbers of the pull requests to look at, and why."""
    match event, _text(payload, "action"):
        case "issue_comment", "created":
            issue = _object(payload, "issue")
            is_pull = isinstance(issue.get("pull_request"), dict)
            wanted = is_pull and _is_by_a_person(_object(payload, "comment"), app_id)
            return _list(_id(issue, "number") if wanted else None), "comment"
        case "pull_request_review", "submitted" | "dismissed" as action:
            review, pull = _object(payload, "review"), _object(payload, "pull_request")
            says = bool(_text(review, "body").strip()) and _is_by_a_person(review, app_id)
            wanted = (says and action == "submitted") or _decides(review, pull)
            return _list(_id(pull, "number") if wanted else None), "review"
        case "pull_request", action:
            moved = action == "edited" and isinstance(_object(payload, "changes").get("base"), dict)
            number = _id(_object(payload, "pull_request"), "number")
            agrees = number == _id(payload, "number")
            return _list(number if agrees and (moved or action in _PULL_ACTIONS) else None), "pull"
        case _:
            return [], ""


def _decides(review: Mapping[str, Any], pull: Mapping[str, Any]) -> bool:
    """Whether a review, also one without a word, may be what a step waits for: on a bot's pull request, by a person."""
    by_bot = _text(_object(pull, "user"), "type") == "Bot"
    is_person = _text(_object(review, "user"), "type") == "User"
    return by_bot and is_person and _text(review, "state") in {"approved", "changes_requested", "dismissed"}


def _checks(event: str, payload: Mapping[str, Any], app_id: int | None) -> tuple[str, ...]:
    """Give the subjects of checks to be judged again: ``checks/<sha>/<number>``, ``checks/<sha>``."""
    which = _ours(payload, event, app_id)
    sha = _text(which, "head_sha")
    if not checks.is_sha(sha):
        return ()
    numbers = _pulls_here(payload, which)
    if own := checks.pull_of(_text(which, "external_id")):
        # GitHub names open pull requests only, and none of forks.
        numbers.append(own)
    return tuple(f"checks/{sha}/{n}" for n in dict.fromkeys(numbers)) or (f"checks/{sha}",)


def _press(payload: Mapping[str, Any], app_id: int | None, at: datetime | None) -> checks.Press | None:
    """Read the press of a button of ours; ``None`` when it is none, or nobody's."""
    run, sender = _ours(payload, "check_run", app_id), _object(payload, "sender")
    verb = _text(_object(payload, "requested_action"), "identifier")
    sha, login, user = _text(run, "head_sha"), _text(sender, "login"), _id(sender, "id")
    own, here = checks.pull_of(_text(run, "external_id")), _pulls_here(payload, run)
    # Ours is the one that the check was written for; another of the same commit may have been opened since.
    number = own if own in here or not here else here[0] if len(here) == 1 else None
    if number is None or user is None or _text(run, "name") != checks.GATE or _text(sender, "type") != "User":
        return None
    seconds = 0 if at is None else max(0, int(at.timestamp()))
    made = checks.Press(number, verb, sha, checks.press_id(payload), seconds, user, login)
    return checks.Press.parse(made.what)  # one grammar for all that goes on from here


def _ours(payload: Mapping[str, Any], key: str, app_id: int | None) -> Mapping[str, Any]:
    """Give a check run or suite if it is this App's, else nothing."""
    found = _object(payload, key)
    return found if app_id is not None and _id(_object(found, "app"), "id") == app_id else {}


def _pulls_here(payload: Mapping[str, Any], which: Mapping[str, Any]) -> list[int]:
    """Give the pull requests of a check; the list also names those of other repositories with the commit."""
    here = _id(_object(payload, "repository"), "id")
    found = []
    for pull in _objects(which, "pull_requests"):
        base = _object(_object(pull, "base"), "repo")
        number = _id(pull, "number")
        if number is not None and here is not None and _id(base, "id") == here:
            found.append(number)
    return found


def _is_by_a_person(comment: Mapping[str, Any], app_id: int | None) -> bool:
    if not _text(comment, "body"):
        return False
    via = _object(comment, "performed_via_github_app")
    return _text(_object(comment, "user"), "type") == "User" and (app_id is None or _id(via, "id") != app_id)


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _objects(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = value.get(key)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _id(value: Mapping[str, Any], key: str) -> int | None:
    found = value.get(key)
    # ``True`` is an int to Python, and 1.0 equals 1.
    return found if type(found) is int and 0 < found <= _LARGEST_ID else None


def _full_name(repository: Mapping[str, Any]) -> str | None:
    name = _text(repository, "full_name")
    return name if _FULL_NAME.fullmatch(name) else None


def _list(number: int | None) -> list[int]:
    return [] if number is None else [number]
