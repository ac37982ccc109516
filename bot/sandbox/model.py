"""The sandbox's records: accounts, repositories, pull requests and what is said on them.

Plain mutable records, changed only by ``World`` under its lock. Times are aware, in UTC, with
whole seconds, as in GitHub's API. All ids come from one counter, so a later object has a
larger id whatever its kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.ports import Role
    from bot.sandbox.git import Git
    from bot.sandbox.teams import Team

ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
StatusState = Literal["error", "failure", "pending", "success"]
MergeMethod = Literal["merge", "squash", "rebase"]


@dataclass(slots=True)
class Account:
    """A person, an organisation, or the bot account of an App (``app_id`` is set then)."""

    id: int
    login: str
    name: str
    kind: Literal["User", "Organization", "Bot"]
    created_at: datetime
    app_id: int | None = None

    @property
    def email(self) -> str:
        """The address that GitHub writes into commits made on its site."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(slots=True)
class App:
    """A GitHub App with the permissions and events that its owner chose.

    ``private_key_pem`` signs its JWTs; ``bot`` is the account that its comments carry.
    """

    id: int
    slug: str
    name: str
    owner: Account
    bot: Account
    private_key_pem: str
    public_key_pem: str
    webhook_secret: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    created_at: datetime
    hook_id: int
    client_id: str
    webhook_url: str | None = None


@dataclass(slots=True)
class Installation:
    """An App on one account, with the repositories that were chosen."""

    id: int
    app: App
    account: Account
    repository_ids: set[int]
    created_at: datetime
    suspended_at: datetime | None = None


@dataclass(slots=True)
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str = ""


@dataclass(slots=True)
class Reaction:
    """A reaction on a comment; one of each content for each account."""

    id: int
    content: str
    user: Account
    created_at: datetime


@dataclass(slots=True)
class Comment:
    """A comment of a conversation. ``app`` is set when an App wrote it."""

    id: int
    number: int
    author: Account
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True)
class Review:
    """A submitted review of the commit ``sha``."""

    id: int
    number: int
    author: Account
    body: str
    state: ReviewState
    sha: str
    submitted_at: datetime


@dataclass(slots=True)
class CheckRun:
    """A check run. ``output`` holds title, summary, text and annotations, as sent."""

    id: int
    name: str
    sha: str
    app: App
    status: Literal["queued", "in_progress", "completed"]
    conclusion: str | None
    started_at: datetime
    completed_at: datetime | None
    output: dict[str, Any]
    external_id: str = ""
    details_url: str | None = None
    actions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The remarks on lines, all batches together."""
        return list(self.output.get("annotations") or [])


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """A status of the commit ``sha``; a later one of the same context takes its place."""

    id: int
    sha: str
    state: StatusState
    context: str
    description: str | None
    target_url: str | None
    creator: Account
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """How a deployment went; the newest counts."""

    id: int
    state: str
    description: str
    creator: Account
    created_at: datetime


@dataclass(slots=True)
class Deployment:
    """A request to bring the commit ``sha`` to an environment. ``statuses`` are in the order of their coming."""

    id: int
    sha: str
    ref: str
    environment: str
    description: str | None
    creator: Account
    created_at: datetime
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(slots=True)
class CheckSuite:
    """All check runs of an App on a commit. ``rerequested`` until the App reports again."""

    id: int
    app: App
    sha: str
    created_at: datetime
    rerequested: bool = False


TimelineKind = Literal[
    "opened",
    "comment",
    "review",
    "commit",
    "force-pushed",
    "merged",
    "closed",
    "reopened",
    "renamed",
    "labeled",
    "unlabeled",
    "head-deleted",
]


@dataclass(slots=True)
class Entry:
    """One entry of a conversation, in the order in which things happened.

    ``text`` is the body of the opening, a comment or a review, the message of a commit, the
    name of a label, or the new title. ``sha`` is set for commits, merges and force pushes.
    ``comment`` and ``review`` are the records themselves for those two kinds.
    """

    kind: TimelineKind
    at: datetime
    actor: Account | None
    text: str = ""
    sha: str | None = None
    comment: Comment | None = None
    review: Review | None = None


@dataclass(slots=True)
class Issue:
    """A conversation with a number. A pull request is one with branches."""

    id: int
    number: int
    title: str
    body: str | None
    author: Account
    created_at: datetime
    updated_at: datetime
    state: Literal["open", "closed"] = "open"
    closed_at: datetime | None = None
    closed_by: Account | None = None
    locked: bool = False
    labels: list[Label] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    timeline: list[Entry] = field(default_factory=list)
    app: App | None = None


@dataclass(frozen=True, slots=True)
class AutoMerge:
    """A pull request that GitHub merges as soon as the rules let it; ``who`` set it so."""

    who: Account
    method: MergeMethod
    title: str | None
    message: str | None


@dataclass(slots=True, kw_only=True)
class Pull(Issue):
    """A pull request.

    ``head_repository`` is ``None`` when the fork was deleted; ``head_owner`` keeps its owner.
    ``base_sha`` is the base branch's tip when the head last moved, as GitHub shows it: it may be
    behind the branch. ``compared_with`` is the base branch's tip before the merge or at the closing.
    ``merge_commit_sha`` is the merge when merged.
    """

    head_repository: Repository | None
    head_owner: Account
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None
    compared_with: str | None = None
    reviews: list[Review] = field(default_factory=list)
    asked: list[Account] = field(default_factory=list)
    asked_teams: list[Team] = field(default_factory=list)
    maintainer_can_modify: bool = False
    auto_merge: AutoMerge | None = None

    @property
    def merged(self) -> bool:
        """Whether it was merged."""
        return self.merged_at is not None


@dataclass(slots=True)
class Repository:
    """A repository: settings and conversations here, files and history in ``git``."""

    id: int
    owner: Account
    name: str
    private: bool
    git: Git
    created_at: datetime
    pushed_at: datetime
    default_branch: str = "main"
    parent: Repository | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    checks: list[CheckRun] = field(default_factory=list)
    statuses: list[CommitStatus] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    last_number: int = 0
    allow_auto_merge: bool = False
    merge_methods: tuple[MergeMethod, ...] = ("merge", "squash", "rebase")
    delete_branch_on_merge: bool = False
    workflows_open_pulls: bool = True

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner.login}/{self.name}"

    @property
    def pulls(self) -> list[Pull]:
        """The pull requests, oldest first."""
        return [issue for issue in self.issues.values() if isinstance(issue, Pull)]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as git holds it. ``message`` is whole; times are aware, as written by the author."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: datetime
    committer_name: str
    committer_email: str
    committed_at: datetime
    message: str
    signature: str | None = None
    payload: str | None = None

    @property
    def verified(self) -> bool:
        """Whether GitHub (here: the sandbox) signed it."""
        return self.signature is not None


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a pull request or a commit does to one file.

    ``patch`` is the unified diff from its first ``@@``, lines ended by LF (a CR of the file is
    kept); ``None`` for binary files and pure renames. ``blob`` is the new blob, or the old one
    of a removed file.
    """

    path: str
    status: Literal["added", "removed", "modified", "renamed", "copied", "changed", "unchanged"]
    blob: str
    additions: int
    deletions: int
    patch: str | None
    previous_path: str | None = None
