"""The writing half of one repository.

Every request here is sent once. Outcomes are told apart by status and by the codes of a
validation error; only where GitHub gives neither (405 and 409) by the beginning of its words.
"""

from __future__ import annotations

import base64
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.adapters.github import git, values
from bot.adapters.github.git import Entry, branch_path, writable
from bot.adapters.github.merging import Merging
from bot.adapters.github.values import understood
from bot.core.problems import OutsideFailure
from bot.ports import Exists, Missing, Moved, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.adapters.github.client import Answer
    from bot.ports import Check, Comment, File, Pull, Reaction

log = logging.getLogger(__name__)


class GitHubRepository(Merging):
    """``bot.ports.Repository`` on GitHub. Not to be shared between threads."""

    def close(self) -> None:
        """Let go of the connection; otherwise it goes with the object."""
        self._client.close()
        self._organisation.close()

    # commits and branches ------------------------------------------------------------

    def commit_file(self, branch: str, file: File, content: bytes, message: str) -> str:
        """Replace a file on a branch if it still is ``file``; give the commit's sha.

        One request: the contents API compares the blob's sha. A file that was deleted meanwhile is
        written again, which GitHub tells afterwards (201) and this method as ``Moved``.

        Raises:
            Moved: The file is another one, or the branch is gone.
            Refused: A rule of the branch, no permission, a link, or a path that the bot does not write to.
        """
        path = f"{self._path}/contents/{writable(file.path)}"
        body = {
            "message": message,
            "content": base64.b64encode(content).decode("ascii"),
            "sha": file.blob,
            "branch": branch,
        }
        answers = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}
        answer = self._client.send("PUT", path, body=body, answers=answers)
        if answer.status == HTTPStatus.CONFLICT and _is_rule(answer):
            raise Refused(self._client.said(answer))
        if answer.status == HTTPStatus.CONFLICT:
            self._refuse_link(branch, file.path)
        if answer.status != HTTPStatus.OK:
            raise Moved(self._client.said(answer) or "The file was deleted.")
        with understood("a commit"):
            return str(answer.data["commit"]["sha"])

    def _refuse_link(self, branch: str, path: str) -> None:
        """Raise ``Refused`` for a link: it never matches the blob that reading through it gave."""
        sha = self.tip(branch)
        if sha is not None:
            _mode(self._folders(sha, path), path)

    def commit_on(self, parent: str | None, path: str, content: bytes, message: str) -> str:
        """Make a commit on ``parent`` that no branch names yet; give its sha. The file's mode is kept.

        Without a parent it begins a history of its own, with this file alone.
        Three requests: the folders of ``parent`` (kept, they cannot change), the new tree, the commit.
        The tree's sha is worked out here too, so that it is known that nothing else changed.

        Raises:
            Missing: There is no such commit.
            Refused: The path leads through or to a link or a submodule, or the bot does not write there.
            OutsideFailure: As always, and when GitHub made another tree than asked for.
        """
        writable(path)
        levels = self._folders(parent, path) if parent is not None else ((),)
        name = path.rpartition("/")[2]
        leaf = Entry(_mode(levels, path), name, git.blob_sha(content))
        entry = {"path": path, "mode": leaf.mode, "type": "blob"} | self._content(content)
        base = {"base_tree": git.tree_sha(levels[0])} if parent is not None else {}
        body: dict[str, Any] = {**base, "tree": [entry]}
        answer = self._client.send("POST", f"{self._path}/git/trees", body=body)
        with understood("a tree"):
            tree = str(answer.data["sha"])
        if tree != git.replaced(levels, path, leaf):
            raise OutsideFailure("GitHub made another tree than it was asked for; no branch was moved.")
        # No author and no date: only then GitHub signs for the App.
        body = {"message": message, "tree": tree, "parents": [] if parent is None else [parent]}
        answer = self._client.send("POST", f"{self._path}/git/commits", body=body)
        with understood("a commit"):
            return str(answer.data["sha"])

    def _content(self, content: bytes) -> dict[str, str]:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" not in text:
            return {"content": text}
        body = {"content": base64.b64encode(content).decode("ascii"), "encoding": "base64"}
        answer = self._client.send("POST", f"{self._path}/git/blobs", body=body)
        with understood("a blob"):
            return {"sha": str(answer.data["sha"])}

    def _folders(self, parent: str, path: str) -> tuple[tuple[Entry, ...], ...]:
        """Give the entries of each folder on the way to ``path``, the root first, as far as they exist."""
        folders = path.split("/")[:-1]
        key = (*self._scope, parent, tuple(folders))
        known = self._memory.folders.get(key)
        if known is not None:
            return known
        levels = self._listed(parent, folders)
        if git.is_full_sha(parent):
            self._memory.folders.put(key, levels)
        return levels

    def _listed(self, parent: str, folders: Sequence[str]) -> tuple[tuple[Entry, ...], ...]:
        sha, data = self._whole_tree(parent)
        with understood("a tree"):
            if not data["truncated"]:
                rows = data["tree"]
                prefixes = [
                    "/".join([*folders[:depth], ""]) if depth else "" for depth in range(len(folders) + 1)
                ]
                listed = (_entries(rows, prefix) for prefix in prefixes)
                return tuple(level for depth, level in enumerate(listed) if level or not depth)
            # A very large repository: folder after folder.
            levels: list[tuple[Entry, ...]] = []
            for name in [*folders, None]:
                data = self._client.get(f"{self._path}/git/trees/{quote(sha, safe='')}")
                if data["truncated"]:
                    raise Refused("A folder with more entries than GitHub lists.")
                levels.append(_entries(data["tree"], ""))
                inner = next((e for e in levels[-1] if e.name == name and e.mode == git.FOLDER), None)
                if inner is None:
                    break
                sha = inner.sha
            return tuple(levels)

    def create_branch(self, name: str, sha: str) -> None:
        """Make a branch. Raises ``Exists``, ``Refused``."""
        branch_path(name)
        body = {"ref": f"refs/heads/{name}", "sha": sha}
        answers = {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT}
        answer = self._client.send("POST", f"{self._path}/git/refs", body=body, answers=answers)
        if answer.status in answers:
            # "Reference already exists" has no code of its own, so the branch itself is asked.
            if self.tip(name) is not None:
                raise Exists(f"There is a branch {name} already.")
            raise Refused(self._client.said(answer))

    def move_branch(self, name: str, *, old: str, new: str) -> None:
        """Point a branch somewhere else, also backwards, if it still is at ``old``.

        GitHub cannot compare and swap a forced move: a push in the moment between the two requests
        is overwritten. Where ``new`` follows from ``old``, prefer a branch of its own.

        Raises:
            Moved: The branch is somewhere else, or gone.
            Refused: A rule of the branch, or no permission.
        """
        if self.tip(name) != old:
            raise Moved(f"The branch {name} was moved.")
        # /git/refs/…: PyGithub's lazy objects send /git/ref/…, which is no such operation.
        path = f"{self._path}/git/refs/heads/{branch_path(name)}"
        answers = {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND}
        answer = self._client.send("PATCH", path, body={"sha": new, "force": True}, answers=answers)
        if answer.status in answers:
            if self.tip(name) != old:
                raise Moved(f"The branch {name} was moved.")
            raise Refused(self._client.said(answer))

    def delete_branch(self, name: str) -> None:
        """Delete a branch; one that is gone already is fine. Raises ``Refused``."""
        path = f"{self._path}/git/refs/heads/{branch_path(name)}"
        gone = {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND}
        answer = self._client.send("DELETE", path, answers=gone)
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and self.tip(name) is not None:
            raise Refused(self._client.said(answer))

    # pull requests -------------------------------------------------------------------

    def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull:
        """Open a pull request between two branches of this repository.

        Raises:
            Exists: There is one, or there is nothing between the branches.
            Refused: A branch is not there, or a rule or permission stands against it.
        """
        sent = {"head": head, "base": base, "title": title, "body": body}
        answers = {HTTPStatus.UNPROCESSABLE_ENTITY}
        answer = self._client.send("POST", f"{self._path}/pulls", body=sent, answers=answers)
        if answer.status in answers:
            # "custom" without a field stands for both; a branch that is not there is "invalid".
            raise (
                Exists(self._client.said(answer))
                if "custom" in answer.codes
                else Refused(self._client.said(answer))
            )
        return self._pull(answer.data, lambda _user: True)

    def edit_pull(self, number: int, *, title: str | None = None, body: str | None = None) -> None:
        """Change title or body. Raises ``Missing``, ``Refused``."""
        changes = {key: value for key, value in (("title", title), ("body", body)) if value is not None}
        if changes:
            self._client.send("PATCH", f"{self._path}/pulls/{number:d}", body=changes)

    def close_pull(self, number: int) -> None:
        """Close without merging. Raises ``Missing``, ``Refused``."""
        self._client.send("PATCH", f"{self._path}/pulls/{number:d}", body={"state": "closed"})

    # conversation --------------------------------------------------------------------

    def reply(self, number: int, body: str) -> Comment:
        """Write a comment. Raises ``Missing``, ``Refused`` (locked, or no permission)."""
        path = f"{self._path}/issues/{number:d}/comments"
        answer = self._client.send("POST", path, body={"body": body})
        with understood("a comment"):
            return values.comment(answer.data, ours=True)

    def edit_reply(self, comment_id: int, body: str) -> None:
        """Replace the text of our own comment. Raises ``Missing``, ``Refused``."""
        self._client.send("PATCH", f"{self._path}/issues/comments/{comment_id:d}", body={"body": body})

    def react(self, comment: Comment, reaction: Reaction) -> None:
        """Put a reaction on a comment; a failure is logged and swallowed. Reviews take none."""
        if comment.kind == "comment":
            path = f"{self._path}/issues/comments/{comment.id:d}/reactions"
            self._try("POST", path, {"content": str(reaction)})

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """Add labels; a failure is logged and swallowed."""
        if labels:
            self._try("POST", f"{self._path}/issues/{number:d}/labels", {"labels": list(labels)})

    def ask_for_review(self, number: int, people: Sequence[str], teams: Sequence[str] = ()) -> None:
        """Ask people and teams for a review; a failure is logged and swallowed."""
        if people or teams:
            body = {"reviewers": list(people), "team_reviewers": list(teams)}
            self._try("POST", f"{self._path}/pulls/{number:d}/requested_reviewers", body)

    def _try(self, method: str, path: str, body: dict[str, Any]) -> None:
        try:
            self._client.send(method, path, body=body)
        except (OutsideFailure, Missing, Moved, Refused) as failure:
            log.warning("%s %s was left out: %s", method, path, failure)

    # checks --------------------------------------------------------------------------

    def set_checks(
        self, sha: str, checks: Sequence[Check], *, fresh: bool = False, again: bool = False
    ) -> None:
        """Create or update this App's checks of those names on a commit, in their order.

        One listing for all. A run that says the same already is left alone, unless it is asked for
        ``again``: then GitHub lets the suite wait for an answer, and the run may be as it was. One with
        annotations, and one that was done and now waits again, is replaced by a new run: GitHub adds
        annotations and never takes any away, and shows the newest run of a name.
        Source: GitHub's OpenAPI, ``checks/rerequest-run``, ``checks/update``.

        Raises:
            Missing, Refused: The commit is not there, or no permission.
        """
        there = {} if fresh or not checks else self._runs(sha, {})
        for check in checks:
            self._set_check(sha, check, there.get(check.name), again=again)

    def _set_check(self, sha: str, check: Check, run: Any, *, again: bool) -> None:
        runs = f"{self._path}/check-runs"
        body = values.check_body(check)
        if run is not None:
            with understood("checks"):
                body = values.check_body(check, values.external_id_of(run)[2])
                number = int(run["id"])
                remarks = int((run.get("output") or {}).get("annotations_count") or 0)
                reopened = run["status"] == "completed" and check.conclusion is None
                same = remarks == len(body["output"].get("annotations", ())) and values.says(run, body)
            if same and not again:
                return
            if not remarks and not reopened:
                self._client.send("PATCH", f"{runs}/{number}", body=body)
                return
        self._client.send("POST", runs, body=body | {"head_sha": sha})


