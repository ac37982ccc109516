"""Deployments of commits to environments, and how they went."""

from __future__ import annotations

from typing import Any

from bot.ports import Role
from bot.sandbox.base import locked
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.model import Deployment, DeploymentStatus
from bot.sandbox.statuses import Statuses

DEPLOYMENT_STATES = frozenset({"error", "failure", "inactive", "in_progress", "queued", "pending", "success"})


class Deployments(Statuses):
    """What others brought where. No event is told of them: the bot asks for none."""

    @locked
    def create_deployment(self, repo: str, fields: dict[str, Any], *, by: str) -> Deployment:
        """Ask for a deployment (needs write) from the fields of ``POST .../deployments``; no check is waited for.

        Raises:
            ApiError: 422 for an unknown ref, 403, 404.
        """
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        ref = fields.get("ref")
        sha = repository.git.resolve(ref) if isinstance(ref, str) else None
        if sha is None or not isinstance(ref, str):
            raise ApiError(422, f"No ref found for: {ref}")
        environment = str(fields.get("environment") or "production")
        about = fields.get("description")
        made = Deployment(self.next_id(), sha, ref, environment, about, who, self.now())
        repository.deployments.append(made)
        return made

    @locked
    def deployment(self, repo: str, number: int) -> Deployment:
        """Find a deployment. Raises ``ApiError`` 404."""
        found = [one for one in self.repository(repo).deployments if one.id == number]
        if not found:
            raise not_found()
        return found[0]

    @locked
    def deployments(self, repo: str, *, sha: str = "", environment: str = "") -> list[Deployment]:
        """Give deployments, newest first: all, of a commit, or to an environment."""
        return [
            one
            for one in reversed(self.repository(repo).deployments)
            if sha in {"", one.sha} and environment in {"", one.environment}
        ]

    @locked
    def report_deployment(
        self, repo: str, number: int, fields: dict[str, Any], *, by: str
    ) -> DeploymentStatus:
        """Say how a deployment went (needs write). Raises ``ApiError`` 422, 403, 404."""
        repository, who = self.repository(repo), self.account(by)
        self.require(repository, who, Role.WRITE)
        deployment, state = self.deployment(repo, number), fields.get("state")
        if state not in DEPLOYMENT_STATES:
            raise invalid("DeploymentStatus", "state", "custom", "state is not included in the list")
        about = str(fields.get("description") or "")
        status = DeploymentStatus(self.next_id(), str(state), about, who, self.now())
        deployment.statuses.append(status)
        return status
