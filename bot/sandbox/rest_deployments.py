"""Deployments over HTTP."""

from __future__ import annotations

from bot.sandbox import shapes
from bot.sandbox.rest import Call, Reply, Table

table = Table()


@table.add("POST", "R/deployments")
def create_deployment(call: Call) -> Reply:
    """Ask for a deployment."""
    repository = call.repository("deployments", level="write")
    made = call.world.create_deployment(call.name, call.body, by=call.login)
    return Reply(shapes.deployment_shape(repository, made, call.urls), 201)


@table.add("GET", "R/deployments")
def list_deployments(call: Call) -> Reply:
    """List deployments, newest first."""
    repository = call.repository("deployments")
    sha, environment = call.query.get("sha") or "", call.query.get("environment") or ""
    found = call.world.deployments(call.name, sha=sha, environment=environment)
    return call.page(found, lambda one: shapes.deployment_shape(repository, one, call.urls))


@table.add("POST", "R/deployments/{id:int}/statuses")
def create_deployment_status(call: Call) -> Reply:
    """Say how a deployment went."""
    repository = call.repository("deployments", level="write")
    status = call.world.report_deployment(call.name, call.path["id"], call.body, by=call.login)
    deployment = call.world.deployment(call.name, call.path["id"])
    return Reply(shapes.deployment_status_shape(repository, deployment, status, call.urls), 201)


@table.add("GET", "R/deployments/{id:int}/statuses")
def list_deployment_statuses(call: Call) -> Reply:
    """List how a deployment went, newest first."""
    repository = call.repository("deployments")
    deployment = call.world.deployment(call.name, call.path["id"])
    return call.page(
        deployment.statuses[::-1],
        lambda one: shapes.deployment_status_shape(repository, deployment, one, call.urls),
    )
