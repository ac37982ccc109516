"""Check runs and check suites over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.sandbox import shapes
from bot.sandbox.errors import ApiError
from bot.sandbox.people import Grant
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from bot.sandbox.model import App, CheckRun, Repository

table = Table()


def _checking_app(call: Call) -> App:
    if isinstance(call.caller, Grant):
        return call.caller.installation.app
    raise ApiError(403, "You must authenticate via a GitHub App.")


@table.add("POST", "R/check-runs")
def create_check(call: Call) -> Reply:
    """Create a check run."""
    repository = call.repository("checks", level="write")
    run = call.world.create_check(call.name, _checking_app(call), call.body)
    return Reply(shapes.check_shape(call.world, repository, run, call.urls), 201)


@table.add("PATCH", "R/check-runs/{id:int}")
def update_check(call: Call) -> Reply:
    """Change a check run."""
    repository = call.repository("checks", level="write")
    run = call.world.update_check(call.name, call.path["id"], _checking_app(call), call.body)
    return Reply(shapes.check_shape(call.world, repository, run, call.urls))


@table.add("GET", "R/check-runs/{id:int}")
def get_check(call: Call) -> Reply:
    """Get a check run."""
    repository = call.repository("checks")
    run = call.world.check(call.name, call.path["id"])
    return Reply(shapes.check_shape(call.world, repository, run, call.urls))


@table.add("GET", "R/check-runs/{id:int}/annotations")
def list_annotations(call: Call) -> Reply:
    """List a check's remarks on lines."""
    repository = call.repository("checks")
    run = call.world.check(call.name, call.path["id"])

    def show(remark: dict[str, Any]) -> Any:
        path = remark.get("path", "")
        return {
            "path": path,
            "start_line": remark.get("start_line"),
            "end_line": remark.get("end_line"),
            "start_column": remark.get("start_column"),
            "end_column": remark.get("end_column"),
            "annotation_level": remark.get("annotation_level"),
            "title": remark.get("title"),
            "message": remark.get("message"),
            "raw_details": remark.get("raw_details"),
            "blob_href": f"{call.urls.api}/repos/{repository.full_name}/git/blobs/{run.sha}",
        }

    return call.page(run.annotations, show)


@table.add("POST", "R/check-runs/{id:int}/rerequest")
def rerequest_check(call: Call) -> Reply:
    """Ask for a check again."""
    call.repository("checks", level="write")
    call.world.rerequest_check(call.name, call.path["id"], by=call.login)
    return Reply({}, 201)


def _sha(call: Call, repository: Repository) -> str:
    sha = repository.git.resolve(call.path["sha"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.path['sha']}")
    return sha


def _listed(call: Call, repository: Repository, found: list[CheckRun]) -> Reply:
    query = call.query
    if query.get("filter") != "all":
        latest = {(run.app.id, run.name): run for run in found}
        found = sorted(latest.values(), key=lambda run: run.id)
    if name := query.get("check_name"):
        found = [run for run in found if run.name == name]
    if status := query.get("status"):
        found = [run for run in found if run.status == status]
    if app := query.get("app_id"):
        found = [run for run in found if str(run.app.id) == app]
    return call.page(
        list(reversed(found)),
        lambda run: shapes.check_shape(call.world, repository, run, call.urls),
        "check_runs",
    )


@table.add("GET", "R/commits/{sha:path}/check-runs")
def list_checks(call: Call) -> Reply:
    """List the check runs of a commit, the latest of each name unless ``filter=all``."""
    repository = call.repository("checks")
    return _listed(call, repository, call.world.all_checks(call.name, _sha(call, repository)))


@table.add("GET", "R/check-suites/{id:int}")
def get_suite(call: Call) -> Reply:
    """Get a check suite."""
    repository = call.repository("checks")
    suite = call.world.check_suite(call.name, call.path["id"])
    return Reply(shapes.suite_shape(call.world, repository, suite, call.urls, full=True))


@table.add("POST", "R/check-suites/{id:int}/rerequest")
def rerequest_suite(call: Call) -> Reply:
    """Ask for all checks of an App again."""
    call.repository("checks", level="write")
    call.world.rerequest_suite(call.name, call.path["id"], by=call.login)
    return Reply({}, 201)


@table.add("GET", "R/check-suites/{id:int}/check-runs")
def list_checks_of_suite(call: Call) -> Reply:
    """List the check runs of a suite."""
    repository = call.repository("checks")
    suite = call.world.check_suite(call.name, call.path["id"])
    runs = call.world.all_checks(call.name, suite.sha)
    return _listed(call, repository, [run for run in runs if run.app is suite.app])


@table.add("GET", "R/commits/{sha:path}/check-suites")
def list_suites(call: Call) -> Reply:
    """List the check suites of a commit."""
    repository = call.repository("checks")
    sha = _sha(call, repository)
    found = call.world.check_suites(call.name, sha)
    if app := call.query.get("app_id"):
        found = [suite for suite in found if str(suite.app.id) == app]
    if name := call.query.get("check_name"):
        named = {run.app.id for run in call.world.checks(call.name, sha) if run.name == name}
        found = [suite for suite in found if suite.app.id in named]
    return call.page(
        found,
        lambda suite: shapes.suite_shape(call.world, repository, suite, call.urls, full=True),
        "check_suites",
    )
