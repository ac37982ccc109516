"""What the sandbox's pages show, as values, apart from where it comes from.

Times are aware and in UTC. Text is as people wrote it, untrusted; only fields of
type ``Markup`` are HTML already, and all of them come from ``bot.sandbox.markdown``.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from zlib import crc32

if TYPE_CHECKING:
    from datetime import datetime

    from markupsafe import Markup

    from bot.sandbox.pages_diff import FileTable

State = Literal["open", "draft", "merged", "closed"]

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
HUES = 8  # colours of avatars, one class each in the style sheet
_WORDS = {
    "success": "Successful",
    "failure": "Failing",
    "neutral": "Neutral",
    "cancelled": "Cancelled",
    "skipped": "Skipped",
    "timed_out": "Timed out",
    "action_required": "Action required",
    "stale": "Stale",
    "pending": "Pending",
}
_SHORTEST_SHA = 7


def visible(text: str) -> str:
    """Give text of one line with its control and direction characters shown as their numbers.

    A title that turns the direction of writing around would rewrite the page beside it.
    """
    return "".join(
        f"‹U+{ord(c):04X}›"
        if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and c not in "\t\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
        else c
        for c in text
    )


@dataclass(frozen=True, slots=True)
class Person:
    """An account. ``role`` is GitHub's role name in the repository shown, or empty."""

    login: str
    is_bot: bool = False
    role: str = ""

    @property
    def name(self) -> str:
        """The login as it is shown: without the suffix of Apps, which have a badge instead."""
        return self.login.removesuffix("[bot]")

    @property
    def initial(self) -> str:
        """The letter of the avatar."""
        return (self.name[:1] or "?").upper()

    @property
    def hue(self) -> int:
        """A colour that stays the same for one login."""
        return crc32(self.login.encode()) % HUES

    def may(self, role: str) -> bool:
        """Whether the person has ``role`` or more."""
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Label:
    """A label and its colour, one of ``HUES``."""

    name: str

    @property
    def hue(self) -> int:
        """A colour that stays the same for one name."""
        return crc32(self.name.encode()) % HUES


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository, as the head of its pages names it."""

    owner: str
    name: str
    default_branch: str
    open_pulls: int = 0
    closed_pulls: int = 0
    description: str = ""

    @property
    def full(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class Remark:
    """A check's annotation on lines of a file."""

    path: str
    start: int
    end: int
    level: str
    message: str
    title: str = ""
    check: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A button that a check offers."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check on one commit, or a status (``id`` is 0, ``link`` leads to what it is about).

    ``conclusion`` is ``pending`` until there is one.
    """

    name: str
    conclusion: str
    title: str = ""
    summary: Markup | str = ""
    text: Markup | str = ""
    app: str = ""
    remarks: tuple[Remark, ...] = ()
    started_at: datetime | None = None
    id: int = 0
    actions: tuple[Action, ...] = ()
    link: str = ""

    @property
    def may_run_again(self) -> bool:
        """Whether a person may ask for it again."""
        return self.id > 0 and self.conclusion != "pending"

    @property
    def anchor(self) -> str:
        """A name for links to it."""
        return ("check-" if self.id else "status-") + "".join(c if c.isalnum() else "-" for c in self.name)

    @property
    def word(self) -> str:
        """The conclusion in words."""
        return _WORDS.get(self.conclusion, self.conclusion)


def worst(checks: tuple[CheckRun, ...]) -> str:
    """Give one state for several checks: ``failure``, ``pending``, ``success``, or nothing."""
    states = {check.conclusion for check in checks}
    if states & {"failure", "timed_out", "cancelled", "action_required"}:
        return "failure"
    if "pending" in states:
        return "pending"
    return "success" if states else ""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. ``signed`` earns the badge "Verified"."""

    sha: str
    message: str
    author: Person
    at: datetime
    signed: bool = False
    checks: tuple[CheckRun, ...] = ()
    parents: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The start of the sha."""
        return self.sha[:_SHORTEST_SHA]

    @property
    def headline(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]

    @property
    def rest(self) -> str:
        """The message behind its first line."""
        return self.message.partition("\n")[2].strip("\n")

    @property
    def state(self) -> str:
        """The worst of its checks."""
        return worst(self.checks)


@dataclass(frozen=True, slots=True)
class Reactions:
    """How often one emoji stands under a comment, and from whom."""

    emoji: str
    count: int
    people: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a conversation.

    ``kind`` is ``opened``, ``comment``, ``review``, ``commit``, or an event: ``merged``, ``closed``,
    ``reopened``, ``labeled`` and so on, with ``detail`` (a sha, a label's name, a new title).
    ``review`` is GitHub's state of a review: ``approved``, ``changes_requested``, ``commented``.
    """

    kind: str
    at: datetime
    author: Person
    id: int = 0
    body: Markup | str = ""
    raw: str = ""
    edited: bool = False
    reactions: tuple[Reactions, ...] = ()
    commit: Commit | None = None
    review: str = ""
    detail: str = ""

    @property
    def label(self) -> Label:
        """The label of ``labeled`` and ``unlabeled``."""
        return Label(self.detail)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request, as a row of a list and as the head of its own pages.

    ``head_label`` is the branch, with the owner in front where it is a fork's.
    ``mergeable`` is ``None`` while it is not known.
    """

    number: int
    title: str
    state: State
    author: Person
    created_at: datetime
    head_label: str
    head_sha: str
    base: str
    fork: bool = False
    locked: bool = False
    labels: tuple[Label, ...] = ()
    comments: int = 0
    checks: tuple[CheckRun, ...] = ()
    mergeable: bool | None = None
    closed_at: datetime | None = None
    merged_by: Person | None = None
    merge_sha: str = ""

    @property
    def check_state(self) -> str:
        """The worst of the head's checks."""
        return worst(self.checks)


