"""From the sandbox's records to what its pages show."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from bot.ports import Role
from bot.sandbox.diffs import differences
from bot.sandbox.errors import ApiError
from bot.sandbox.markdown import render
from bot.sandbox.pages_diff import FileTable, table_of
from bot.sandbox.pages_traffic import is_manifest, traffic_of
from bot.sandbox.pages_view import (
    Action,
    CheckRun,
    Commit,
    Entry,
    Label,
    Person,
    Pull,
    PullPage,
    Reactions,
    Remark,
    Repo,
    Traffic,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.sandbox import model
    from bot.sandbox.pages_view import State
    from bot.sandbox.world import World

MOST_MANIFESTS = 200  # files of a repository that are looked at for traffic
EMOJI = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}
_NOREPLY = re.compile(r"(?:\d+\+)?(?P<login>[^@+]+)@users\.noreply\.github\.com", re.ASCII)


class Views:
    """Reads a world for its pages. Holds nothing of its own.

    Args:
        world: Its methods are used as any visitor could use them.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    # people --------------------------------------------------------------------------------

    def person(self, account: model.Account | None, repo: str = "") -> Person:
        """Give an account with its role; ``None`` is GitHub's ghost, whose account is gone."""
        if account is None:
            return Person("ghost")
        role = self._world.role_of(repo, account.login) if repo and account.kind == "User" else None
        return Person(account.login, account.kind == "Bot", role.name.lower() if role is not None else "")

    def people(self, repo: str = "") -> tuple[Person, ...]:
        """Give all people, those with the most rights first, then in the order of their coming."""
        everybody = [self.person(account, repo) for account in self._world.users()]
        return tuple(sorted(everybody, key=lambda one: -Role[one.role.upper()] if one.role else 0))

    def _writer(self, commit: model.Commit) -> Person:
        found = _NOREPLY.fullmatch(commit.author_email)
        login = found["login"] if found else commit.author_name
        return Person(login, is_bot=login.endswith("[bot]"))

    # repositories --------------------------------------------------------------------------

    def repo(self, repository: model.Repository) -> Repo:
        """Give a repository as the head of its pages shows it."""
        pulls = repository.pulls
        number_open = sum(pull.state == "open" for pull in pulls)
        return Repo(
            owner=repository.owner.login,
            name=repository.name,
            default_branch=repository.default_branch,
            open_pulls=number_open,
            closed_pulls=len(pulls) - number_open,
            description=f"forked from {repository.parent.full_name}" if repository.parent else "",
        )

    def traffic(self, repo: str, ref: str, paths: Iterable[str]) -> tuple[Traffic, ...]:
        """Give the splits of all manifests among ``paths`` at a branch or sha."""
        manifests = [path for path in paths if is_manifest(path)][:MOST_MANIFESTS]
        return tuple(one for path in manifests for one in self._traffic_of(repo, ref, path))

    def _traffic_of(self, repo: str, ref: str, path: str) -> tuple[Traffic, ...]:
        try:
            return traffic_of(path, self._world.read(repo, ref, path))
        except ApiError:
            return ()

    def commit(self, repo: str, commit: model.Commit) -> Commit:
        """Give a commit with its checks."""
        return Commit(
            sha=commit.sha,
            message=commit.message,
            author=self._writer(commit),
            at=commit.committed_at,
            signed=commit.verified,
            checks=self.checks(repo, commit.sha),
            parents=commit.parents,
        )

    def changes_of(self, repository: model.Repository, commit: model.Commit) -> tuple[FileTable, ...]:
        """Give what a commit changes against its first parent."""
        parent = commit.parents[0] if commit.parents else None
        return tuple(_table(one) for one in differences(repository.git, parent, commit.sha))

    # checks --------------------------------------------------------------------------------

    def checks(self, repo: str, sha: str) -> tuple[CheckRun, ...]:
        """Give the latest checks and statuses of a commit, by name."""
        runs = [_check(repo, run) for run in self._world.checks(repo, sha)]
        statuses = [_status(one) for one in self._world.statuses(repo, sha)]
        return tuple(sorted([*runs, *statuses], key=lambda one: one.name))

    # pull requests -------------------------------------------------------------------------

    def pull(self, repo: str, pull: model.Pull, *, whole: bool = False) -> Pull:
        """Give a pull request; only with ``whole`` is it found out whether it can be merged."""
        fork = pull.head_repository is None or pull.head_repository.full_name != repo
        return Pull(
            number=pull.number,
            title=pull.title,
            state=_state(pull),
            author=self.person(pull.author, repo),
            created_at=pull.created_at,
            head_label=f"{pull.head_owner.login}:{pull.head_ref}" if fork else pull.head_ref,
            head_sha=pull.head_sha,
            base=pull.base_ref,
            fork=fork,
            locked=pull.locked,
            labels=tuple(Label(label.name) for label in pull.labels),
            comments=len(pull.comments) + sum(bool(review.body) for review in pull.reviews),
            checks=self.checks(repo, pull.head_sha),
            mergeable=self._world.mergeable(repo, pull.number) if whole and pull.state == "open" else None,
            closed_at=pull.merged_at or pull.closed_at,
            merged_by=self.person(pull.merged_by, repo) if pull.merged_by else None,
            merge_sha=pull.merge_commit_sha or "" if pull.merged else "",
        )

    def page(self, repo: str, number: int) -> PullPage:
        """Give all that the pages of a pull request show. Raises ``ApiError`` 404."""
        found = self._world.pull(repo, number)
        pull = self.pull(repo, found, whole=True)
        commits = tuple(self.commit(repo, one) for one in self._world.commits_of(repo, number))
        by_sha = {commit.sha: commit for commit in commits}
        files = tuple(_table(one) for one in self._world.diff(repo, number))
        timeline = self._world.timeline(repo, number)
        return PullPage(
            pull=pull,
            entries=tuple(self._entry(repo, one, by_sha) for one in _told(timeline)),
            commits=commits,
            files=files,
            traffic=self._moved(repo, found, files),
        )

    def _moved(
        self, repo: str, pull: model.Pull, files: tuple[FileTable, ...]
    ) -> tuple[tuple[Traffic | None, Traffic | None], ...]:
        """Pair the splits on the base branch with those of the head, by file and service."""
        before = {
            (one.path, one.service): one
            for file in files
            for one in self.traffic(repo, pull.base_ref, [file.previous_path or file.path])
        }
        source = pull.head_repository.full_name if pull.head_repository else repo
        paths = [file.path for file in files if file.status != "removed"]
        after = {
            (one.path, one.service): one
            for one in ([] if pull.merged else self.traffic(source, pull.head_sha, paths))
        }
        keys = dict.fromkeys([*before, *after])
        return tuple((before.get(key), after.get(key)) for key in keys)

    def _entry(self, repo: str, entry: model.Entry, commits: dict[str, Commit]) -> Entry:
        who = self.person(entry.actor, repo)
        if entry.comment is not None:
            comment = entry.comment
            return Entry(
                kind="comment",
                at=comment.created_at,
                author=self.person(comment.author, repo),
                id=comment.id,
                body=render(comment.body, repository=repo),
                raw=comment.body,
                edited=comment.updated_at > comment.created_at,
                reactions=_reactions(comment.reactions),
            )
        if entry.review is not None:
            review = entry.review
            body = render(review.body, repository=repo) if review.body else ""
            author = self.person(review.author, repo)
            return Entry("review", entry.at, author, id=review.id, body=body, review=review.state.lower())
        if entry.kind == "commit":
            sha = entry.sha or ""
            commit = commits.get(sha) or Commit(sha, entry.text, who, entry.at, checks=self.checks(repo, sha))
            return Entry("commit", entry.at, commit.author, commit=commit)
        if entry.kind == "opened":
            text = entry.text
            return Entry("opened", entry.at, who, body=render(text, repository=repo) if text else "")
        return Entry(entry.kind, entry.at, who, detail=entry.sha or entry.text)

    # what changed --------------------------------------------------------------------------

    def pull_version(self, repo: str, number: int) -> str:
        """Give a short text that differs after anything that a pull request's pages show."""
        with self._world.lock:
            pull = self._world.pull(repo, number)
            tip = self._world.tip(repo, pull.base_ref)
            return _digest(tip, *self._state_of(repo, pull))

    def repo_version(self, repo: str) -> str:
        """Give a short text that differs after anything that a repository's pages show."""
        with self._world.lock:
            repository = self._world.repository(repo)
            branches = self._world.branches(repo)
            return _digest(
                branches, *(part for pull in repository.pulls for part in self._state_of(repo, pull))
            )

    def world_version(self) -> str:
        """Give a short text that differs after anything that the list of repositories shows."""
        with self._world.lock:
            return _digest(*(self.repo(repository) for repository in self._world.repositories()))

    def _state_of(self, repo: str, pull: model.Pull) -> Iterable[object]:
        yield (pull.number, pull.title, pull.state, pull.draft, pull.locked, pull.merged, pull.head_sha)
        yield (pull.updated_at, [label.name for label in pull.labels], len(pull.timeline), len(pull.reviews))
        for comment in pull.comments:
            yield (comment.id, comment.body, [(one.id, one.content) for one in comment.reactions])
        for run in self._world.checks(repo, pull.head_sha):
            yield (run.id, run.name, run.status, run.conclusion, run.output, run.actions)
        yield [status.id for status in self._world.statuses(repo, pull.head_sha)]


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _state(pull: model.Pull) -> State:
    if pull.merged:
        return "merged"
    if pull.state == "closed":
        return "closed"
    return "draft" if pull.draft else "open"


