"""What the bot needs from outside, in the bot's own words.

Everything here is values and protocols; GitHub's vocabulary ends in the adapter.
Times are aware and in UTC. A method that cannot reach the other side raises
``bot.core.problems.OutsideFailure``; the exceptions below are answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from bot.core.checks import Button as Button  # noqa: PLC0414, TC001 - defined where the core can use it
from bot.core.permissions import Role as Role  # noqa: PLC0414, TC001 - defined where the core can use it
from bot.core.permissions import State as State  # noqa: PLC0414, TC001 - defined where the core can use it
from bot.core.subject import Subject as Subject  # noqa: PLC0414, TC001 - defined where the core can use it

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.core.gates import Gate, Verdict
    from bot.core.live import Wanted
    from bot.core.promql import Values
    from bot.core.signals import Signal


class Reaction(StrEnum):
    """The reactions the bot puts on a comment."""

    SEEN = "eyes"
    DONE = "rocket"
    ALREADY = "+1"
    DECLINED = "-1"
    NOT_UNDERSTOOD = "confused"


@dataclass(frozen=True, slots=True)
class Actor:
    """An account. ``is_bot`` is GitHub's account type ``Bot``."""

    id: int
    login: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a login now, and with which role.

    ``id`` is the account's, 0 where nobody here is called so; ``role`` is ``None`` where GitHub's answer means none
    that is known.
    """

    id: int
    role: Role | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A submitted review, with or without words: what it says of which commit."""

    id: int
    author: Actor
    state: State
    head: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a pull request's conversation, the body of a submitted review, or a button pressed.

    A button's ``body`` is the command that it stands for, and its ``id`` that of the press. ``ours`` is
    true only when this App wrote it (author id and App id), never because of its text. ``edited`` is
    true when the text changed after creation.
    """

    id: int
    kind: Literal["comment", "review", "button"]
    author: Actor
    body: str
    created_at: datetime
    ours: bool = False
    edited: bool = False
    url: str = ""


MergeMethod = Literal["merge", "squash", "rebase"]


@dataclass(frozen=True, slots=True)
class AutoMerge:
    """GitHub merges the pull request by itself when its rules let it. ``ours`` is true when this App said so."""

    by: Actor
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Merging:
    """How GitHub would merge an open pull request now.

    ``queue`` says that the base branch has a merge queue, ``position`` is the place in it, counted from 1.
    ``blocked`` says that a rule is not met, such as a check or a review that is missing. ``methods`` are allowed
    by the repository and by the branch's rules, the one to be preferred first.
    """

    head_sha: str
    queue: bool = False
    position: int | None = None
    auto_merge: bool = False
    blocked: bool = False
    methods: tuple[MergeMethod, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """A pull request in a merge queue: its commit ``head_sha`` on top of ``base_sha``, empty before there is one."""

    number: int
    base_sha: str
    head_sha: str


@dataclass(frozen=True, slots=True)
class QueueBranch:
    """The branch of a commit in a merge queue, for ``number`` into ``base`` on top of ``base_sha``."""

    sha: str
    base: str
    number: int
    base_sha: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request. ``ours`` is true when this App opened it. ``node`` is its id in GraphQL.

    ``head_repository`` is ``owner/name``, or ``None`` when the fork is gone.
    ``mergeable`` is ``None`` while GitHub has not worked it out.
    """

    number: int
    title: str
    body: str
    state: Literal["open", "closed"]
    author: Actor
    ours: bool
    head_ref: str
    head_sha: str
    head_repository: str | None
    from_fork: bool
    base_ref: str
    base_sha: str
    url: str
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    locked: bool = False
    merged: bool = False
    merged_at: datetime | None = None
    merged_by: Actor | None = None
    merge_sha: str | None = None
    mergeable: bool | None = None
    labels: tuple[str, ...] = ()
    node: str = ""
    auto_merge: AutoMerge | None = None


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that a pull request changes. ``blob`` is the blob's sha at the head."""

    path: str
    status: str
    blob: str | None = None
    previous_path: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file at a commit, with the sha of its blob."""

    path: str
    content: bytes
    blob: str


@dataclass(frozen=True, slots=True)
class OrganisationFile:
    """A file of an organisation's ``.github`` repository, at a commit: the last that changed it, or the one asked for.

    ``sha`` is the commit's, in full.
    """

    sha: str
    content: bytes


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A plain file of a commit, without its content. ``blob`` names the content, ``size`` is in bytes."""

    path: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The plain files of a commit, in no special order: no links, no submodules, no folders.

    ``truncated`` says that there are more than the other side lists at once.
    """

    files: tuple[TreeFile, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. ``ours`` is true when GitHub attributes it to this App.

    ``people`` are the accounts of its author and its committer, GitHub's own left out; ``strangers`` the names in it
    that no account belongs to.
    """

    sha: str
    message: str
    at: datetime
    author: str = ""
    ours: bool = False
    parents: tuple[str, ...] = ()
    people: tuple[Actor, ...] = ()
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Landed:
    """A commit of a base branch. ``paths`` differ from its first parent: both names of a file that was renamed."""

    parents: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is in one commit and not in another, since the commit that both go back to.

    ``commits`` are oldest first, at most 250, ``paths`` at most 300: GitHub lists no more.
    """

    fork_point: str
    commits: tuple[Commit, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on lines of a file, shown by a check. Lines count from 1, and so does ``column``, of one line."""

    path: str
    start_line: int
    end_line: int
    level: Literal["notice", "warning", "failure"]
    message: str
    title: str = ""
    column: int | None = None