@dataclass(frozen=True, slots=True)
class Share:
    """One target of a traffic block: a name, its percent, and its tag."""

    name: str
    percent: int
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The split of one service, as its manifest reads."""

    service: str
    path: str
    shares: tuple[Share, ...]

    @property
    def bars(self) -> tuple[tuple[Share, int], ...]:
        """The shares that carry weight, each with where its bar begins, in percent."""
        placed: list[tuple[Share, int]] = []
        begin = 0
        for share in self.shares:
            if share.percent > 0:
                placed.append((share, begin))
                begin += share.percent
        return tuple(placed)

    def colour_of(self, share: Share) -> int:
        """Give grey to the stable target, canary yellow to the candidate, others to the rest."""
        if share.tag == "candidate":
            return 1
        first = next((one for one in self.shares if one.percent > 0), share)
        if share is first or share.tag == "current":
            return 0
        return 2 + self.shares.index(share) % 2


@dataclass(frozen=True, slots=True)
class PullPage:
    """All that the four tabs of a pull request show."""

    pull: Pull
    entries: tuple[Entry, ...]
    commits: tuple[Commit, ...]
    files: tuple[FileTable, ...]
    traffic: tuple[tuple[Traffic | None, Traffic | None], ...] = ()

    @property
    def participants(self) -> tuple[Person, ...]:
        """Who said or did something, in the order of appearance, each once."""
        seen = {entry.author.login: entry.author for entry in reversed(self.entries)}
        return tuple(seen[login] for login in dict.fromkeys(entry.author.login for entry in self.entries))

    def remarks_of(self, path: str) -> tuple[Remark, ...]:
        """Give the checks' remarks on a file."""
        return tuple(one for check in self.pull.checks for one in check.remarks if one.path == path)

    @property
    def remarks_elsewhere(self) -> tuple[Remark, ...]:
        """The checks' remarks on files that the pull request does not change."""
        paths = {file.path for file in self.files}
        return tuple(one for check in self.pull.checks for one in check.remarks if one.path not in paths)

    @property
    def additions(self) -> int:
        """Lines added over all files."""
        return sum(file.additions for file in self.files)

    @property
    def deletions(self) -> int:
        """Lines removed over all files."""
        return sum(file.deletions for file in self.files)