def _told(timeline: Iterable[model.Entry]) -> Iterable[model.Entry]:
    """Leave out that a merge also closes."""
    merged = False
    for entry in timeline:
        if not (merged and entry.kind == "closed"):
            yield entry
        merged = merged or entry.kind == "merged"


def _table(change: model.FileDiff) -> FileTable:
    return table_of(change.path, change.patch, status=change.status, previous_path=change.previous_path)


def _check(repo: str, run: model.CheckRun) -> CheckRun:
    output = run.output
    return CheckRun(
        name=run.name,
        conclusion=(run.conclusion or "neutral") if run.status == "completed" else "pending",
        title=str(output.get("title") or ""),
        summary=render(str(output.get("summary") or ""), repository=repo),
        text=render(str(output.get("text") or ""), repository=repo),
        app=run.app.name,
        remarks=tuple(_remark(run.name, one) for one in run.annotations),
        started_at=run.started_at,
        id=run.id,
        actions=tuple(Action(**action) for action in run.actions),
    )


def _status(status: model.CommitStatus) -> CheckRun:
    return CheckRun(
        name=status.context,
        conclusion="failure" if status.state == "error" else status.state,
        title=status.description or "",
        app=status.creator.login.removesuffix("[bot]"),
        started_at=status.created_at,
        link=status.target_url or "",
    )


def _remark(check: str, annotation: dict[str, object]) -> Remark:
    start = _line(annotation.get("start_line"))
    return Remark(
        path=str(annotation.get("path") or ""),
        start=start,
        end=max(start, _line(annotation.get("end_line"))),
        level=str(annotation.get("annotation_level") or "notice"),
        message=str(annotation.get("message") or ""),
        title=str(annotation.get("title") or ""),
        check=check,
    )


def _line(value: object) -> int:
    return value if isinstance(value, int) else 1


def _reactions(reactions: Iterable[model.Reaction]) -> tuple[Reactions, ...]:
    people: dict[str, list[str]] = {}
    for one in reactions:
        people.setdefault(one.content, []).append(one.user.login)
    return tuple(Reactions(EMOJI.get(name, name), len(who), ", ".join(who)) for name, who in people.items())
