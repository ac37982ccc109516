"""Where the sandbox may differ from recordings, and why. No entry may be unused: a test takes each away.

Places and keys are those of ``recorded_shapes``; ``where`` is an operation (``GET /app``) or an event
(``push``, ``issue_comment/created``), as a regular expression that must match the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tolerated:
    """Keys that one side may lack at a place. ``keys`` empty: whatever the keys, they are data, not shape."""

    where: str
    place: str
    keys: tuple[str, ...]
    reason: str

    def covers(self, where: str, place: str, key: str) -> bool:
        """Tell whether this entry speaks of a difference."""
        return bool(
            re.fullmatch(self.where, where)
            and re.fullmatch(self.place, place)
            and (not self.keys or key in self.keys)
        )


KEYS = (
    Tolerated(
        r"(GET|POST) /app/installations/.*|GET /repos/.+/installation|.*check.(run|suite).*",
        r"(.*\bapp\.)?permissions",
        (),
        "an App has the permissions that its owner chose",
    ),
    Tolerated(
        r"POST /app/installations/\{id:int\}/access_tokens",
        r"",
        ("repositories",),
        "no recorded token was narrowed to repositories",
    ),
    Tolerated(
        r"GET /installation/repositories|GET /repos/.+/pulls/\{number:int\}",
        r"repositories\[\]|(base|head)\.repo",
        ("has_pull_requests", "pull_request_creation_policy"),
        "GitHub sends it since March 2026, as other recordings show",
    ),
    Tolerated(
        r"GET /repos/.+/issues",
        r"\[\]",
        ("pinned_comment",),
        "GitHub sends it since June 2026, as a recording of one issue shows",
    ),
    Tolerated(
        r"GET /repos/.+/issues/\{number:int\}",
        r"",
        ("draft",),
        "sent of a pull request; the recorded ones are plain issues",
    ),
    Tolerated(
        r"GET /installation/repositories",
        r"repositories\[\]\.owner",
        ("user_view_type",),
        "GitHub sends it of all accounts in newer recordings",
    ),
    Tolerated(
        r"GET /app/installations",
        r"\[\]|\[\]\.account",
        ("client_id", "user_view_type"),
        "GitHub describes the entries of this list by an older copy of its schema; one installation has the key",
    ),
    Tolerated(
        r"ping",
        r"|hook",
        ("organization", "sender", "ping_url", "url"),
        "all examples are hooks of an organisation or a repository; the hook of an App has neither",
    ),
    Tolerated(
        r"issue_comment/created",
        r"issue",
        ("draft",),
        "GitHub stopped to send it for issues that are no pull request; a recording of 2026 has none",
    ),
)


@dataclass(frozen=True, slots=True)
class Status:
    """Statuses of recordings that the sandbox does not answer with."""

    where: str
    statuses: tuple[int, ...]
    reason: str

    def covers(self, where: str, status: int) -> bool:
        """Tell whether this entry speaks of a status of an operation."""
        return bool(re.fullmatch(self.where, where)) and status in self.statuses


STATUSES = (
    Status(
        r"GET /repos/\{owner\}/\{repo\}",
        (301,),
        "repositories of the sandbox are never renamed",
    ),
    Status(
        r"GET /repos/\{owner\}/\{repo\}/contents/\{path:path\}",
        (302,),
        "asked for a path with a slash at its end, which GitHub redirects; the bot never does",
    ),
    Status(
        r"GET /repos/\{owner\}/\{repo\}/issues",
        (204,),
        "the client's makers edited this recording to have no first page",
    ),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recorded refusal that the sandbox does not know, by the words of its message."""

    message: str
    reason: str

    def covers(self, message: str) -> bool:
        """Tell whether this entry speaks of a message."""
        return re.fullmatch(self.message, message, re.DOTALL) is not None


REFUSALS = (
    Refusal(
        r"Max number of login attempt exceeded|Must specify two-factor authentication OTP code\.",
        "the sandbox has no passwords",
    ),
    Refusal(
        r"Missing or invalid User Agent string\..*",
        "every client of the bot names itself; the sandbox does not look",
    ),
    Refusal(
        r"",
        "an outage, or made up by the client's makers to test repetitions: no message of the API",
    ),
    Refusal(
        r"API Rate Limit Exceeded for [\d.]+",
        "the limit of unsigned requests in 2013; today's words are played as a fault, of which there is no recording",
    ),
    Refusal(
        r"You cannot pass both `assignee` and `assignees`\. Only one may be provided\.",
        "issues of the sandbox have no assignees",
    ),
)
