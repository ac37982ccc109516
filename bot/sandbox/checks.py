"""Check runs, their suites and their buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.base import FORBIDDEN, locked
from bot.sandbox.deployments import Deployments
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.model import CheckRun, CheckSuite

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Account, App, Repository

STATUSES = frozenset({"queued", "in_progress", "completed", "waiting", "requested", "pending"})
CONCLUSIONS = frozenset(
    {"action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out"}
)
LONGEST_OUTPUT = 65_535  # characters of a summary or text
MOST_ANNOTATIONS = 50  # in one request
MOST_ACTIONS = 3
ACTION_LIMITS = {"label": 20, "description": 40, "identifier": 20}  # characters
WORST = ("failure", "timed_out", "action_required", "cancelled", "stale", "success", "neutral", "skipped")


class Checks(Deployments):
    """Check runs of Apps."""

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self._suites: dict[tuple[int, int, str], CheckSuite] = {}

    # suites ----------------------------------------------------------------------------------------

    def _suite(self, repository: Repository, app: App, sha: str) -> CheckSuite:
        key = (repository.id, app.id, sha)
        if key not in self._suites:
            self._suites[key] = CheckSuite(self.next_id(), app, sha, self.now())
        return self._suites[key]

    @locked
    def suite_of(self, repository: Repository, app: App, sha: str) -> CheckSuite:
        """Give an App's check suite on a commit."""
        return self._suite(repository, app, sha)

    @locked
    def check_suite(self, repo: str, suite_id: int) -> CheckSuite:
        """Find a check suite. Raises ``ApiError`` 404."""
        number = self.repository(repo).id
        for (repository_id, _, _), suite in self._suites.items():
            if repository_id == number and suite.id == suite_id:
                return suite
        raise not_found()

    @locked
    def check_suites(self, repo: str, sha: str) -> list[CheckSuite]:
        """Give the check suites on a commit, oldest first."""
        number = self.repository(repo).id
        found = [suite for (home, _, at), suite in self._suites.items() if home == number and at == sha]
        return sorted(found, key=lambda suite: suite.id)

    @locked
    def state_of_suite(self, repository: Repository, suite: CheckSuite) -> tuple[str, str | None]:
        """Give status and conclusion of a suite: of its runs, unless all were asked for again."""
        runs = [run for run in self.checks(repository.full_name, suite.sha) if run.app is suite.app]
        if suite.rerequested or not runs:
            return "queued", None
        if all(run.status == "completed" for run in runs):
            return "completed", min((run.conclusion or "neutral" for run in runs), key=WORST.index)
        return ("queued" if all(run.status == "queued" for run in runs) else "in_progress"), None

    # runs --------------------------------------------------------------------------------------------

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
        self._suite(repository, app, sha).rerequested = False
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
        self._suite(repository, app, run.sha).rerequested = False
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
        actions = run.actions if fields.get("actions") is None else _actions(fields["actions"])
        run.status, run.output = status, output
        run.conclusion = conclusion if status == "completed" else None
        run.completed_at = (run.completed_at or self.now()) if status == "completed" else None
        run.name = fields.get("name") or run.name
        run.external_id = fields.get("external_id", run.external_id) or ""
        run.details_url = fields.get("details_url", run.details_url)
        run.actions = actions

    def _tell_check(
        self,
        repository: Repository,
        run: CheckRun,
        action: str,
        who: Account | None = None,
        *,
        only: App | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Deliver a ``check_run`` event, of the App itself unless somebody else did it."""
        self.notify(
            repository,
            "check_run",
            who or run.app.bot,
            lambda urls: {
                "action": action,
                "check_run": shapes.check_shape(self, repository, run, urls, hook=True),
                **(more or {}),
            },
            only=only,
        )

    # what people ask of a check ---------------------------------------------------------------------

    @locked
    def rerequest_check(self, repo: str, check_id: int, *, by: str) -> None:
        """Press "Re-run" on a check: its App alone is told, and must act.

        As GitHub documents: the suite is queued again and has no conclusion, the run stays as it is.

        Raises:
            ApiError: 403 without write, and for another App's check; 404; 422 for a run that has not ended.
        """
        repository, run = self.repository(repo), self.check(repo, check_id)
        who = self._may_ask(repository, run.app, by)
        if run.status != "completed":
            raise ApiError(422, "This check run is not rerequestable")
        self._suite(repository, run.app, run.sha).rerequested = True
        self._tell_check(repository, run, "rerequested", who, only=run.app)

    @locked
    def rerequest_suite(self, repo: str, suite_id: int, *, by: str) -> None:
        """Press "Re-run all checks" of an App: it alone is told (``check_suite`` ``rerequested``).

        Raises:
            ApiError: 403 without write, and for another App's suite; 404.
        """
        repository, suite = self.repository(repo), self.check_suite(repo, suite_id)
        who = self._may_ask(repository, suite.app, by)
        suite.rerequested = True
        self.notify(
            repository,
            "check_suite",
            who,
            lambda urls: {
                "action": "rerequested",
                "check_suite": shapes.suite_shape(self, repository, suite, urls, hook=True),
            },
            only=suite.app,
        )

    @locked
    def press(self, repo: str, check_id: int, identifier: str, *, by: str) -> None:
        """Press a button of a check: its App alone is told (``check_run`` ``requested_action``).

        GitHub has no operation for it, so the world decides as the page does: people with write see buttons.

        Raises:
            ApiError: 403 without write, 404, 422 for a button that the check does not have.
        """
        repository, run = self.repository(repo), self.check(repo, check_id)
        who = self._may_ask(repository, run.app, by)
        if identifier not in {action["identifier"] for action in run.actions}:
            raise invalid("CheckRun", "identifier", "custom", "The check has no such action.")
        asked = {"requested_action": {"identifier": identifier}}
        self._tell_check(repository, run, "requested_action", who, only=run.app, more=asked)

    def _may_ask(self, repository: Repository, app: App, by: str) -> Account:
        who = self.account(by)
        self.require(repository, who, Role.WRITE)
        if who.app_id not in {None, app.id}:
            raise ApiError(403, FORBIDDEN)
        return who


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


def _actions(given: Any) -> list[dict[str, Any]]:
    """Check the buttons of a run. Raises ``ApiError`` 422."""
    if not isinstance(given, list) or not all(isinstance(action, dict) for action in given):
        raise invalid("CheckRun", "actions")
    if len(given) > MOST_ACTIONS:
        raise invalid("CheckRun", "actions", "custom", f"Only {MOST_ACTIONS} actions are allowed")
    for action in given:
        for name, limit in ACTION_LIMITS.items():
            value = action.get(name)
            if not isinstance(value, str) or not value:
                raise invalid("CheckRun", name, "missing_field")
            if len(value) > limit:
                raise invalid(
                    "CheckRun", name, "custom", f"{name} is too long (maximum is {limit} characters)"
                )
    return [{name: action[name] for name in ACTION_LIMITS} for action in given]
