"""Pull requests: opening, following their branches, merging, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.base import locked
from bot.sandbox.code import HEADS
from bot.sandbox.errors import ApiError, invalid
from bot.sandbox.git import ABSENT
from bot.sandbox.model import Entry, Issue, Label, Pull
from bot.sandbox.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from bot.sandbox.base import Urls
    from bot.sandbox.model import Account, Commit, MergeMethod, Repository, TimelineKind

LONGEST_TITLE = 256
LONGEST_BODY = 65_536  # characters, of any body text
WORKED_ON = frozenset({"opened", "synchronize", "reopened"})
"""What a workflow of ``pull_request`` starts at unless it says otherwise."""


class Pulls(Reading):
    """Pull requests and plain issues, and what a push does to them."""

    # opening -------------------------------------------------------------------------------------

    @locked
    def open_issue(self, repo: str, title: str, body: str | None = "", *, by: str) -> Issue:
        """Open an issue that is no pull request."""
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.READ)
        title = self.must_be_text("Issue", "title", title, LONGEST_TITLE)
        repository.last_number += 1
        now = self.now()
        issue = Issue(
            self.next_id(), repository.last_number, title, body, who, now, now, app=self.app_of(who)
        )
        issue.timeline.append(Entry("opened", now, who, body or ""))
        repository.issues[issue.number] = issue
        return issue

    @locked
    def open_pull(
        self,
        repo: str,
        head: str,
        base: str,
        title: str,
        body: str | None = "",
        *,
        by: str,
        fork: str | None = None,
        draft: bool = False,
        maintainer_can_modify: bool = True,
    ) -> Pull:
        """Open a pull request from branch ``head``, of the fork ``owner/name`` when given.

        Raises:
            ApiError: 422 for an unknown branch, no commits between, or one that is open already.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.READ)
        self.check_workflow_pull(repository, who)
        source = self.repository(fork) if fork is not None else repository
        title = self.must_be_text("PullRequest", "title", title, LONGEST_TITLE)
        if body is not None and len(body) > LONGEST_BODY:
            sentence = f"body is too long (maximum is {LONGEST_BODY} characters)"
            raise invalid("PullRequest", "body", "custom", sentence)
        head_sha, base_sha = self.tip(source.full_name, head), self.tip(repo, base)
        if base_sha is None:
            raise invalid("PullRequest", "base")
        if head_sha is None:
            raise invalid("PullRequest", "head")
        for other in repository.pulls:
            same = other.head_repository is source and other.head_ref == head and other.base_ref == base
            if same and other.state == "open":
                sentence = f"A pull request already exists for {source.owner.login}:{head}."
                raise ApiError(
                    422,
                    "Validation Failed",
                    [{"resource": "PullRequest", "code": "custom", "message": sentence}],
                )
        if repository.git.merge_base(base_sha, head_sha) is None:
            sentence = f"The {head} branch has no history in common with {base}"
            raise ApiError(
                422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": sentence}]
            )
        if repository.git.is_ancestor(head_sha, base_sha):
            label = head if source is repository else f"{source.owner.login}:{head}"
            sentence = f"No commits between {base} and {label}"
            raise ApiError(
                422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": sentence}]
            )
        repository.last_number += 1
        now = self.now()
        pull = Pull(
            self.next_id(),
            repository.last_number,
            title,
            body,
            who,
            now,
            now,
            app=self.app_of(who),
            head_repository=source,
            head_owner=source.owner,
            head_ref=head,
            head_sha=head_sha,
            base_ref=base,
            base_sha=base_sha,
            draft=draft,
            maintainer_can_modify=maintainer_can_modify and source is not repository,
        )
        repository.issues[pull.number] = pull
        self._keep_head(repository, pull)
        pull.timeline.append(Entry("opened", now, who, body or ""))
        for commit in self.commits_of(repo, pull.number):
            pull.timeline.append(Entry("commit", now, who, commit.message, commit.sha))
        self.tell(repository, pull, "opened", who)
        return pull

    def _keep_head(self, repository: Repository, pull: Pull) -> None:
        name = f"refs/pull/{pull.number}/head"
        repository.git.update_ref(name, pull.head_sha, repository.git.ref(name) or ABSENT)

    def tell(self, repository: Repository, pull: Pull, action: str, who: Account | None, **more: Any) -> None:
        """Deliver a ``pull_request`` event."""
        if action in WORKED_ON:
            self.note_event(repository, pull.head_sha, "pull_request", who)

        def build(urls: Urls) -> dict[str, Any]:
            shape = shapes.pull_shape(self, repository, pull, urls, hook=True)
            return {"action": action, "number": pull.number, "pull_request": shape, **more}

        self.notify(repository, "pull_request", who, build)

    # following the branches ------------------------------------------------------------------------

    def after_push(
        self, repository: Repository, branch: str, old: str, new: str | None, who: Account | None
    ) -> None:
        """Deliver ``push``, and move, merge or close the pull requests of the branch."""
        if new is not None:
            self.note_event(repository, new, "push", who)
        self.notify(
            repository,
            "push",
            who,
            lambda urls: shapes.push_shape(self, repository, branch, (old, new or ABSENT), urls, who=who),
        )
        for home in self.repositories():
            for pull in home.pulls:
                if pull.state == "closed":
                    continue
                if pull.head_repository is repository and pull.head_ref == branch:
                    self._head_moved(home, pull, new, who)
                elif home is repository and pull.base_ref == branch:
                    self._base_moved(home, pull, old, new, who)

    def _head_moved(self, home: Repository, pull: Pull, new: str | None, who: Account | None) -> None:
        if new is None:
            pull.timeline.append(Entry("head-deleted", self.now(), who, pull.head_ref))
            self._close(home, pull, who)
            return
        old = pull.head_sha
        base = home.git.ref(HEADS + pull.base_ref) or pull.base_sha
        pull.head_sha, pull.base_sha, pull.updated_at = new, base, self.now()
        self._keep_head(home, pull)
        if home.git.is_ancestor(old, new):
            for commit in reversed(home.git.log(new, f"^{old}", f"^{base}")):
                pull.timeline.append(Entry("commit", self.now(), who, commit.message, commit.sha))
        else:
            pull.timeline.append(Entry("force-pushed", self.now(), who, old, new))
        self.tell(home, pull, "synchronize", who, before=old, after=new)

    def _base_moved(
        self, home: Repository, pull: Pull, old: str, new: str | None, who: Account | None
    ) -> None:
        if new is None:
            self._close(home, pull, who)
        elif home.git.is_ancestor(pull.head_sha, new) and not home.git.is_ancestor(pull.head_sha, old):
            self._merged(home, pull, new, old, who)

    # closing and merging -----------------------------------------------------------------------------

    def _close(self, repository: Repository, pull: Issue, who: Account | None) -> None:
        if isinstance(pull, Pull):
            pull.compared_with = repository.git.ref(HEADS + pull.base_ref) or pull.base_sha
        pull.state, pull.closed_at, pull.closed_by = "closed", self.now(), who
        pull.updated_at = self.now()
        pull.timeline.append(Entry("closed", self.now(), who))
        if isinstance(pull, Pull):
            self.tell(repository, pull, "closed", who)

    def _merged(self, repository: Repository, pull: Pull, sha: str, base: str, who: Account | None) -> None:
        pull.compared_with = base
        pull.merged_at, pull.merged_by, pull.merge_commit_sha = self.now(), who, sha
        pull.timeline.append(Entry("merged", self.now(), who, pull.base_ref, sha))
        pull.state, pull.closed_at, pull.closed_by = "closed", self.now(), who
        pull.updated_at = self.now()
        self.tell(repository, pull, "closed", who)

    @locked
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
        """Merge (needs write) and give the sha.

        Raises:
            ApiError: 405 not open, a draft, or a conflict; 409 the head is not ``sha``; 403.
        """
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.WRITE)
        if pull.draft and pull.state == "open":
            raise ApiError(405, "Pull Request is still a draft")
        if pull.state == "closed":
            raise ApiError(405, "Pull Request is not mergeable")
        if sha is not None and sha != pull.head_sha:
            raise ApiError(409, "Head branch was modified. Review and try the merge again.")
        if method not in repository.merge_methods:
            words = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
            raise ApiError(405, f"{words[method]} are not allowed on this repository.")
        self.check_protection(repository, pull, who, method)
        base = repository.git.ref(HEADS + pull.base_ref)
        if base is None:
            raise ApiError(405, "Pull Request is not mergeable")
        new = self._merge_commit(repository, pull, base, who, (method, title, message))
        if new is None:
            raise ApiError(405, "Pull Request is not mergeable")
        self._merged(repository, pull, new, base, who)
        self.push(repository, pull.base_ref, new, base, who)
        if repository.delete_branch_on_merge:
            self._delete_head(repository, pull, who)
        return new

    def _delete_head(self, repository: Repository, pull: Pull, who: Account) -> None:
        tip = repository.git.ref(HEADS + pull.head_ref)
        if pull.head_repository is repository and pull.head_ref != repository.default_branch and tip:
            self.push(repository, pull.head_ref, None, tip, who)

    def check_protection(
        self, repository: Repository, pull: Pull, who: Account | None = None, method: MergeMethod = "merge"
    ) -> None:
        """Refuse a merge that a rule of the repository forbids; the parts above know."""

    def _merge_commit(
        self,
        repository: Repository,
        pull: Pull,
        base: str,
        who: Account,
        wanted: tuple[MergeMethod, str | None, str | None],
    ) -> str | None:
        method, title, message = wanted
        git, made = repository.git, self.signed(who)
        commits = self.commits_of(repository.full_name, pull.number)
        if method == "rebase":
            return git.replay([commit for commit in commits if len(commit.parents) < 2], base, made)  # noqa: PLR2004 - a merge has two
        tree = git.merge_tree(base, pull.head_sha)
        if tree is None:
            return None
        if method == "squash":
            made = self.signed(pull.author)
            title, message = _squashed(pull, commits, title, message)
            parents = [base]
        else:
            title = title or f"Merge pull request #{pull.number} from {pull.head_owner.login}/{pull.head_ref}"
            message = pull.title if message is None else message
            parents = [base, pull.head_sha]
        text = f"{title}\n\n{message}" if message else title
        return git.write_commit(tree, parents, text, made)

    @locked
    def close_pull(self, repo: str, number: int, *, by: str) -> None:
        """Close without merging (the author, or triage); a closed one stays as it is."""
        repository, issue, who = self.repository(repo), self.issue(repo, number), self.account(by)
        self.require(repository, who, Role.READ if who is issue.author else Role.TRIAGE)
        if issue.state == "open":
            self._close(repository, issue, who)

    @locked
    def reopen(self, repo: str, number: int, *, by: str) -> None:
        """Open a closed one again. Raises ``ApiError`` 422 when merged or the branch is gone."""
        repository, issue, who = self.repository(repo), self.issue(repo, number), self.account(by)
        self.require(repository, who, Role.READ if who is issue.author else Role.TRIAGE)
        if issue.state == "open":
            return
        if isinstance(issue, Pull):
            self._may_reopen(repository, issue)
        issue.state, issue.closed_at, issue.closed_by = "open", None, None
        issue.updated_at = self.now()
        issue.timeline.append(Entry("reopened", self.now(), who))
        if isinstance(issue, Pull):
            self.tell(repository, issue, "reopened", who)

    def _may_reopen(self, repository: Repository, pull: Pull) -> None:
        source = pull.head_repository
        tip = source.git.ref(HEADS + pull.head_ref) if source is not None else None
        base = repository.git.ref(HEADS + pull.base_ref)
        sentence = ""
        if pull.merged:
            sentence = "state cannot be changed. The pull request cannot be reopened."
        elif tip is None or base is None:
            sentence = f"state cannot be changed. The {pull.head_ref} branch has been deleted."
        elif tip != pull.head_sha and not repository.git.is_ancestor(pull.head_sha, tip):
            sentence = f"state cannot be changed. The {pull.head_ref} branch was force-pushed or recreated."
        if sentence or tip is None:
            raise invalid("PullRequest", "state", "invalid", sentence)
        pull.head_sha = tip
        self._keep_head(repository, pull)

    @locked
    def edit_pull(
        self,
        repo: str,
        number: int,
        *,
        by: str,
        title: str | None = None,
        body: str | None = None,
        base: str | None = None,
    ) -> None:
        """Change title, body or base (the author, or write). Raises ``ApiError`` 422."""
        repository, pull, who = self.repository(repo), self.pull(repo, number), self.account(by)
        self.require(repository, who, Role.READ if who is pull.author else Role.WRITE)
        changes: dict[str, Any] = {}
        if title is not None and title != pull.title:
            changes["title"] = {"from": pull.title}
            pull.title = self.must_be_text("PullRequest", "title", title, LONGEST_TITLE)
            pull.timeline.append(Entry("renamed", self.now(), who, title))
        if body is not None and body != pull.body:
            if len(body) > LONGEST_BODY:
                sentence = f"body is too long (maximum is {LONGEST_BODY} characters)"
                raise invalid("PullRequest", "body", "custom", sentence)
            changes["body"] = {"from": pull.body or ""}
            pull.body = body
        if base is not None and base != pull.base_ref:
            sha = self.tip(repo, base)
            if sha is None:
                raise invalid("PullRequest", "base")
            changes["base"] = {"ref": {"from": pull.base_ref}, "sha": {"from": pull.base_sha}}
            pull.base_ref, pull.base_sha = base, sha
        if changes:
            pull.updated_at = self.now()
            self.tell(repository, pull, "edited", who, changes=changes)

    # labels ------------------------------------------------------------------------------------------

    @locked
    def add_labels(self, repo: str, number: int, names: Sequence[str], *, by: str) -> None:
        """Add labels (needs triage); new ones are created."""
        repository, issue, who = self.repository(repo), self.issue(repo, number), self.account(by)
        self.require(repository, who, Role.TRIAGE)
        for name in names:
            label = repository.labels.setdefault(name.casefold(), Label(self.next_id(), name))
            if label in issue.labels:
                continue
            issue.labels.append(label)
            issue.updated_at = self.now()
            self._labeled(repository, issue, label, "labeled", who)

    @locked
    def remove_label(self, repo: str, number: int, name: str, *, by: str) -> None:
        """Take a label off (needs triage). Raises ``ApiError`` 404 "Label does not exist"."""
        repository, issue, who = self.repository(repo), self.issue(repo, number), self.account(by)
        self.require(repository, who, Role.TRIAGE)
        label = repository.labels.get(name.casefold())
        if label is None or label not in issue.labels:
            raise ApiError(404, "Label does not exist")
        issue.labels.remove(label)
        issue.updated_at = self.now()
        self._labeled(repository, issue, label, "unlabeled", who)

    def _labeled(
        self, repository: Repository, issue: Issue, label: Label, action: TimelineKind, who: Account
    ) -> None:
        issue.timeline.append(Entry(action, self.now(), who, label.name))
        if isinstance(issue, Pull):
            shown = shapes.label_shape(repository, label, self.urls)
            self.tell(repository, issue, action, who, label=shown)


def _squashed(
    pull: Pull, commits: Sequence[Commit], title: str | None, message: str | None
) -> tuple[str, str]:
    """Give a squash's message: of the one commit, or the pull request's title and all of them."""
    subject, _, rest = commits[0].message.strip().partition("\n")
    if len(commits) == 1:
        default, text = subject, rest.strip()
    else:
        default, text = pull.title, "\n\n".join(f"* {commit.message.strip()}" for commit in commits)
    return title or f"{default} (#{pull.number})", text if message is None else message