CheckConclusion = Literal["success", "failure", "neutral", "action_required", "cancelled"]


@dataclass(frozen=True, slots=True)
class Check:
    """The state of one check on one commit; ``conclusion`` is ``None`` while it is pending.

    ``actions`` are its buttons, at most ``bot.core.checks.MOST_BUTTONS``; they are written and cannot be
    read back, but other buttons lead to a write. ``stamp`` is up to eight letters or digits that stay
    with the check until another stamp comes.
    """

    name: str
    conclusion: CheckConclusion | None
    title: str
    summary: str
    text: str = ""
    annotations: tuple[Annotation, ...] = field(default=())
    external_id: str = ""
    actions: tuple[Button, ...] = field(default=())
    stamp: str = ""


class Moved(Exception):  # noqa: N818 - an answer
    """The branch, file or pull request is not what the write was planned on (409 and 422 of a ref)."""


class Exists(Exception):  # noqa: N818 - an answer
    """The object to be created is there already (422)."""


class Missing(Exception):  # noqa: N818 - an answer
    """The object is not there, or not visible to the App (404)."""


class Refused(Exception):  # noqa: N818 - an answer
    """GitHub understood and refuses: protection, ruleset, not mergeable, no permission (403, 405, 422).

    The message is GitHub's own and untrusted.
    """


class Signals(Protocol):
    """What others say on a commit of one repository."""

    def checks_of(self, sha: str, *, statuses: bool = True) -> tuple[Signal, ...]:
        """Give the latest check runs of all Apps, and with ``statuses`` the latest commit status of each context.

        Raises ``OutsideFailure``, and ``Missing`` or ``Refused`` where the App may not read them.
        """
        ...

    def deployment_of(self, sha: str, environment: str) -> Signal | None:
        """Give the state of the newest deployment of a commit to an environment; raises the same."""
        ...


