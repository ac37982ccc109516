"""Check runs, check suites, commit statuses and deployments as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.sandbox.shapes.common import account_shape, app_shape, minimal_repository_shape, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.sandbox.base import Urls
    from bot.sandbox.checks import Checks
    from bot.sandbox.model import (
        CheckRun,
        CheckSuite,
        CommitStatus,
        Deployment,
        DeploymentStatus,
        Pull,
        Repository,
    )

Json = dict[str, Any]


def status_shape(repository: Repository, status: CommitStatus, urls: Urls, *, short: bool = False) -> Json:
    """Give a status as ``status``, or as ``simple-commit-status``."""
    creator = account_shape(status.creator, urls)
    shape: Json = {
        "url": f"{urls.api}/repos/{repository.full_name}/statuses/{status.sha}",
        "avatar_url": creator["avatar_url"],
        "id": status.id,
        "node_id": f"SC_{status.id}",
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": stamp(status.created_at),
        "updated_at": stamp(status.created_at),
    }
    return shape if short else shape | {"creator": creator}


def deployment_shape(repository: Repository, deployment: Deployment, urls: Urls) -> Json:
    """Give a deployment as ``deployment``."""
    api = f"{urls.api}/repos/{repository.full_name}"
    return {
        "url": f"{api}/deployments/{deployment.id}",
        "id": deployment.id,
        "node_id": f"DE_{deployment.id}",
        "sha": deployment.sha,
        "ref": deployment.ref,
        "task": "deploy",
        "payload": {},
        "original_environment": deployment.environment,
        "environment": deployment.environment,
        "description": deployment.description,
        "creator": account_shape(deployment.creator, urls),
        "created_at": stamp(deployment.created_at),
        "updated_at": stamp(deployment.created_at),
        "statuses_url": f"{api}/deployments/{deployment.id}/statuses",
        "repository_url": api,
        "performed_via_github_app": None,
        "transient_environment": False,
        "production_environment": deployment.environment == "production",
    }


def deployment_status_shape(
    repository: Repository, deployment: Deployment, status: DeploymentStatus, urls: Urls
) -> Json:
    """Give how a deployment went as ``deployment-status``."""
    api = f"{urls.api}/repos/{repository.full_name}"
    here = f"{api}/deployments/{deployment.id}"
    return {
        "url": f"{here}/statuses/{status.id}",
        "id": status.id,
        "node_id": f"DES_{status.id}",
        "state": status.state,
        "creator": account_shape(status.creator, urls),
        "description": status.description,
        "environment": deployment.environment,
        "target_url": "",
        "created_at": stamp(status.created_at),
        "updated_at": stamp(status.created_at),
        "deployment_url": here,
        "repository_url": api,
        "performed_via_github_app": None,
        "environment_url": "",
        "log_url": "",
    }


def combined_status_shape(
    repository: Repository, sha: str, latest: Sequence[CommitStatus], urls: Urls
) -> Json:
    """Give a commit's statuses together as ``combined-commit-status``, without the list itself.

    Args:
        repository: Of the commit.
        sha: The commit.
        latest: The latest status of each context.
        urls: Where the sandbox is.
    """
    api, states = f"{urls.api}/repos/{repository.full_name}", {one.state for one in latest}
    state = "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"
    return {
        "state": state,
        "sha": sha,
        "total_count": len(latest),
        "repository": minimal_repository_shape(repository, urls),
        "commit_url": f"{api}/commits/{sha}",
        "url": f"{api}/commits/{sha}/status",
    }


def check_shape(
    world: Checks, repository: Repository, run: CheckRun, urls: Urls, *, hook: bool = False
) -> Json:
    """Give a check run."""
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    url = f"{api}/check-runs/{run.id}"
    suite = world.suite_of(repository, run.app, run.sha)
    pulls = small_pulls(repository, run.sha, urls)
    shape: Json = {
        "id": run.id,
        "name": run.name,
        "node_id": f"CR_{run.id}",
        "head_sha": run.sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": f"{page}/runs/{run.id}",
        "details_url": run.details_url or f"{page}/runs/{run.id}",
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": stamp(run.started_at),
        "completed_at": stamp(run.completed_at),
        "output": {
            "title": run.output.get("title"),
            "summary": run.output.get("summary"),
            "text": run.output.get("text"),
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": suite.id},
        "app": app_shape(run.app, urls),
        "pull_requests": pulls,
    }
    if hook:
        shape["check_suite"] = suite_shape(world, repository, suite, urls)
    return shape


def small_pulls(repository: Repository, sha: str, urls: Urls) -> list[Json]:
    """Give the open pull requests of a head commit; those of forks are not found, as on GitHub."""
    return [
        _small_pull(repository, pull, urls)
        for pull in repository.pulls
        if pull.head_sha == sha and pull.head_repository is repository and pull.state == "open"
    ]


def _small_pull(repository: Repository, pull: Pull, urls: Urls) -> Json:
    api = f"{urls.api}/repos/{repository.full_name}"
    home = {"id": repository.id, "url": api, "name": repository.name}
    return {
        "id": pull.id,
        "number": pull.number,
        "url": f"{api}/pulls/{pull.number}",
        "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": home},
        "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": home},
    }


def suite_shape(
    world: Checks,
    repository: Repository,
    suite: CheckSuite,
    urls: Urls,
    *,
    hook: bool = False,
    full: bool = False,
) -> Json:
    """Give a check suite: as it stands in a run of a webhook, with ``hook`` as a webhook's own, or ``full``."""
    url = f"{urls.api}/repos/{repository.full_name}/check-suites/{suite.id}"
    status, conclusion = world.state_of_suite(repository, suite)
    runs = [run for run in world.checks(repository.full_name, suite.sha) if run.app is suite.app]
    ended = [run.completed_at for run in runs if run.completed_at is not None]
    pulls = small_pulls(repository, suite.sha, urls)
    branches = [name for name, sha in world.branches(repository.full_name).items() if sha == suite.sha]
    shape: Json = {
        "id": suite.id,
        "node_id": f"CS_{suite.id}",
        "head_branch": pulls[0]["head"]["ref"] if pulls else next(iter(branches), None),
        "head_sha": suite.sha,
        "status": status,
        "conclusion": conclusion,
        "url": url,
        "before": None,
        "after": None,
        "pull_requests": pulls,
        "app": app_shape(suite.app, urls),
        "created_at": stamp(suite.created_at),
        "updated_at": stamp(max([*ended, suite.created_at])),
    }
    if not (hook or full):
        return shape
    commit = repository.git.commit(suite.sha)
    shape |= {
        "head_commit": {
            "id": commit.sha,
            "tree_id": commit.tree,
            "message": commit.message,
            "timestamp": stamp(commit.committed_at),
            "author": {"name": commit.author_name, "email": commit.author_email},
            "committer": {"name": commit.committer_name, "email": commit.committer_email},
        },
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
        "rerequestable": True,
        "runs_rerequestable": True,
    }
    if full:
        shape["repository"] = minimal_repository_shape(repository, urls)
    return shape
