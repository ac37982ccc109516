"""GitHub's JSON as the bot's values.

Source: GitHub's OpenAPI description (2022-11-28): simple-user, pull-request, pull-request-simple,
issue-comment, pull-request-review, diff-entry, commit, check-run. Fields of lists and of single
objects differ: what a list leaves out is worked out or stays at its default.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from bot.core.checks import MOST_BUTTONS
from bot.core.permissions import role_of
from bot.core.problems import OutsideFailure
from bot.ports import (
    Actor,
    AutoMerge,
    ChangedFile,
    Check,
    CheckConclusion,
    Comment,
    Commit,
    Holder,
    Pull,
    Reviewed,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.ports import Annotation

# GitHub's own words for an account that is gone.
GHOST = Actor(10137, "ghost")
_ON_THE_SITE = "noreply@github.com"
LONGEST_OUTPUT = 65_535  # characters of a summary or text
MOST_ANNOTATIONS = 50
_LONGEST_TITLE = 255
_LONGEST_REMARK = 16_000  # characters; GitHub's limit is 64 KB
_EXTERNAL_ID = re.compile(r"(.*?)(?:!([0-9a-f]{8}))?(?:~([0-9A-Za-z]{1,8}))?", re.DOTALL)
_CUT = "\n\n… cut here: GitHub takes no more."

_CONCLUSIONS: dict[str, CheckConclusion] = {
    "success": "success",
    "failure": "failure",
    "neutral": "neutral",
    "action_required": "action_required",
    "cancelled": "cancelled",
    "timed_out": "failure",
    "startup_failure": "failure",
    "skipped": "neutral",
    "stale": "cancelled",
}


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn an answer of another shape than documented into ``OutsideFailure``."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise OutsideFailure(f"GitHub's answer about {what} is not of the documented shape.") from error


def moment(text: str) -> datetime:
    """Give GitHub's time, aware and in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def actor(data: Any) -> Actor:
    """Give an account; ``ghost`` when it is gone."""
    return GHOST if data is None else Actor(int(data["id"]), str(data["login"]), data.get("type") == "Bot")


def pull(data: Any, ours: Callable[[Any], bool]) -> Pull:
    """Give a pull request, from a list or by itself."""
    head, base = data["head"], data["base"]
    home = head["repo"]
    merged = data.get("merged_at") is not None
    return Pull(
        number=data["number"],
        title=data["title"],
        body=data["body"] or "",
        state=_state(data["state"]),
        author=actor(data["user"]),
        ours=ours(data["user"]),
        head_ref=head["ref"],
        head_sha=head["sha"],
        head_repository=None if home is None else home["full_name"],
        from_fork=home is None or home["id"] != base["repo"]["id"],
        base_ref=base["ref"],
        base_sha=base["sha"],
        url=data["html_url"],
        created_at=moment(data["created_at"]),
        updated_at=moment(data["updated_at"]),
        draft=bool(data.get("draft")),
        locked=bool(data.get("locked")),
        merged=merged,
        merged_at=moment(data["merged_at"]) if merged else None,
        merged_by=actor(data["merged_by"]) if data.get("merged_by") else None,
        # While a pull request is open this is the trial merge, which is no commit of the base.
        merge_sha=data.get("merge_commit_sha") if merged else None,
        mergeable=data.get("mergeable"),
        labels=tuple(label["name"] for label in data.get("labels", ())),
        node=data.get("node_id") or "",
        auto_merge=_auto_merge(data.get("auto_merge"), ours),
    )


def _auto_merge(data: Any, ours: Callable[[Any], bool]) -> AutoMerge | None:
    if data is None:
        return None
    who = data["enabled_by"]
    return AutoMerge(actor(who), who is not None and ours(who))


def _state(text: str) -> Literal["open", "closed"]:
    if text not in {"open", "closed"}:
        raise ValueError(text)
    return cast("Literal['open', 'closed']", text)


def comment(data: Any, *, ours: bool) -> Comment:
    """Give a comment of the conversation."""
    return Comment(
        id=data["id"],
        kind="comment",
        author=actor(data["user"]),
        body=data["body"] or "",
        created_at=moment(data["created_at"]),
        ours=ours,
        edited=data["updated_at"] != data["created_at"],
        url=data.get("html_url") or "",
    )


def review(data: Any, *, ours: bool) -> Comment:
    """Give a submitted review; REST does not tell whether its text was changed."""
    return Comment(
        id=data["id"],
        kind="review",
        author=actor(data["user"]),
        body=data["body"],
        created_at=moment(data["submitted_at"]),
        ours=ours,
        url=data.get("html_url") or "",
    )


def changed_file(data: Any) -> ChangedFile:
    """Give a file of a pull request; a removed one has no blob at the head."""
    status = str(data["status"])
    blob = None if status == "removed" else data["sha"]
    return ChangedFile(data["filename"], status, blob, data.get("previous_filename"))


