"""The reading half of one repository."""

from __future__ import annotations

import base64
import re
from datetime import UTC
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from bot.adapters.github import values
from bot.adapters.github.git import EXECUTABLE, FILE, blob_sha, branch_path, is_full_sha, readable
from bot.adapters.github.memory import LARGEST_KEPT
from bot.adapters.github.organisation import NAME as ORGANISATION
from bot.adapters.github.organisation import Organisation
from bot.adapters.github.values import understood
from bot.core.problems import OutsideFailure
from bot.ports import File, Holder, Missing, Refused, Role, Tree, TreeFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from bot.adapters.gates.github import GitHubSignals
    from bot.adapters.github.authorship import Authorship
    from bot.adapters.github.client import Client
    from bot.adapters.github.memory import Memory
    from bot.core.signals import Signal
    from bot.ports import ChangedFile, Check, Comment, Commit, OrganisationFile, Pull, Reviewed

_MOST_COMMENTS = 300  # of pull requests
_MOST_LISTED = 1_000  # of issues, too
_SLUG = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*)(?:\[bot\])?", re.ASCII)


def _is_of_pull(comment: Any) -> bool:
    return "/issues/" not in urlsplit(comment.get("html_url") or "").path


class Reading:
    """``bot.ports.Repository`` as far as it reads. One request for each method, or each page.

    Args:
        name: ``owner/name``.
        installation: The installation through which the repository is seen.
        client: A client that nobody else uses.
        memory: Shared by all repositories of the forge.
        authorship: Decides what is ours.
        web_url: The address of the repository's page.
        organisation: Makes a client that may read the organisation's ``.github``; by default this one's.
        teams: Makes a client that may ask about teams; ``client`` by default.
        queues: Makes a client that may look into merge queues; ``client`` by default.
    """

    def __init__(
        self,
        name: str,
        installation: int,
        *,
        client: Client,
        memory: Memory,
        authorship: Authorship,
        web_url: str,
        organisation: Callable[[], Client] | None = None,
        teams: Callable[[], Client] | None = None,
        queues: Callable[[], Client] | None = None,
    ) -> None:
        self._name = name
        self._owner = name.partition("/")[0]
        self._client = client
        self._as_member: Client | None = None
        self._teams = teams if teams is not None else lambda: client
        self._queues = queues
        self._memory = memory
        self._authorship = authorship
        self._web_url = web_url
        self._path = f"/repos/{name}"
        self._scope = (installation, name.lower())
        self._organisation = Organisation(
            self._owner,
            installation,
            client=organisation or (lambda: client),
            memory=memory,
            file=self._theirs,
        )

    @property
    def name(self) -> str:
        """``owner/name``."""
        return self._name

    @property
    def web_url(self) -> str:
        """The address of the repository's page, without a slash at its end."""
        return self._web_url

    @property
    def starts_workflows(self) -> bool:
        """Whether workflows start on what the bot pushes and opens: an App's events do that."""
        return True

    @property
    def default_branch(self) -> str:
        """The name of the default branch, at most a minute old; every ``pull`` brings it along."""
        known = self._memory.default_branches.get(self._scope)
        if known is None:
            data = self._client.get(self._path)
            with understood("the repository"):
                known = str(data["default_branch"])
            self._memory.default_branches.put(self._scope, known)
        return known

    def pull(self, number: int) -> Pull:
        """Give a pull request. Raises ``Missing``."""
        return self._pull(self._client.get(f"{self._path}/pulls/{number:d}"))

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Give the conversation's comments, oldest first, all pages."""
        data = list(self._client.pages(f"{self._path}/issues/{number:d}/comments"))
        with understood("comments"):
            found = (values.comment(one, ours=self._authorship.comment_is_ours(one)) for one in data)
            return tuple(sorted(found, key=lambda c: c.id))

    def reviews(self, number: int) -> tuple[Comment, ...]:
        """Give the submitted reviews with a body, oldest first."""
        data = list(self._client.pages(f"{self._path}/pulls/{number:d}/reviews"))
        with understood("reviews"):
            # A pending review is shown to its author only, and has no time yet.
            submitted = [one for one in data if one["body"] and one.get("submitted_at")]
            found = (values.review(one, ours=self._authorship.is_ours(one["user"])) for one in submitted)
            return tuple(sorted(found, key=lambda c: c.id))

    def changed_files(self, pull: Pull) -> tuple[ChangedFile, ...]:
        """Give the files that the pull request changes, at most 3,000 (GitHub's limit)."""
        key = (*self._scope, pull.number, pull.head_sha, pull.base_sha)
        known = self._memory.changes.get(key)
        if known is not None:
            return known
        data = list(self._client.pages(f"{self._path}/pulls/{pull.number:d}/files"))
        with understood("changed files"):
            found = tuple(values.changed_file(one) for one in data)
            # GitHub answers for the head of now. Only what is seen to be of the head that was asked
            # for may be kept under its name.
            told = {
                sha
                for one in data
                for sha in parse_qs(urlsplit(one.get("contents_url") or "").query).get("ref", [])
            }
        if told == {pull.head_sha}:
            self._memory.changes.put(key, found)
        return found

    def reviewed(self, number: int) -> tuple[Reviewed, ...]:
        """Give what all submitted reviews say, oldest first."""
        data = list(self._client.pages(f"{self._path}/pulls/{number:d}/reviews"))
        with understood("reviews"):
            found = (values.reviewed(one) for one in data if one.get("submitted_at"))
            return tuple(sorted(found, key=lambda r: r.id))

    def role_of(self, login: str) -> Holder:
        """Give who has that login, and the role by ``role_name``; unknown people have ``Role.NONE``."""
        if not _LOGIN.fullmatch(login):
            return Holder(0, Role.NONE)
        path = f"{self._path}/collaborators/{quote(login, safe='')}/permission"
        answer = self._client.send("GET", path, answers={HTTPStatus.NOT_FOUND})
        if answer.status == HTTPStatus.NOT_FOUND:
            return Holder(0, Role.NONE)
        with understood("a role"):
            return values.holder(answer.data)

    def in_team(self, team: str, login: str) -> bool | None:
        """Say whether somebody is an active member of ``org/slug``; ``None`` where this App may not know.

        Source: OpenAPI, ``teams/get-membership-for-user-in-org``: members of child teams too, 404 for who is none;
        needs the App's permission ``members: read``.
        """
        org, _, slug = team.partition("/")
        if not (_LOGIN.fullmatch(login) and _LOGIN.fullmatch(org) and _SLUG.fullmatch(slug)):
            return False
        path = f"/orgs/{quote(org, safe='')}/teams/{quote(slug, safe='')}/memberships/{quote(login, safe='')}"
        try:
            self._as_member = self._as_member or self._teams()
            answer = self._as_member.send("GET", path, answers={HTTPStatus.NOT_FOUND})
        except (Missing, Refused):  # also where the installation does not grant it
            return None
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        with understood("a team"):
            return bool(answer.data["state"] == "active")

    def tip(self, branch: str) -> str | None:
        """Give the sha of a branch, ``None`` when there is no such branch."""
        try:
            path = f"{self._path}/git/ref/heads/{branch_path(branch)}"
        except Refused:
            return None
        # 409: the repository is empty.
        answer = self._client.send("GET", path, answers={HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
        if answer.status != HTTPStatus.OK:
            return None
        with understood("a branch"):
            return str(answer.data["object"]["sha"])

    def file(self, path: str, sha: str) -> File | None:
        """Give a file at a commit, ``None`` when absent.

        A link to another file of the repository is followed by GitHub, and may look like that file;
        both ways of writing refuse it then.

        Raises:
            Refused: The path is not plain, or leads to a link, a directory or a submodule.
            ValueError: ``sha`` is not a full sha: what it names could change.
        """
        quoted = readable(path)
        if not is_full_sha(sha):
            raise ValueError("A file is read at a full sha.")
        key = (*self._scope, sha, path)
        known = self._memory.files.get(key)
        if known is not None or self._memory.absent.get(key):
            return known
        known = self._put_together(path, sha)
        if known is not None:
            return known
        answer = self._client.send(
            "GET", f"{self._path}/contents/{quoted}", params={"ref": sha}, answers={HTTPStatus.NOT_FOUND}
        )
        commit = (*self._scope, sha)
        if answer.status == HTTPStatus.NOT_FOUND:
            # A commit that was just made may be unknown for a while, which looks the same; once
            # anything was read from it, absent means absent.
            if self._memory.read_from.get(commit):
                self._memory.absent.put(key, value=True)
            return None
        found = self._file(path, answer.data)
        self._memory.read_from.put(commit, value=True)
        if len(found.content) <= LARGEST_KEPT:
            self._memory.files.put(key, found)
            self._memory.blobs.put((*self._scope, found.blob), found.content)
        return found

    def _put_together(self, path: str, sha: str) -> File | None:
        """Give a file without a request, where the commit's tree and the file's content are known."""
        tree = self._memory.trees.get((*self._scope, sha))
        entry = next((f for f in tree.files if f.path == path), None) if tree is not None else None
        content = self._memory.blobs.get((*self._scope, entry.blob)) if entry is not None else None
        if entry is None or content is None:
            return None
        found = File(path, content, entry.blob)
        self._memory.files.put((*self._scope, sha, path), found)
        return found

    def _file(self, path: str, data: Any) -> File:
        with understood("a file"):
            # A list is a directory. GitHub follows a link to a file; then the path or the sha
            # is another one than the content's.
            if not isinstance(data, dict) or data["type"] != "file" or data["path"] != path:
                raise Refused("Not a plain file.")
            blob = str(data["sha"])
            # Beyond 1 MB the content is left out, and the encoding is "none".
            content = base64.b64decode(data["content"]) if data["encoding"] == "base64" else self._blob(blob)
        if blob_sha(content) != blob:
            raise Refused("Not a plain file.")
        return File(path, content, blob)

    def organisation_file(self, path: str, sha: str = "") -> OrganisationFile | None:
        """Give a file of the organisation's ``.github``, now or at a commit; raises as ``Organisation.file``."""
        return self._organisation.file(path, sha)

    def _theirs(self, client: Client, path: str, sha: str) -> File | None:
        theirs = Reading(
            f"{self._owner}/{ORGANISATION}",
            self._scope[0],
            client=client,
            memory=self._memory,
            authorship=self._authorship,
            web_url="",
        )
        return theirs.file(path, sha)

    def tree(self, sha: str) -> Tree:
        """Give the plain files of a commit, ``truncated`` beyond 100,000 entries or 7 MB (GitHub's limits).

        Raises:
            Missing: There is no such commit.
            ValueError: ``sha`` is not a full sha: what it names could change.
        """
        if not is_full_sha(sha):
            raise ValueError("A tree is read at a full sha.")
        key = (*self._scope, sha)
        known = self._memory.trees.get(key)
        if known is not None:
            return known
        _, data = self._whole_tree(sha)
        with understood("a tree"):
            plain = (row for row in data["tree"] if row["mode"] in {FILE, EXECUTABLE})
            files = tuple(
                TreeFile(str(row["path"]), str(row["sha"]), int(row.get("size", 0))) for row in plain
            )
            found = Tree(files, truncated=bool(data["truncated"]))
        self._memory.trees.put(key, found)
        return found

    def _whole_tree(self, sha: str) -> tuple[str, Any]:
        """Give the sha that GitHub knows a commit's tree by, and its listing of all below. Raises ``Missing``."""
        trees, whole = f"{self._path}/git/trees", {"recursive": "1"}
        # A commit's sha does for its tree's, which is known to work and documented for branches only.
        answers = {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
        answer = self._client.send("GET", f"{trees}/{quote(sha, safe='')}", params=whole, answers=answers)
        if answer.status not in answers:
            return sha, answer.data
        data = self._client.get(f"{self._path}/git/commits/{quote(sha, safe='')}")
        with understood("a commit"):
            root = str(data["tree"]["sha"])
        return root, self._client.get(f"{trees}/{quote(root, safe='')}", params=whole)

    def blob(self, name: str) -> bytes:
        """Give a content by its sha.

        Raises:
            Missing: There is no such blob.
            OutsideFailure: As always, and when GitHub gave another content.
            ValueError: ``name`` is not a full sha.
        """
        if not is_full_sha(name):
            raise ValueError("A blob is read by its full sha.")
        key = (*self._scope, name)
        known = self._memory.blobs.get(key)
        if known is not None:
            return known
        content = self._blob(name)
        if blob_sha(content) != name:
            raise OutsideFailure("GitHub gave another content than it was asked for.")
        if len(content) <= LARGEST_KEPT:
            self._memory.blobs.put(key, content)
        return content

    def _blob(self, name: str) -> bytes:
        data = self._client.get(f"{self._path}/git/blobs/{quote(name, safe='')}")
        with understood("a blob"):
            return base64.b64decode(data["content"])

    def history(self, path: str, sha: str, *, limit: int = 30) -> tuple[Commit, ...]:
        """Give the commits that changed ``path``, newest first, reachable from ``sha``.

        Raises:
            Missing: There is no such commit.
            Refused: The path is not plain.
        """
        readable(path)
        key = (*self._scope, sha, path, limit)
        known = self._memory.histories.get(key)
        if known is not None:
            return known
        params: dict[str, str | int] = {"sha": sha, "path": path, "per_page": min(limit, 100)}
        found = self._commits(self._client.get(f"{self._path}/commits", params))[:limit]
        if is_full_sha(sha):
            self._memory.histories.put(key, found)
        return found

    def log(self, sha: str, *, limit: int = 100) -> tuple[Commit, ...]:
        """Give the newest commits that ``sha`` brings along, itself first, at most 100.

        Raises:
            Missing: There is no such commit.
        """
        key = (*self._scope, sha, "", limit)
        known = self._memory.histories.get(key)
        if known is not None:
            return known
        found = self._commits(
            self._client.get(f"{self._path}/commits", {"sha": sha, "per_page": min(limit, 100)})
        )
        if is_full_sha(sha):
            self._memory.histories.put(key, found)
        return found

    def checks_of(self, sha: str, *, statuses: bool = True) -> tuple[Signal, ...]:
        """Give the latest check runs of all Apps, and with ``statuses`` the latest status of each context."""
        return self._signals().checks_of(sha, statuses=statuses)

    def deployment_of(self, sha: str, environment: str) -> Signal | None:
        """Give the state of the newest deployment of a commit to an environment."""
        return self._signals().deployment_of(sha, environment)

    def _signals(self) -> GitHubSignals:
        from bot.adapters.gates.github import GitHubSignals  # noqa: PLC0415 - few repositories have such a gate

        return GitHubSignals(self._client, self._name)

    def commits_of(self, number: int) -> tuple[Commit, ...]:
        """Give the commits of a pull request, oldest first (at most 250, GitHub's limit)."""
        return self._commits(list(self._client.pages(f"{self._path}/pulls/{number:d}/commits")))

    def _commits(self, data: Any) -> tuple[Commit, ...]:
        with understood("commits"):
            return tuple(values.commit(one, ours=self._authorship.commit_is_ours(one)) for one in data)

    def pull_of_commit(self, sha: str) -> Pull | None:
        """Give the merged pull request that brought a commit to its base branch."""
        path = f"{self._path}/commits/{quote(sha, safe='')}/pulls"
        # 422: "No commit found for SHA".
        unknown = {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
        answer = self._client.send("GET", path, answers=unknown)
        if answer.status != HTTPStatus.OK:
            return None
        merged = [pull for pull in self._pulls(answer.data) if pull.merged]
        # The list also holds pull requests that carried the commit on, to other branches.
        exact = [pull for pull in merged if pull.merge_sha == sha]
        return next(iter([*exact, *sorted(merged, key=lambda p: p.number)]), None)

    def pulls_from(self, branch: str) -> tuple[Pull, ...]:
        """Give this App's pull requests from a branch of this repository, any state, newest first."""
        params = {"state": "all", "head": f"{self._owner}:{branch}", "sort": "created", "direction": "desc"}
        found = self._pulls(self._client.pages(f"{self._path}/pulls", params))
        # Not every server filters by "head" as strictly as documented.
        return tuple(p for p in found if p.ours and p.head_ref == branch and not p.from_fork)

    def open_pulls(self) -> tuple[Pull, ...]:
        """Give all open pull requests."""
        return self._pulls(self._client.pages(f"{self._path}/pulls", {"state": "open"}))

    def pulls_closed_since(self, when: datetime) -> tuple[Pull, ...]:
        """Give closed pull requests updated since, newest first, at most 100."""
        params: dict[str, str | int] = {
            "state": "closed",
            "sort": "updated",
            "direction": "desc",
            "per_page": 100,
        }
        found = self._pulls(self._client.get(f"{self._path}/pulls", params))
        return tuple(pull for pull in found if pull.updated_at >= when)

    def comments_since(self, when: datetime) -> tuple[tuple[int, Comment], ...]:
        """Give (number, comment) of all pull requests, updated since, oldest first; of very many the newest 300."""
        since = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        params = {"sort": "updated", "direction": "desc", "since": since}
        pages = self._client.pages(f"{self._path}/issues/comments", params)
        with understood("comments"):
            # Conversations of plain issues are in the list too; their page tells them apart.
            talk = (one for one in islice(pages, _MOST_LISTED) if _is_of_pull(one))
            of_pulls = list(islice(talk, _MOST_COMMENTS))[::-1]
            return tuple(
                (
                    int(one["issue_url"].rpartition("/")[2]),
                    values.comment(one, ours=self._authorship.comment_is_ours(one)),
                )
                for one in of_pulls
            )

    def _pull(self, data: Any, ours: Callable[[Any], bool] | None = None) -> Pull:
        with understood("a pull request"):
            owner = data["base"]["repo"].get("owner") or {}
            if isinstance(owner.get("type"), str):
                self._memory.owner_kinds.put((self._scope[0], self._owner.lower()), owner["type"])
            branch = data["base"]["repo"].get("default_branch")
            if isinstance(branch, str):
                self._memory.default_branches.put(self._scope, branch)
            return values.pull(data, ours or self._authorship.is_ours)

    def _pulls(self, data: Iterable[Any]) -> tuple[Pull, ...]:
        return tuple(self._pull(one) for one in data)

    def checks(self, sha: str) -> tuple[Check, ...]:
        """Give this App's latest checks on a commit, one for each name, without annotations."""
        runs = self._runs(sha, {})
        with understood("checks"):
            return tuple(values.check(run) for run in runs.values())

    def _runs(self, sha: str, params: dict[str, str | int]) -> dict[str, Any]:
        query = {"filter": "latest", **self._authorship.of_runs, **params}
        data = list(
            self._client.pages(
                f"{self._path}/commits/{quote(sha, safe='')}/check-runs", query, key="check_runs"
            )
        )
        with understood("checks"):
            own = [run for run in data if self._authorship.run_is_ours(run)]
            return {run["name"]: run for run in sorted(own, key=lambda run: int(run["id"]))}