class Repository(Signals, Protocol):
    """One repository, seen and changed as this App. Not to be shared between threads.

    Reads are never older than the call. Writes are sent once: a caller that sees
    ``OutsideFailure`` looks again before it writes again.
    """

    @property
    def name(self) -> str:
        """``owner/name``."""
        ...

    @property
    def default_branch(self) -> str:
        """The name of the default branch."""
        ...

    @property
    def web_url(self) -> str:
        """The address of the repository's page, without a slash at its end."""
        ...

    @property
    def starts_workflows(self) -> bool:
        """Whether workflows start on what the bot pushes and opens here."""
        ...

    # reading -----------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """Raises ``Missing``."""
        ...

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Give the conversation's comments, oldest first, all pages."""
        ...

    def reviews(self, number: int) -> tuple[Comment, ...]:
        """Give the submitted reviews with a body, oldest first (``kind="review"``)."""
        ...

    def changed_files(self, pull: Pull) -> tuple[ChangedFile, ...]:
        """Give the files that the pull request changes. Cached by head and base sha."""
        ...

    def reviewed(self, number: int) -> tuple[Reviewed, ...]:
        """Give what all submitted reviews say, oldest first."""
        ...

    def role_of(self, login: str) -> Holder:
        """Give who has that login, and the role by ``role_name``; unknown people have ``Role.NONE``."""
        ...

    def in_team(self, team: str, login: str) -> bool | None:
        """Say whether somebody is an active member of ``org/slug``, child teams included.

        ``None`` where this App may not know.
        """
        ...

    def tip(self, branch: str) -> str | None:
        """Give the sha of a branch, ``None`` when there is no such branch."""
        ...

    def file(self, path: str, sha: str) -> File | None:
        """Give a file at a commit (a full sha, cached: it cannot change), ``None`` when absent.

        A link, directory or submodule raises ``Refused``.
        """
        ...

    def organisation_file(self, path: str, sha: str = "") -> OrganisationFile | None:
        """Give a file of the owner's ``.github`` repository, ``None`` when there is none, or none to be seen.

        Without ``sha`` that of its default branch now; that there is none may be some minutes old. A link, a
        directory, or a repository that may not be read raises ``Refused``.
        """
        ...

    def tree(self, sha: str) -> Tree:
        """Give the plain files of a commit: one request, and none again (a full sha: it cannot change).

        Raises ``Missing``.
        """
        ...

    def blob(self, name: str) -> bytes:
        """Give a content by the name that ``tree`` has for it. Cached, whatever the commit.

        Raises ``Missing``.
        """
        ...

    def history(self, path: str, sha: str, *, limit: int = 30) -> tuple[Commit, ...]:
        """Give the commits that changed ``path``, newest first, reachable from ``sha``. Cached by sha."""
        ...

    def log(self, sha: str, *, limit: int = 100) -> tuple[Commit, ...]:
        """Give the newest commits that ``sha`` brings along, itself first. Cached by sha."""
        ...

    def commits_of(self, number: int) -> tuple[Commit, ...]:
        """Give the commits of a pull request, oldest first (at most 250, GitHub's limit)."""
        ...

    def landed(self, sha: str) -> Landed:
        """Give what a commit changed (a full sha, cached: it cannot change). Raises ``Missing``."""
        ...

    def compare(self, base: str, head: str) -> Comparison:
        """Compare two commits (full shas, cached: they cannot change). Raises ``Missing``."""
        ...

    def queue(self, branch: str) -> tuple[Queued, ...]:
        """Give what waits in the merge queue of a branch, first come first. Raises ``Missing``, ``Refused``."""
        ...

    def queue_branches(self) -> tuple[QueueBranch, ...]:
        """Give the branches of all merge queues, one for each commit that waits for its checks."""
        ...

    def pull_of_commit(self, sha: str) -> Pull | None:
        """Give the merged pull request that brought a commit to its base branch."""
        ...

    def pulls_from(self, branch: str) -> tuple[Pull, ...]:
        """Give this App's pull requests from a branch of this repository, any state, newest first."""
        ...

    def open_pulls(self) -> tuple[Pull, ...]:
        """Give all open pull requests."""
        ...

    def pulls_closed_since(self, when: datetime) -> tuple[Pull, ...]:
        """Give closed pull requests updated since, newest first, at most 100."""
        ...

    def comments_since(self, when: datetime) -> tuple[tuple[int, Comment], ...]:
        """Give (number, comment) of all conversations, updated since, oldest first, at most 300."""
        ...

    def checks(self, sha: str) -> tuple[Check, ...]:
        """Give this App's latest checks on a commit, one for each name."""
        ...

    # writing -----------------------------------------------------------------------

    def commit_file(self, branch: str, file: File, content: bytes, message: str) -> str:
        """Replace a file on a branch if it still is ``file``; give the commit's sha.

        No author is named, so that GitHub signs. Raises ``Moved``, ``Refused``.
        """
        ...

    def commit_on(self, parent: str | None, path: str, content: bytes, message: str) -> str:
        """Make a commit on ``parent`` that no branch names yet; give its sha. The file's mode is kept.

        Without a parent it begins a history of its own, with this file alone.
        """
        ...

    def create_branch(self, name: str, sha: str) -> None:
        """Raises ``Exists``, ``Refused``."""
        ...

    def move_branch(self, name: str, *, old: str, new: str) -> None:
        """Point a branch somewhere else, also backwards, if it still is at ``old``. Raises ``Moved``."""
        ...

    def delete_branch(self, name: str) -> None:
        """Delete a branch; one that is gone already is fine."""
        ...

    def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull:
        """Raises ``Exists`` (there is one, or there is nothing between the branches), ``Refused``."""
        ...

    def edit_pull(self, number: int, *, title: str | None = None, body: str | None = None) -> None:
        """Change title or body."""
        ...

    def close_pull(self, number: int) -> None:
        """Close without merging."""
        ...

    def merge(self, number: int, *, sha: str, title: str, message: str, method: MergeMethod = "merge") -> str:
        """Merge if the head still is ``sha``; give the sha of the commit that it made.

        Raises ``Moved`` (409, and 405 "Base branch was modified"), ``Refused`` (405).
        """
        ...

    def merging(self, pull: Pull) -> Merging:
        """Say how GitHub would merge an open pull request: two requests. Raises ``Missing``, ``Refused``."""
        ...

    def enqueue(self, pull: Pull) -> None:
        """Put a pull request into the merge queue if its head still is that. Raises ``Moved``, ``Refused``."""
        ...

    def dequeue(self, pull: Pull) -> None:
        """Take a pull request out of the merge queue. Raises ``Refused`` where it is not in it."""
        ...

    def enable_auto_merge(self, pull: Pull, *, title: str, message: str, method: MergeMethod) -> None:
        """Let GitHub merge a pull request when its rules are met, if its head still is that.

        Raises ``Moved``, ``Refused``.
        """
        ...

    def disable_auto_merge(self, pull: Pull) -> None:
        """Take that back. Raises ``Refused`` where it is off."""
        ...

    def reply(self, number: int, body: str) -> Comment:
        """Write a comment."""
        ...

    def edit_reply(self, comment_id: int, body: str) -> None:
        """Replace the text of our own comment."""
        ...

    def react(self, comment: Comment, reaction: Reaction) -> None:
        """Put a reaction on a comment; a failure is logged and swallowed. Reviews take none."""
        ...

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Add labels; best effort, as for reactions."""
        ...

    def ask_for_review(self, number: int, people: Sequence[str], teams: Sequence[str] = ()) -> None:
        """Ask people, by login, and teams of the repository's organisation, by slug; best effort, as for labels."""
        ...

    def set_checks(
        self, sha: str, checks: Sequence[Check], *, fresh: bool = False, again: bool = False
    ) -> None:
        """Create or update this App's checks of those names on a commit, in their order.

        What says the same already is left alone. ``fresh`` says that the commit is our own and new, so
        there is nothing to look for; ``again`` that somebody asked for the checks, who is told also what
        has not changed.
        """
        ...


