"""Files, branches and commits of the world's repositories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from bot.ports import Role
from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.git import ABSENT, Signed, Stale, TreeEntry
from bot.sandbox.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.sandbox.model import Account, Commit, Repository

FILE_MODES = frozenset({"100644", "100755"})
HEADS = "refs/heads/"


class Code(Tokens):
    """Reading and writing what git holds."""

    # reading -----------------------------------------------------------------------------------

    @locked
    def resolve(self, repo: str, ref: str) -> str:
        """Give the commit that a branch, tag or sha names. Raises ``ApiError`` 404."""
        sha = self.repository(repo).git.resolve(ref)
        if sha is None:
            raise not_found()
        return sha

    @locked
    def entry(self, repo: str, ref: str, path: str) -> TreeEntry:
        """Find a file or folder at a branch or sha. Raises ``ApiError`` 404."""
        sha = self.resolve(repo, ref)
        entry = self.repository(repo).git.entry(sha, path)
        if entry is None:
            raise not_found()
        return entry

    @locked
    def read(self, repo: str, ref: str, path: str) -> bytes:
        """Give a file's content at a branch or sha. Raises ``ApiError`` 404."""
        entry = self.entry(repo, ref, path)
        if entry.kind != "blob":
            raise not_found()
        return self.repository(repo).git.blob(entry.sha)

    @locked
    def tip(self, repo: str, branch: str) -> str | None:
        """Give the sha of a branch, ``None`` when there is no such branch."""
        git = self.repository(repo).git
        return git.ref(HEADS + branch) if git.is_branch_name(branch) else None

    @locked
    def branches(self, repo: str) -> dict[str, str]:
        """Give all branches with their shas, by name."""
        return self.repository(repo).git.refs(HEADS)

    @locked
    def files(self, repo: str, ref: str) -> list[str]:
        """Give the paths of all files at a branch or sha, sorted."""
        git = self.repository(repo).git
        tree = git.tree(git.commit(self.resolve(repo, ref)).tree, recursive=True)
        return sorted(entry.path for entry in tree if entry.kind != "tree")

    @locked
    def log(self, repo: str, ref: str, *, path: str | None = None, limit: int = 100) -> list[Commit]:
        """Give the history, newest first; with ``path`` only what changed it."""
        return self.repository(repo).git.log(self.resolve(repo, ref), path=path, limit=limit)

    # writing -----------------------------------------------------------------------------------

    @locked
    def commit(
        self, repo: str, branch: str, changes: Mapping[str, bytes | None], message: str, *, by: str
    ) -> str:
        """Commit and push as a person (needs write); ``None`` deletes a file. Gives the sha.

        A file keeps its mode; a new one is 100644.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        git = repository.git
        old = self.tip(repo, branch)
        if old is None:
            raise ApiError(404, f"Branch {branch} not found")
        self.check_push(repository, branch, 422, who)
        lines = []
        for path, content in changes.items():
            there = git.entry(old, path)
            mode = there.mode if there is not None and there.mode in FILE_MODES else "100644"
            lines.append((path, mode, None if content is None else git.write_blob(content)))
        tree = git.write_tree(git.commit(old).tree, lines)
        sha = git.write_commit(tree, [old], message, self.signed(who, web=False))
        self.push(repository, branch, sha, old, who)
        return sha

    @locked
    def create_branch(self, repo: str, branch: str, *, at: str | None = None, by: str | None = None) -> str:
        """Create a branch at a sha or branch (the default branch's tip by default); give its sha.

        Raises:
            ApiError: 422 when the branch is there or the name is none; 404 for an unknown ``at``.
        """
        repository = self.repository(repo)
        who = self.account(by) if by is not None else None
        if who is not None:
            self.require(repository, who, Role.WRITE)
        sha = self.resolve(repo, at or repository.default_branch)
        if not repository.git.is_branch_name(branch):
            raise ApiError(422, f"{HEADS}{branch} is not a valid ref name.")
        if self.tip(repo, branch) is not None:
            raise ApiError(422, "Reference already exists")
        self.check_push(repository, branch, 422, who, "creation")
        self.push(repository, branch, sha, ABSENT, who)
        return sha

    @locked
    def move_branch(self, repo: str, branch: str, sha: str, *, force: bool = False, by: str) -> None:
        """Point a branch at another commit.

        Raises:
            ApiError: 422 "Reference does not exist", "Object does not exist", and "Update is not a
                fast forward" without ``force``.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        old = self.tip(repo, branch)
        if old is None:
            raise ApiError(422, "Reference does not exist")
        if repository.git.kind(sha) != "commit":
            raise ApiError(422, "Object does not exist")
        forward = repository.git.is_ancestor(old, sha)
        if not force and not forward:
            raise ApiError(422, "Update is not a fast forward")
        self.check_push(repository, branch, 422, who, "update" if forward else "non_fast_forward")
        self.push(repository, branch, sha, old, who)

    @locked
    def delete_branch(self, repo: str, branch: str, *, by: str) -> None:
        """Delete a branch; open pull requests from it or into it are closed."""
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        old = self.tip(repo, branch)
        if old is None:
            raise ApiError(422, "Reference does not exist")
        if branch == repository.default_branch:
            raise ApiError(422, "Cannot delete the default branch")
        self.check_push(repository, branch, 422, who, "deletion")
        self.push(repository, branch, None, old, who)

    def push(
        self, repository: Repository, branch: str, new: str | None, old: str, who: Account | None
    ) -> None:
        """Move, create or delete a branch from ``old``, and let everything that follows happen.

        Raises:
            ApiError: 409 when the branch is not at ``old``.
        """
        if new == old:
            return
        try:
            if new is None:
                repository.git.delete_ref(HEADS + branch, old)
            else:
                repository.git.update_ref(HEADS + branch, new, old)
        except Stale:
            raise ApiError(409, "Reference update failed") from None
        repository.pushed_at = self.now()
        self.after_push(repository, branch, old, new, who)

    def check_push(
        self,
        repository: Repository,
        branch: str,
        status: int,
        who: Account | None,
        move: Literal["creation", "update", "deletion", "non_fast_forward"] = "update",
    ) -> None:
        """Refuse a direct write that a rule forbids, with ``status``; the parts above know."""

    def after_push(
        self, repository: Repository, branch: str, old: str, new: str | None, who: Account | None
    ) -> None:
        """What a push sets off; the parts above know."""
        raise NotImplementedError

    # the contents API ----------------------------------------------------------------------------

    @locked
    def put_file(
        self,
        repo: str,
        path: str,
        content: bytes | None,
        message: str,
        *,
        branch: str | None,
        blob: str | None,
        by: str,
        author: tuple[str, str] | None = None,
        committer: tuple[str, str] | None = None,
    ) -> tuple[str, TreeEntry | None, bool]:
        """Write or delete (``content`` ``None``) one file as ``PUT`` and ``DELETE .../contents`` do.

        An existing file keeps its mode. Without author and committer GitHub signs the commit.

        Args:
            blob: The sha of the blob to be replaced.

        Returns:
            The commit, the file's new entry (``None``: deleted), and whether the file was there.

        Raises:
            ApiError: 404 no branch, 409 another blob, 422 no sha or a path that is none.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        branch = (branch or repository.default_branch).removeprefix(HEADS)
        git, old = repository.git, self.tip(repo, branch)
        if old is None:
            raise ApiError(404, f"Branch {branch} not found")
        _check_path(path)
        self.check_push(repository, branch, 409, who)
        there = git.entry(old, path)
        if there is not None and there.kind == "tree":
            raise ApiError(422, "path contains a directory")
        if there is None and (blob is not None or content is None):
            raise not_found() if content is None else ApiError(409, f"{path} does not match {blob}")
        if there is not None and blob is None:
            raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
        if there is not None and there.sha != blob:
            raise ApiError(409, f"{path} does not match {blob}")
        # A link that is written to becomes a plain file, as on GitHub.
        mode = there.mode if there is not None and there.mode in FILE_MODES else "100644"
        sha = None if content is None else git.write_blob(content)
        tree = git.write_tree(git.commit(old).tree, [(path, mode, sha)])
        made = self.authored(who, author, committer)
        commit = git.write_commit(tree, [old], message, made)
        self.push(repository, branch, commit, old, who)
        return commit, git.entry(commit, path), there is not None

    def authored(
        self, who: Account, author: tuple[str, str] | None, committer: tuple[str, str] | None
    ) -> Signed:
        """Give a commit's people as the API does: a named author or committer is never signed."""
        if author is None and committer is None:
            return self.signed(who)
        plain = self.signed(who, web=False)
        wrote = author or committer or plain.author
        return replace(plain, author=wrote, committer=committer or wrote)


def _check_path(path: str) -> None:
    parts = path.split("/")
    if any(part in {"", ".", ".."} or part.casefold() == ".git" for part in parts) or "\0" in path:
        raise ApiError(422, "path contains a malformed path component")
