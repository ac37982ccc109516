"""Check runs, and the rules that keep a branch from being merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.model import CheckRun
from bot.sandbox.talk import Talk

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import App, Pull, Repository

STATUSES = frozenset({"queued", "in_progress", "completed", "waiting", "requested", "pending"})
CONCLUSIONS = frozenset(
    {"action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out"}
)
LONGEST_OUTPUT = 65_535  # characters of a summary or text
MOST_ANNOTATIONS = 50  # in one request
GOOD = frozenset({"success", "neutral", "skipped"})


@dataclass(frozen=True, slots=True)
class Protection:
    """What a branch asks of a merge: these checks good on the head, so many approvals.

    With ``pulls_only`` nobody writes to it directly.
    """

    checks: tuple[str, ...] = ()
    approvals: int = 0
    pulls_only: bool = False


class Checks(Talk):
    """Check runs of Apps."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._protections: dict[tuple[int, str], Protection] = {}
        self._suites: dict[tuple[int, int, str], int] = {}

    @locked
    def suite_of(self, repository: Repository, app: App, sha: str) -> int:
        """Give the id of an App's check suite on a commit."""
        key = (repository.id, app.id, sha)
        if key not in self._suites:
            self._suites[key] = self.next_id()
        return self._suites[key]

    @locked
    def check(self, repo: str, check_id: int) -> CheckRun:
        """Find a check run. Raises ``ApiError`` 404."""
        for run in self.repository(repo).checks:
            if run.id == check_id:
                return run
        raise not_found()

    @locked
    def checks(self, repo: str, sha: str) -> list[CheckRun]:
        """Give the latest check run of each App and name on a commit, oldest first."""
        latest: dict[tuple[int, str], CheckRun] = {}
        for run in self.repository(repo).checks:
            if run.sha == sha:
                latest[run.app.id, run.name] = run
        return sorted(latest.values(), key=lambda run: run.id)

    @locked
    def all_checks(self, repo: str, sha: str) -> list[CheckRun]:
        """Give all check runs on a commit, oldest first."""
        return [run for run in self.repository(repo).checks if run.sha == sha]

    @locked
    def create_check(self, repo: str, app: App, fields: dict[str, Any]) -> CheckRun:
        """Create a check run from the fields of ``POST .../check-runs``.

        Raises:
            ApiError: 422 for a missing name, an unknown commit, or a field beyond GitHub's limits.
        """
        repository = self.repository(repo)
        name, sha = fields.get("name"), fields.get("head_sha")
        if not isinstance(name, str) or not name:
            raise invalid("CheckRun", "name", "missing_field")
        if not isinstance(sha, str) or repository.git.kind(sha) != "commit":
            raise ApiError(422, f"No commit found for SHA: {sha}")
        run = CheckRun(self.next_id(), name, sha, app, "queued", None, self.now(), None, {})
        self._update(run, fields)
        repository.checks.append(run)
        self._tell_check(repository, run, "created")
        if run.status == "completed":
            self._tell_check(repository, run, "completed")
        return run

    @locked
    def update_check(self, repo: str, check_id: int, app: App, fields: dict[str, Any]) -> CheckRun:
        """Change a check run from the fields of ``PATCH``; annotations are added to those there."""
        repository, run = self.repository(repo), self.check(repo, check_id)
        if run.app is not app:
            raise ApiError(
                403,
                f"Invalid app_id `{app.id}` - check run can only be modified by the GitHub App that created it.",
            )
        before = run.status
        self._update(run, fields)
        if run.status == "completed" and before != "completed":
            self._tell_check(repository, run, "completed")
        return run

    def _update(self, run: CheckRun, fields: dict[str, Any]) -> None:
        for name in ("name", "status", "conclusion", "external_id", "details_url"):
            if not isinstance(fields.get(name, ""), str | None):
                raise invalid("CheckRun", name)
        status, conclusion = fields.get("status", run.status), fields.get("conclusion", run.conclusion)
        if status not in STATUSES:
            raise invalid("CheckRun", "status", "invalid", f"`{status}` is not a status")
        if conclusion is not None and conclusion not in CONCLUSIONS:
            raise invalid("CheckRun", "conclusion", "invalid", f"`{conclusion}` is not a conclusion")
        if fields.get("conclusion") is not None:
            status = "completed"
        if status == "completed" and conclusion is None:
            raise invalid("CheckRun", "conclusion", "missing_field")
        output = _output(run.output, fields.get("output"))
        run.status, run.output = status, output
        run.conclusion = conclusion if status == "completed" else None
        run.completed_at = (run.completed_at or self.now()) if status == "completed" else None
        run.name = fields.get("name") or run.name
        run.external_id = fields.get("external_id", run.external_id) or ""
        run.details_url = fields.get("details_url", run.details_url)
        run.actions = fields.get("actions", run.actions)

    def _tell_check(
        self, repository: Repository, run: CheckRun, action: str, sender: str | None = None
    ) -> None:
        who = self.account(sender) if sender is not None else run.app.bot
        self.notify(
            repository,
            "check_run",
            who,
            lambda urls: {
                "action": action,
                "check_run": shapes.check_shape(self, repository, run, urls, hook=True),
            },
        )

    @locked
    def rerequest_check(self, repo: str, check_id: int, *, by: str) -> None:
        """Press "Re-run" on a check (needs write): its App is told, and must act."""
        repository, run = self.repository(repo), self.check(repo, check_id)
        self.require(repository, self.account(by), Role.WRITE)
        self._tell_check(repository, run, "rerequested", by)

    @locked
    def protect(
        self,
        repo: str,
        branch: str,
        *,
        checks: tuple[str, ...] = (),
        approvals: int = 0,
        pulls_only: bool = False,
    ) -> None:
        """Put a rule on a branch, in place of the one there; without arguments there is none."""
        self._protections[self.repository(repo).id, branch] = Protection(checks, approvals, pulls_only)

    def check_push(self, repository: Repository, branch: str, status: int) -> None:
        """Refuse a direct write to a protected branch. Raises ``ApiError``."""
        rule = self._protections.get((repository.id, branch))
        if rule is not None and rule.pulls_only:
            sentence = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"
            raise ApiError(status, sentence)

    def check_protection(self, repository: Repository, pull: Pull) -> None:
        """Refuse what the base branch's protection forbids. Raises ``ApiError`` 405."""
        rule = self._protections.get((repository.id, pull.base_ref))
        if rule is None:
            return
        good = {
            run.name for run in self.checks(repository.full_name, pull.head_sha) if run.conclusion in GOOD
        }
        missing = [name for name in rule.checks if name not in good]
        if len(missing) > 1:
            raise ApiError(405, f"{len(missing)} of {len(rule.checks)} required status checks are expected.")
        if missing:
            raise ApiError(405, f'Required status check "{missing[0]}" is expected.')
        latest = {review.author.id: review for review in pull.reviews if review.state != "COMMENTED"}
        approved = [
            review
            for review in latest.values()
            if review.state == "APPROVED"
            and (
                review.author.app_id is not None
                or self.role_of(repository.full_name, review.author.login) >= Role.WRITE
            )
        ]
        if len(approved) < rule.approvals:
            raise ApiError(
                405,
                f"At least {rule.approvals} approving review is required by reviewers with write access.",
            )


def _output(there: dict[str, Any], given: Any) -> dict[str, Any]:
    if given is None:
        return there
    if not isinstance(given, dict) or not isinstance(given.get("summary", there.get("summary")), str):
        raise invalid("CheckRun", "output")
    for field in ("title", "summary", "text"):
        value = given.get(field)
        if not isinstance(value, str | None):
            raise invalid("CheckRun", field)
        if value is not None and len(value) > LONGEST_OUTPUT:
            sentence = f"Only {LONGEST_OUTPUT} characters are allowed; {len(value)} were supplied."
            raise invalid("CheckRun", field, "custom", sentence)
    added = given.get("annotations") or []
    if not isinstance(added, list) or not all(isinstance(remark, dict) for remark in added):
        raise invalid("CheckRun", "annotations")
    if len(added) > MOST_ANNOTATIONS:
        raise invalid("CheckRun", "annotations", "custom", f"Only {MOST_ANNOTATIONS} annotations are allowed")
    return {**there, **given, "annotations": [*(there.get("annotations") or []), *added]}