def _entries(rows: Any, prefix: str) -> tuple[Entry, ...]:
    """Give the entries right below ``prefix`` out of a listing."""
    inside = (row for row in rows if row["path"].startswith(prefix) and "/" not in row["path"][len(prefix) :])
    return tuple(Entry(row["mode"], row["path"][len(prefix) :], row["sha"]) for row in inside)


def _mode(levels: tuple[tuple[Entry, ...], ...], path: str) -> str:
    """Give the mode that a file has, or the usual one for a new file.

    Raises:
        Refused: The way leads through something that is no folder, or ends at something that is no file.
    """
    segments = path.split("/")
    for depth, level in enumerate(levels):
        entry = next((e for e in level if e.name == segments[depth]), None)
        if entry is None:
            return git.FILE
        is_leaf = depth == len(segments) - 1
        if is_leaf and entry.mode in {git.FILE, git.EXECUTABLE}:
            return entry.mode
        if is_leaf or entry.mode != git.FOLDER:
            raise Refused("Path refused: it leads through or to something that is no plain file.")
    return git.FILE


def _is_rule(answer: Answer) -> bool:
    """Say whether a 409 of the contents API is a branch rule speaking, and not a conflict."""
    words = answer.message.lower()
    return words.startswith(("repository rule violations", "could not "))
