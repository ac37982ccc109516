"""A git working tree, or a plain folder, behind the ``Repository`` port.

There is one pull request, number 0: its head is what the files hold now, uncommitted changes
included, and its base is a commit. Nothing that is written leaves this object: commits and pull
requests of the bot are kept in memory, and a caller that wants the bytes on disk asks for ``write``.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.adapters import local_tree
from bot.adapters.local_git import FOLDER, LINK, SUBMODULE
from bot.core.problems import Declined, Place, Problem
from bot.core.text import code
from bot.manifests.source import LARGEST_FILE
from bot.ports import Actor, Comment, File, Holder, Missing, Moved, Pull, Refused, Role, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bot.adapters.local_git import Git
    from bot.core.signals import Signal
    from bot.ports import (
        ChangedFile,
        Check,
        Commit,
        Comparison,
        Landed,
        MergeMethod,
        Merging,
        OrganisationFile,
        QueueBranch,
        Queued,
        Reaction,
        Reviewed,
    )

NUMBER = 0  # no pull request of GitHub has it
HEAD = "working tree"  # no branch can be called that
CONFIGURATION = "base commit"  # the branch that ``.github/canary.yaml`` is read from
NOTHING = "nothing"  # a commit without files
PERSON = Actor(1, "you")
BOT = Actor(2, "canary-bot", is_bot=True)
MOST_COMMITS = 250  # of a pull request, as on GitHub

_OFFLINE = "There are no pull requests offline."

# The paths that the bot reads and writes on GitHub: ``reference/reliability.md`` T30.
_PLAIN = re.compile(r"[ -\[\]-~]{1,1024}", re.ASCII)
_CONFIG_FOLDER = ".github"  # at the root
_PLAIN_CONFIG = ".github/canary.yaml"


@dataclass(frozen=True, slots=True)
class Base:
    """What a working tree is compared with.

    ``name`` is for people; ``tip`` is the base branch's newest commit, ``fork`` where the working tree's
    history left it. Both are full shas.
    """

    name: str
    tip: str
    fork: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A file that the bot would change."""

    path: str
    before: bytes
    after: bytes


