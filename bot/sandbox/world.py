"""The sandbox's state of the world, changed by persons (here) and by programs (over HTTP).

Everything a visitor of GitHub could do is a method of ``World``; repositories are named
``owner/name``, people by login. A refusal is an ``ApiError`` with GitHub's status and words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from bot.ports import Role
    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import (
        Account,
        App,
        CheckRun,
        Comment,
        Commit,
        Entry,
        FileDiff,
        Issue,
        MergeMethod,
        Pull,
        Repository,
        Review,
        ReviewState,
    )


class World:
    """Accounts, repositories and everything on them. Safe to share between threads."""

    clock: SandboxClock

    @classmethod
    def create(cls, clock: SandboxClock | None = None, root: Path | None = None) -> World:
        """Make an empty world.

        Args:
            clock: The time; the machine's by default.
            root: An existing folder for the git repositories; a temporary one, removed by
                ``close``, by default.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Stop the webhooks and remove a temporary folder."""
        raise NotImplementedError

    # accounts and repositories -------------------------------------------------------

    def add_user(self, login: str, *, name: str = "") -> Account:
        """Add a person."""
        raise NotImplementedError

    def account(self, login: str) -> Account:
        """Find an account, also ``slug[bot]``. Raises ``ApiError`` 404."""
        raise NotImplementedError

    def users(self) -> list[Account]:
        """Give the people, in the order in which they were added."""
        raise NotImplementedError

    def token(self, login: str) -> str:
        """Give a person's access token for the API (``ghp_...``)."""
        raise NotImplementedError

    def create_repository(
        self,
        full_name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        private: bool = False,
        by: str | None = None,
    ) -> Repository:
        """Create a repository with one commit on ``main`` that holds ``files``.

        The owner becomes an organisation when there is no such account. ``by`` writes the commit
        and has the role admin; the owner, when it is a person, has it anyway.
        """
        raise NotImplementedError

    def import_repository(self, full_name: str, path: Path, *, by: str | None = None) -> Repository:
        """Create a repository as a copy of a git work tree or bare repository.

        The copy has the branches; changed and new text files of a work tree come on top of its
        current branch as one commit. ``path`` is only read.

        Raises:
            ValueError: ``path`` is no git repository, or has no commit.
        """
        raise NotImplementedError

    def repositories(self) -> list[Repository]:
        """Give all repositories, oldest first."""
        raise NotImplementedError

    def repository(self, full_name: str) -> Repository:
        """Find a repository. Raises ``ApiError`` 404."""
        raise NotImplementedError

    def set_role(self, repo: str, login: str, role: Role | str) -> None:
        """Give a person a role; ``Role.NONE`` takes it away."""
        raise NotImplementedError

    def role_of(self, repo: str, login: str) -> Role:
        """Give a person's role; on a public repository at least read."""
        raise NotImplementedError

    def fork(self, repo: str, *, by: str) -> Repository:
        """Fork a repository into ``by``'s account (there again: the fork that is there)."""
        raise NotImplementedError

    def delete_repository(self, repo: str) -> None:
        """Delete a repository; pull requests from it stay, with no head repository."""
        raise NotImplementedError

    # Apps and webhooks -----------------------------------------------------------------

    def create_app(
        self,
        slug: str,
        webhook_secret: str,
        *,
        permissions: Mapping[str, str] | None = None,
        events: Sequence[str] | None = None,
    ) -> App:
        """Register an App with a fresh key; the bot's least permissions and events by default."""
        raise NotImplementedError

    def install(self, app: App, repo: str) -> int:
        """Install an App on a repository (one installation for each owner); give its id."""
        raise NotImplementedError

    def set_webhook(self, app: App, url: str | None) -> None:
        """Say where an App's deliveries go; with ``None`` they are only logged."""
        raise NotImplementedError

    # files and history -------------------------------------------------------------------

    def read(self, repo: str, ref: str, path: str) -> bytes:
        """Give a file's content at a branch or sha. Raises ``ApiError`` 404."""
        raise NotImplementedError

    def tip(self, repo: str, branch: str) -> str | None:
        """Give the sha of a branch, ``None`` when there is no such branch."""
        raise NotImplementedError

    def branches(self, repo: str) -> dict[str, str]:
        """Give all branches with their shas, by name."""
        raise NotImplementedError

    def files(self, repo: str, ref: str) -> list[str]:
        """Give the paths of all files at a branch or sha, sorted."""
        raise NotImplementedError

    def log(self, repo: str, ref: str, *, path: str | None = None, limit: int = 100) -> list[Commit]:
        """Give the history, newest first."""
        raise NotImplementedError

    def commit(
        self, repo: str, branch: str, changes: Mapping[str, bytes | None], message: str, *, by: str
    ) -> str:
        """Commit and push as a person (needs write); ``None`` deletes a file. Gives the sha."""
        raise NotImplementedError

    def create_branch(self, repo: str, branch: str, *, at: str | None = None, by: str | None = None) -> str:
        """Create a branch at a sha or branch (the default branch's tip by default); give its sha."""
        raise NotImplementedError

    def delete_branch(self, repo: str, branch: str, *, by: str) -> None:
        """Delete a branch; open pull requests from it are closed."""
        raise NotImplementedError

    # pull requests -------------------------------------------------------------------------

    def open_pull(
        self,
        repo: str,
        head: str,
        base: str,
        title: str,
        body: str = "",
        *,
        by: str,
        fork: str | None = None,
        draft: bool = False,
    ) -> Pull:
        """Open a pull request from branch ``head``, of the fork ``owner/name`` when given."""
        raise NotImplementedError

    def pull(self, repo: str, number: int) -> Pull:
        """Find a pull request. Raises ``ApiError`` 404."""
        raise NotImplementedError

    def pulls(self, repo: str, *, state: str = "all") -> list[Pull]:
        """Give pull requests of a state (``open``, ``closed``, ``all``), newest first."""
        raise NotImplementedError

    def mergeable(self, repo: str, number: int) -> bool | None:
        """Tell whether head and base merge without a conflict; ``None`` when closed."""
        raise NotImplementedError

    def merge(
        self,
        repo: str,
        number: int,
        *,
        by: str,
        method: MergeMethod = "merge",
        sha: str | None = None,
        title: str | None = None,
        message: str | None = None,
    ) -> str:
        """Merge (needs write) and give the sha. Raises ``ApiError`` 405, 409, 403."""
        raise NotImplementedError

    def close_pull(self, repo: str, number: int, *, by: str) -> None:
        """Close without merging (the author, or triage)."""
        raise NotImplementedError

    def reopen(self, repo: str, number: int, *, by: str) -> None:
        """Open a closed one again. Raises ``ApiError`` 422 when merged or the branch is gone."""
        raise NotImplementedError

    def diff(self, repo: str, number: int) -> list[FileDiff]:
        """Give what the pull request changes, file by file."""
        raise NotImplementedError

    def commits_of(self, repo: str, number: int) -> list[Commit]:
        """Give the commits of the pull request, oldest first."""
        raise NotImplementedError

    def timeline(self, repo: str, number: int) -> list[Entry]:
        """Give the conversation in order: opening, comments, reviews, commits, merge, closing."""
        raise NotImplementedError

    # conversation ---------------------------------------------------------------------------

    def open_issue(self, repo: str, title: str, body: str = "", *, by: str) -> Issue:
        """Open an issue that is no pull request."""
        raise NotImplementedError

    def comment(self, repo: str, number: int, body: str, *, by: str) -> Comment:
        """Comment on a pull request or issue."""
        raise NotImplementedError

    def edit_comment(self, repo: str, comment_id: int, body: str, *, by: str) -> Comment:
        """Change a comment (the author, or write)."""
        raise NotImplementedError

    def delete_comment(self, repo: str, comment_id: int, *, by: str) -> None:
        """Delete a comment (the author, or write)."""
        raise NotImplementedError

    def review(
        self, repo: str, number: int, body: str = "", state: ReviewState = "COMMENTED", *, by: str
    ) -> Review:
        """Submit a review; ``state`` is APPROVED, CHANGES_REQUESTED or COMMENTED."""
        raise NotImplementedError

    def react(self, repo: str, comment_id: int, content: str, *, by: str) -> None:
        """React to a comment; the same reaction again changes nothing."""
        raise NotImplementedError

    def lock(self, repo: str, number: int, *, locked: bool = True) -> None:
        """Lock a conversation for all but people with write."""
        raise NotImplementedError

    def add_labels(self, repo: str, number: int, names: Sequence[str], *, by: str) -> None:
        """Add labels; new ones are created."""
        raise NotImplementedError

    # checks ------------------------------------------------------------------------------------

    def checks(self, repo: str, sha: str) -> list[CheckRun]:
        """Give the latest check run of each App and name on a commit."""
        raise NotImplementedError

    def rerequest_check(self, repo: str, check_id: int, *, by: str) -> None:
        """Press "Re-run" on a check: its App is told."""
        raise NotImplementedError

    def seen_at(self) -> datetime:
        """Give the time of the world, whole seconds."""
        raise NotImplementedError
