"""What is mended on the way between emulator and bot, so that the story can go on behind a known break.

Each mend is named like its entry in ``emulate_deviations``, takes what it adds from the emulator's own
other answers, and does nothing where the emulator answers as GitHub does.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.exchange import Exchange

_COMMENTS = re.compile(r"/repos/[^/]+/[^/]+/issues(?:/[0-9]+)?/comments")
_PULL = re.compile(r"(/repos/[^/]+/[^/]+)/pulls(?:/([0-9]+)(/files)?)?")


class Files:
    """``GET …/pulls/N/files`` is always empty; the emulator's comparison of the two branches has the files."""

    name = "pull-files"

    def __call__(self, ask: Callable[[str], Any], exchange: Exchange) -> Any | None:
        """Give the files where there are none."""
        found = _PULL.fullmatch(exchange.path)
        if exchange.method != "GET" or not found or not found[3] or exchange.response_body != b"[]":
            return None
        pull = ask(f"{found[1]}/pulls/{found[2]}")
        head = _tip(ask, found[1], pull) or pull["head"]["sha"]
        return ask(f"{found[1]}/compare/{pull['base']['sha']}...{head}").get("files") or None


class Head:
    """``head.sha`` of a pull request stays what it was when it was opened; the branch itself moves."""

    name = "pull-head"

    def __call__(self, ask: Callable[[str], Any], exchange: Exchange) -> Any | None:
        """Give the pull request or requests with the head of now."""
        found = _PULL.fullmatch(exchange.path)
        if exchange.method != "GET" or exchange.status != 200 or not found or found[3]:
            return None
        data = json.loads(exchange.response_body)
        moved = False
        for pull in data if isinstance(data, list) else [data]:
            tip = _tip(ask, found[1], pull) if pull["state"] == "open" or pull["merged_at"] else None
            if tip is not None and tip != pull["head"]["sha"]:
                pull["head"]["sha"] = tip
                moved = True
        return data if moved else None


class Commits:
    """``GET …/pulls/N/commits`` tells no authors, and begins with the base's own commit."""

    name = "pull-commits"

    def __call__(self, ask: Callable[[str], Any], exchange: Exchange) -> Any | None:
        """Give the commits between the two branches, with the accounts that GitHub would name."""
        found = re.fullmatch(r"(/repos/[^/]+/[^/]+)/pulls/([0-9]+)/commits", exchange.path)
        if exchange.method != "GET" or exchange.status != 200 or not found:
            return None
        pull = ask(f"{found[1]}/pulls/{found[2]}")
        head = _tip(ask, found[1], pull) or pull["head"]["sha"]
        commits = ask(f"{found[1]}/compare/{pull['base']['sha']}...{head}").get("commits")
        return commits if commits and commits != json.loads(exchange.response_body) else None


class CommentList:
    """``GET …/issues/comments`` is taken for an issue called "comments" and answers 404."""

    name = "comment-list"

    def __call__(self, ask: Callable[[str], Any], exchange: Exchange) -> Any | None:
        """Give the comments of all pull requests that were updated since; each is a pull request's."""
        found = re.fullmatch(r"(/repos/[^/]+/[^/]+)/issues/comments", exchange.path)
        if exchange.method != "GET" or exchange.status != 404 or not found:
            return None
        since = parse_qs(exchange.query)["since"][0]
        pulls = ask(f"{found[1]}/pulls?state=all&per_page=100")
        lists = (ask(f"{found[1]}/issues/{pull['number']}/comments?per_page=100") for pull in pulls)
        comments = [one for said in lists for one in said if one["updated_at"] >= since]
        for one in comments:
            one["html_url"] = one["html_url"].replace("/issues/", "/pull/")
        return sorted(comments, key=lambda one: one["updated_at"])


class Times:
    """Times have milliseconds, and a new comment may be "updated" one later than created, as if edited."""

    name = "times"

    def __call__(self, ask: Callable[[str], Any], exchange: Exchange) -> Any | None:
        """Give comments with times in whole seconds, those of an unedited comment equal."""
        del ask
        if exchange.method != "GET" or exchange.status != 200 or not _COMMENTS.fullmatch(exchange.path):
            return None
        data = json.loads(exchange.response_body)
        before = json.dumps(data)
        for comment in data:
            created, updated = (datetime.fromisoformat(comment[k]) for k in ("created_at", "updated_at"))
            edited = updated - created > timedelta(seconds=0.2)
            comment["created_at"] = f"{created:%Y-%m-%dT%H:%M:%SZ}"
            comment["updated_at"] = f"{updated:%Y-%m-%dT%H:%M:%SZ}" if edited else comment["created_at"]
        return data if json.dumps(data) != before else None


def _tip(ask: Callable[[str], Any], repository: str, pull: Any) -> str | None:
    ref = ask(f"{repository}/git/ref/heads/{quote(pull['head']['ref'])}")
    return ref["object"]["sha"] if ref and "object" in ref else None


OF_WEBHOOKS = ("comment-on-pull", "pull-number")


def webhook(event: str, payload: Any) -> tuple[str, ...]:
    """Add to a payload what GitHub's has and the bot relies on; give the names of what was added."""
    mended = []
    issue = payload.get("issue")
    # Every number of the story is a pull request's: the emulator's payload does not tell them apart.
    if event == "issue_comment" and issue is not None and "pull_request" not in issue:
        issue["pull_request"] = {"url": issue["url"].replace("/issues/", "/pulls/")}
        mended.append("comment-on-pull")
    if event == "pull_request" and "number" not in payload:
        payload["number"] = payload["pull_request"]["number"]
        mended.append("pull-number")
    return tuple(mended)