class WorkTree:
    """``bot.ports.Repository`` for one comment on one working tree.

    Args:
        root: The folder that paths start from.
        git: The repository, or ``None`` for a plain folder.
        base: What to compare with, or ``None`` where there is no commit.
        files: What the pull request changes, or the files to consider.
        text: The comment.
        now: When it was written.
        merged: Take the working tree for the base branch itself, and the pull request for one that is merged:
            ``/rollback`` and ``/promote`` move what is there already.
    """

    def __init__(
        self,
        root: Path,
        *,
        git: Git | None,
        base: Base | None,
        files: Sequence[ChangedFile],
        text: str,
        now: datetime,
        merged: bool = False,
    ) -> None:
        self.root = root
        self.git = git
        self.base = base
        self.merged = merged or base is None
        self.comment = Comment(0, "comment", PERSON, text, now)
        self.replies: list[str] = []
        self.commits: list[Edit] = []
        self._files = tuple(files)
        self._now = now
        # The real sha comes first, so that ``sha=`` of a command can name it.
        self._head = f"{(git.commit('HEAD') if git else None) or ''}+"
        self._made: dict[str, dict[str, bytes]] = {self._head: {}}
        self._read: dict[str, bytes] = {}
        self._trees: dict[str, Tree] = {}
        self._commits = {base.tip, base.fork} if base is not None else set()
        self._branches: dict[str, str] = {}
        self._pulls: list[Pull] = []

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What the commits change, one entry for a chain of commits to one file.

        Two entries of one path are two pull requests to the same file.
        """
        chained: list[Edit] = []
        for made in self.commits:
            earlier = next((e for e in chained if e.path == made.path and e.after == made.before), None)
            if earlier is None:
                chained.append(made)
            else:
                chained[chained.index(earlier)] = replace(earlier, after=made.after)
        return tuple(edit for edit in chained if edit.before != edit.after)

    def write(self, edit: Edit) -> None:
        """Put an edited file in the place of the old one, in one step; its mode is kept.

        Raises:
            Declined: ``head-moved``, the file is not what was read any more; ``path-refused``.
        """
        place = self.root / edit.path
        if self._on_disk(edit.path) != edit.before:
            raise Declined(Problem("head-moved", f"{code(edit.path)} changed meanwhile.", "Try again."))
        try:
            replace_file(place, edit.after)
        except OSError as error:
            words = error.strerror or type(error).__name__
            raise Declined(
                Problem("path-refused", f"{code(edit.path)} cannot be written: {words}.")
            ) from None

    # --- the repository -----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"local/{self.root.name}"

    @property
    def default_branch(self) -> str:
        """Where the configuration is read from: the base, as GitHub's default branch."""
        return CONFIGURATION

    @property
    def web_url(self) -> str:
        """There is no page."""
        return ""

    @property
    def starts_workflows(self) -> bool:
        """Nothing is pushed here, so there is nothing to say about it."""
        return True

    def tip(self, branch: str) -> str | None:
        """Give the sha of a branch."""
        if branch == HEAD:
            return self._head
        if branch == CONFIGURATION:
            return self.base.tip if self.base else None
        if branch == self._base_name:
            return self.base.tip if self.base and not self.merged else self._head
        return self._branches.get(branch)

    @property
    def _base_name(self) -> str:
        return self.base.name if self.base else self.root.name or "this folder"

    def file(self, path: str, sha: str) -> File | None:
        """Give a file at a commit or in the working tree. Raises ``Refused``, and ``Declined`` when too large."""
        _check_plain(path, committed=sha not in self._made)
        content: bytes | None = None
        if sha in self._made:
            content = self._made[sha].get(path)
            if content is None:
                content = self._on_disk(path, keep=True)
        elif sha != NOTHING and self.git is not None and self._is_here(sha):
            entry = self.git.entry(path, sha)
            if entry is not None and entry[0] in {LINK, SUBMODULE, FOLDER}:
                raise Refused("Not a plain file.")
            content = entry[1] if entry is not None else None
        return None if content is None else File(path, content, hashlib.sha256(content).hexdigest())

    def _is_here(self, sha: str) -> bool:
        """Whether a commit is in this clone: a rollout's record may name one of a history that was rewritten."""
        if sha not in self._commits and self.git is not None and self.git.commit(sha) is not None:
            self._commits.add(sha)
        return sha in self._commits

    def organisation_file(self, path: str, sha: str = "") -> OrganisationFile | None:  # noqa: ARG002 - the port's
        """Offline there is no organisation; ``canary rules check --organisation`` looks at its file."""
        return None

    def _on_disk(self, path: str, *, keep: bool = False) -> bytes | None:
        if keep and path in self._read:
            return self._read[path]
        place = self.root / path
        try:
            found = place.lstat()
            inside = place.parent.resolve().is_relative_to(self.root.resolve())
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(found.st_mode) or not inside:
            raise Refused("Not a plain file.")
        if found.st_size > LARGEST_FILE:
            raise Declined(
                Problem(
                    "file-too-large",
                    f"The file has {found.st_size} bytes; files up to {LARGEST_FILE} bytes are edited.",
                    place=Place(path),
                )
            )
        try:
            content = place.read_bytes()
        except OSError as error:
            raise Declined(
                Problem("path-refused", f"{code(path)} cannot be read: {error.strerror}.")
            ) from None
        if keep:
            self._read[path] = content
        return content

    def tree(self, sha: str) -> Tree:
        """Give the plain files of a commit or of the working tree; what is on disk is listed once."""
        if sha not in self._trees:
            if sha in self._made:
                found = local_tree.of_folder(self.root, self.git, sha)
            elif sha != NOTHING and self.git is not None:
                found = local_tree.of_commit(self.git, sha)
            else:
                found = Tree(())
            self._trees[sha] = found
        return self._trees[sha]

    def blob(self, name: str) -> bytes:
        """Give a content by the name that ``tree`` has for it. Raises as ``file``, and ``Missing``."""
        sha, mark, path = name.partition(":")
        if mark:
            file = self.file(path, sha) if sha in self._made else None
            if file is not None:
                return file.content
        elif self.git is not None and (content := self.git.blob(name)) is not None:
            return content
        raise Missing

    def history(self, path: str, sha: str, *, limit: int = 30) -> tuple[Commit, ...]:
        """Give the commits that changed ``path``, newest first."""
        at = self.base.fork if self.base and sha in self._made else sha
        if self.git is None or self.base is None or at == NOTHING:
            return ()
        return self.git.log(at, path=path, limit=limit)

    def log(self, sha: str, *, limit: int = 100) -> tuple[Commit, ...]:
        """Give the newest commits that ``sha`` brings along."""
        at = self.base.fork if self.base and sha in self._made else sha
        if self.git is None or self.base is None or at == NOTHING:
            return ()
        return self.git.log(at, limit=limit)

    def checks_of(self, sha: str, *, statuses: bool = True) -> tuple[Signal, ...]:  # noqa: ARG002 - the port's
        """Offline there are none."""
        return ()

    def deployment_of(self, sha: str, environment: str) -> Signal | None:  # noqa: ARG002 - the port's
        """Offline there are none."""
        return None

    # --- the pull request ---------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """Give the one pull request, or one that the bot opened here. Raises ``Missing``."""
        for made in self._pulls:
            if made.number == number:
                return made
        if number != NUMBER:
            raise Missing
        return self._pull(
            number=NUMBER,
            title="The working tree",
            body="",
            head=HEAD,
            head_sha=self._head,
            base_sha=NOTHING if self.merged or self.base is None else self.base.fork,
        )

    def _pull(self, *, number: int, title: str, body: str, head: str, head_sha: str, base_sha: str) -> Pull:
        ours, merged = number != NUMBER, number == NUMBER and self.merged
        return Pull(
            number=number,
            title=title,
            body=body,
            state="closed" if merged else "open",
            author=BOT if ours else PERSON,
            ours=ours,
            head_ref=head,
            head_sha=head_sha,
            head_repository=self.name,
            from_fork=False,
            base_ref=self._base_name,
            base_sha=base_sha,
            url="",
            created_at=self._now,
            updated_at=self._now,
            merged=merged,
            merged_at=self._now if merged else None,
        )

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Give the one comment."""
        return (self.comment,) if number == NUMBER else ()

    def reviews(self, number: int) -> tuple[Comment, ...]:  # noqa: ARG002 - the port's
        """Nobody reviews a working tree."""
        return ()

    def changed_files(self, pull: Pull) -> tuple[ChangedFile, ...]:
        """Give the files in question."""
        return self._files if pull.number == NUMBER else ()

    def commits_of(self, number: int) -> tuple[Commit, ...]:
        """Give the commits between the base and ``HEAD``, oldest first."""
        if number != NUMBER:
            raise Missing
        head = self.git.commit("HEAD") if self.git else None
        if self.git is None or self.base is None or head is None:
            return ()
        return self.git.log(head, since=self.base.fork, limit=MOST_COMMITS)[::-1]

    def landed(self, sha: str) -> Landed:
        """Nothing was merged here. Raises ``Missing``."""
        raise Missing(sha)

    def compare(self, base: str, head: str) -> Comparison:  # noqa: ARG002 - the port's
        """Nothing is compared offline. Raises ``Missing``."""
        raise Missing(head)

    def pull_of_commit(self, sha: str) -> Pull | None:  # noqa: ARG002 - the port's
        """Offline nobody knows."""
        return None

    def pulls_from(self, branch: str) -> tuple[Pull, ...]:
        """Give what the bot opened here."""
        return tuple(p for p in self._pulls if p.head_ref == branch)

    def open_pulls(self) -> tuple[Pull, ...]:
        """Give what the bot opened here."""
        return tuple(p for p in self._pulls if p.state == "open")

    def pulls_closed_since(self, when: datetime) -> tuple[Pull, ...]:  # noqa: ARG002 - the port's
        """Offline there are none."""
        return ()

    def comments_since(self, when: datetime) -> tuple[tuple[int, Comment], ...]:  # noqa: ARG002 - the port's
        """Offline there are none."""
        return ()

    def checks(self, sha: str) -> tuple[Check, ...]:  # noqa: ARG002 - the port's
        """Offline there are none."""
        return ()

    def reviewed(self, number: int) -> tuple[Reviewed, ...]:  # noqa: ARG002 - the port's
        """Offline nobody has an opinion."""
        return ()

    def role_of(self, login: str) -> Holder:
        """Give every right to whoever can write these files."""
        return Holder(PERSON.id, Role.ADMIN) if login == PERSON.login else Holder(0, Role.NONE)

    def in_team(self, team: str, login: str) -> bool | None:  # noqa: ARG002 - the port's
        """Offline nobody knows."""
        return None

    # --- writing, in memory -------------------------------------------------------------------

    def commit_file(self, branch: str, file: File, content: bytes, message: str) -> str:
        """Remember new bytes for a file of the working tree. Raises ``Moved``."""
        if branch != HEAD:
            raise Missing
        now = self.file(file.path, self._head)
        if now is None or now.blob != file.blob:
            raise Moved
        self._head = self.commit_on(self._head, file.path, content, message)
        return self._head

    def commit_on(self, parent: str | None, path: str, content: bytes, message: str) -> str:  # noqa: ARG002 - the port's
        """Remember new bytes for a file; no branch moves. Nothing begins a history of its own here."""
        if parent is None:
            raise Missing
        old = self.file(path, parent)
        if old is None or parent not in self._made:
            raise Missing
        sha = f"{parent.partition('+')[0]}+{len(self._made)}"
        self._made[sha] = self._made[parent] | {path: content}
        self.commits.append(Edit(path, old.content, content))
        return sha

    def create_branch(self, name: str, sha: str) -> None:
        """Remember a branch."""
        self._branches[name] = sha

    def move_branch(self, name: str, *, old: str, new: str) -> None:
        """Move a remembered branch."""
        if self._branches.get(name) != old:
            raise Moved
        self._branches[name] = new

    def delete_branch(self, name: str) -> None:
        """Forget a branch."""
        self._branches.pop(name, None)

    def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull:
        """Remember a pull request of the bot."""
        opened = self._pull(
            number=NUMBER - 1 - len(self._pulls),
            title=title,
            body=body,
            head=head,
            head_sha=self._branches[head],
            base_sha=self.tip(base) or NOTHING,
        )
        self._pulls.append(opened)
        return opened

    def edit_pull(self, number: int, *, title: str | None = None, body: str | None = None) -> None:
        """Change a remembered pull request."""
        self._pulls = [
            replace(p, title=p.title if title is None else title, body=p.body if body is None else body)
            if p.number == number
            else p
            for p in self._pulls
        ]

    def close_pull(self, number: int) -> None:
        """Close a remembered pull request."""
        self._pulls = [replace(p, state="closed") if p.number == number else p for p in self._pulls]

    def merge(
        self,
        number: int,  # noqa: ARG002 - the port's
        *,
        sha: str,  # noqa: ARG002 - the port's
        title: str,  # noqa: ARG002 - the port's
        message: str,  # noqa: ARG002 - the port's
        method: MergeMethod = "merge",  # noqa: ARG002 - the port's
    ) -> str:
        """Refuse: what is merged is GitHub's to say."""
        raise Refused(_OFFLINE)

    def merging(self, pull: Pull) -> Merging:  # noqa: ARG002 - the port's
        """Refuse, as ``merge``."""
        raise Refused(_OFFLINE)

    def enqueue(self, pull: Pull) -> None:  # noqa: ARG002 - the port's
        """Refuse, as ``merge``."""
        raise Refused(_OFFLINE)

    def dequeue(self, pull: Pull) -> None:  # noqa: ARG002 - the port's
        """Refuse, as ``merge``."""
        raise Refused(_OFFLINE)

    def enable_auto_merge(self, pull: Pull, *, title: str, message: str, method: MergeMethod) -> None:  # noqa: ARG002 - the port's
        """Refuse, as ``merge``."""
        raise Refused(_OFFLINE)

    def disable_auto_merge(self, pull: Pull) -> None:  # noqa: ARG002 - the port's
        """Refuse, as ``merge``."""
        raise Refused(_OFFLINE)

    def queue(self, branch: str) -> tuple[Queued, ...]:  # noqa: ARG002 - the port's
        """Nothing waits offline."""
        return ()

    def queue_branches(self) -> tuple[QueueBranch, ...]:
        """Nothing waits offline."""
        return ()

    def reply(self, number: int, body: str) -> Comment:
        """Keep a reply for the caller to show."""
        if number == NUMBER:
            self.replies.append(body)
        return Comment(len(self.replies), "comment", BOT, body, self._now, ours=True)

    def edit_reply(self, comment_id: int, body: str) -> None:
        """Nothing was said that could be changed."""

    def react(self, comment: Comment, reaction: Reaction) -> None:
        """Nobody sees a reaction offline."""

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Nobody sees a label offline."""

    def ask_for_review(self, number: int, people: Sequence[str], teams: Sequence[str] = ()) -> None:
        """Nobody is asked offline."""

    def set_checks(
        self, sha: str, checks: Sequence[Check], *, fresh: bool = False, again: bool = False
    ) -> None:
        """Nobody sees a check offline."""


class Here:
    """``bot.ports.Forge`` that knows one working tree."""

    def __init__(self, tree: WorkTree) -> None:
        self._tree = tree

    def repository(self, installation: int, name: str) -> WorkTree:  # noqa: ARG002 - the port's
        """Give the working tree."""
        return self._tree

    def repositories(self) -> Iterable[tuple[int, str]]:
        """Give the one there is."""
        return ((0, self._tree.name),)


def _check_plain(path: str, *, committed: bool) -> None:
    """Refuse what the bot does not read: in ``.github`` only the configuration, and rule sets of a commit."""
    parts = path.split("/")
    inner = parts[1:] if parts[0] == _CONFIG_FOLDER and (committed or path == _PLAIN_CONFIG) else parts
    own = any(part.casefold().startswith(".git") for part in inner)
    if own or any(p in {"", ".", ".."} for p in parts) or not _PLAIN.fullmatch(path):
        raise Refused("Path refused: it is not a plain path inside the repository.")


def replace_file(place: Path, content: bytes) -> None:
    """Write beside a file and rename: a reader sees the old bytes or the new ones, never a half.

    The mode is kept. Raises ``OSError``; the file is then what it was.
    """
    mode = stat.S_IMODE(place.stat().st_mode)
    handle, name = tempfile.mkstemp(prefix=f".{place.name[:100]}.", suffix=".canary", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