class Forge(Protocol):
    """The place where repositories live, as this App sees it. Safe to share between threads."""

    def repository(self, installation: int, name: str) -> Repository:
        """Give one repository, with a client of its own."""
        ...

    def repositories(self) -> Iterable[tuple[int, str]]:
        """Give (installation, ``owner/name``) of all that the App may see."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """What a gate is asked about: the revisions, and the commit that brought the present weight.

    ``wanted.commits`` begins with that commit.
    """

    values: Values
    wanted: Wanted


class Gates(Protocol):
    """Asks gates. Safe to share between threads."""

    def judge(self, gate: Gate, about: About, at: datetime, signals: Signals) -> Verdict:
        """Ask one gate as of ``at``; every trouble is an inconclusive verdict, none an exception.

        Args:
            gate: What to ask.
            about: What it is asked about.
            at: The moment.
            signals: The repository, for a gate that GitHub answers.
        """
        ...


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Give the time, aware, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook delivery as it came: verified, not parsed."""

    guid: str
    event: str
    body: bytes
    received_at: datetime


class Engine(Protocol):
    """Durable work: deliveries kept until worked on, and subjects to look at when they are due.

    What is kept here can be derived again from GitHub; losing it costs a sweep.
    One subject of a repository is looked at a time.
    """

    def store(self, delivery: Delivery) -> None:
        """Keep a delivery; when this returns it is on disk. The same guid twice is kept once."""
        ...

    def look(self, subject: Subject, *, at: datetime, why: str) -> None:
        """Ask for a look at ``subject`` at that time, or earlier if one is asked for already."""
        ...