def commit(data: Any, *, ours: bool) -> Commit:
    """Give a commit; the author is the account GitHub knows, empty when it knows none."""
    told = data["commit"]
    people: dict[Actor, None] = {}
    strangers: dict[str, None] = {}
    for side in ("author", "committer"):
        written, known = told[side] or {}, data.get(side)
        if side == "committer" and written.get("email") == _ON_THE_SITE:
            continue  # GitHub itself, for whoever wrote it on its pages
        if known and known.get("id"):
            people[actor(known)] = None
        else:
            strangers[str(written.get("name") or "?")] = None
    return Commit(
        sha=data["sha"],
        message=told["message"],
        at=moment(told["committer"]["date"]),
        author=data["author"]["login"] if data.get("author") else "",
        ours=ours,
        parents=tuple(parent["sha"] for parent in data["parents"]),
        people=tuple(people),
        strangers=tuple(strangers),
    )


def holder(data: Any) -> Holder:
    """Give an account with its role: by its name, and a role of an organisation's own by what it allows.

    Source: OpenAPI, repository-collaborator-permission. ``permission`` says ``write`` for maintain and ``read`` for
    triage; the flags of ``permissions`` say what a custom role is based on.
    """
    user = data.get("user") or {}
    allowed = user.get("permissions") or {}
    flags = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    base = next((name for flag, name in flags.items() if allowed.get(flag) is True), None)
    role = role_of(data.get("role_name") or base, data.get("permission"), base)
    return Holder(int(user["id"]) if user else 0, role)


def reviewed(data: Any) -> Reviewed:
    """Give what a submitted review says; the commit is gone from the answer where it is gone from Git."""
    return Reviewed(
        int(data["id"]),
        actor(data["user"]),
        State(data["state"]),
        data["commit_id"] or "",
        data["body"] or "",
    )


def check(data: Any) -> Check:
    """Give a check run. Its annotations are not part of the answer."""
    output = data.get("output") or {}
    done = data["status"] == "completed"
    external_id, _, stamp = external_id_of(data)
    return Check(
        name=data["name"],
        conclusion=_CONCLUSIONS[data["conclusion"]] if done else None,
        title=output.get("title") or "",
        summary=output.get("summary") or "",
        text=output.get("text") or "",
        external_id=external_id,
        stamp=stamp,
    )


def external_id_of(data: Any) -> tuple[str, str, str]:
    """Give a check run's external id, what stands in it for the buttons, and its stamp."""
    parts = _EXTERNAL_ID.fullmatch(data.get("external_id") or "")
    return ("", "", "") if parts is None else (parts[1], parts[2] or "", parts[3] or "")


def _external_id(wanted: Check, buttons: list[dict[str, str]], stamp: str) -> str:
    """Give the external id with what GitHub does not let one read back: buttons are write-only."""
    shown = hashlib.sha256(json.dumps(buttons).encode()).hexdigest()[:8] if buttons else ""
    return wanted.external_id + (f"!{shown}" if shown else "") + (f"~{stamp}" if stamp else "")


def check_body(wanted: Check, stamp: str = "") -> dict[str, Any]:
    """Give the body of a request that makes or changes a check run, within GitHub's limits.

    Args:
        wanted: What the check shall say.
        stamp: The one that the check bears, unless ``wanted`` has another.
    """
    buttons = [
        {"label": b.label, "description": b.description, "identifier": b.identifier}
        for b in wanted.actions[:MOST_BUTTONS]
    ]
    summary = wanted.summary
    left_out = len(wanted.annotations) - MOST_ANNOTATIONS
    if left_out > 0:
        note = f"\n\n{left_out} annotations are not shown: GitHub takes {MOST_ANNOTATIONS}."
        summary = _cut(summary, LONGEST_OUTPUT - len(note)) + note
    output: dict[str, Any] = {
        "title": _cut(wanted.title, _LONGEST_TITLE, mark="…"),
        "summary": _cut(summary, LONGEST_OUTPUT),
        "text": _cut(wanted.text, LONGEST_OUTPUT),
    }
    if wanted.annotations:
        output["annotations"] = [_annotation(a) for a in wanted.annotations[:MOST_ANNOTATIONS]]
    body: dict[str, Any] = {
        "name": wanted.name,
        "external_id": _external_id(wanted, buttons, wanted.stamp or stamp),
        "output": output,
        # Also where there are none: what is left out stays.
        "actions": buttons,
    }
    if wanted.conclusion is None:
        return body | {"status": "in_progress"}
    return body | {"status": "completed", "conclusion": wanted.conclusion}


def says(run: Any, body: dict[str, Any]) -> bool:
    """Say whether a check run shows what ``body`` would make it show, annotations aside."""
    shown, wanted = run.get("output") or {}, body["output"]
    return (
        (run["status"], run.get("conclusion")) == (body["status"], body.get("conclusion"))
        and (run.get("external_id") or "") == body["external_id"]
        and all((shown.get(key) or "") == wanted[key] for key in ("title", "summary", "text"))
    )


def _annotation(remark: Annotation) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "path": remark.path,
        "start_line": remark.start_line,
        "end_line": remark.end_line,
        "annotation_level": remark.level,
        "message": _cut(remark.message, _LONGEST_REMARK),
    }
    if remark.column is not None and remark.start_line == remark.end_line:
        shown |= {"start_column": remark.column, "end_column": remark.column}
    return shown | ({"title": _cut(remark.title, _LONGEST_TITLE, mark="…")} if remark.title else {})


def _cut(text: str, longest: int, *, mark: str = _CUT) -> str:
    return text if len(text) <= longest else text[: longest - len(mark)] + mark
