"""Rulesets, branch protection and what workflows may, over HTTP. Reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.model import Account
from bot.sandbox.people import Grant
from bot.sandbox.rest import Call, Reply, Table

if TYPE_CHECKING:
    from bot.sandbox.model import Repository
    from bot.sandbox.rules import Protection, Ruleset

table = Table()
TARGETS = frozenset({"branch", "tag", "push", "repository"})


def _manages(call: Call) -> bool:
    """Tell whether the caller may change rulesets: that role, or that permission."""
    if isinstance(call.caller, Grant):
        held = call.caller.permissions.get("administration")
        return call.caller.covers(call.world.repository(call.name)) and held == "write"
    return isinstance(call.caller, Account) and call.world.role_of(call.name, call.caller.login) >= Role.ADMIN


def _bypasses(call: Call, ruleset: Ruleset) -> str:
    is_free = isinstance(call.caller, Grant) and call.caller.installation.app.id in ruleset.bypass
    return "always" if is_free else "never"


@table.add("GET", "R/rulesets")
def list_rulesets(call: Call) -> Reply:
    """List rulesets; ``targets`` narrows them."""
    repository = call.repository("metadata")
    targets = [one for one in call.query.get("targets", "").split(",") if one]
    if not TARGETS.issuperset(targets):
        raise ApiError(422, "Invalid target")
    found = call.world.rulesets(call.name) if not targets or "branch" in targets else []
    return call.page(found, lambda one: shapes.ruleset_shape(repository, one, call.urls))


@table.add("GET", "R/rulesets/{id:int}")
def get_ruleset(call: Call) -> Reply:
    """Get a ruleset with its rules."""
    repository = call.repository("metadata")
    for ruleset in call.world.rulesets(call.name):
        if ruleset.id == call.path["id"]:
            shape = shapes.ruleset_shape(
                repository,
                ruleset,
                call.urls,
                bypasses=_bypasses(call, ruleset),
                full=True,
                manages=_manages(call),
            )
            return Reply(shape)
    raise not_found()


@table.add("GET", "R/rules/branches/{branch:path}")
def list_rules_of_branch(call: Call) -> Reply:
    """List the active rules for a branch's name."""
    repository = call.repository("metadata")
    found = call.world.rules_of(call.name, call.path["branch"])
    return call.page(found, lambda one: shapes.rule_shape(repository, *one))


def _administers(call: Call) -> Repository:
    """Find the repository for who may read how it is run: 403 for a token, 404 for a person."""
    repository = call.repository("administration")
    if isinstance(call.caller, Grant):
        if not call.caller.covers(repository):
            raise not_found()
    elif call.caller is None:
        raise ApiError(401, "Requires authentication")
    elif call.world.role_of(call.name, call.login) < Role.ADMIN:
        raise not_found()
    return repository


def _protected(call: Call) -> tuple[Repository, Protection]:
    repository, branch = _administers(call), call.path["branch"]
    if call.world.tip(call.name, branch) is None:
        raise ApiError(404, "Branch not found")
    protection = call.world.protection(call.name, branch)
    if protection is None:
        raise ApiError(404, "Branch not protected")
    return repository, protection


@table.add("GET", "R/branches/{branch:path}/protection")
def get_protection(call: Call) -> Reply:
    """Get all of a branch's classic protection."""
    repository, protection = _protected(call)
    return Reply(shapes.protection_shape(repository, call.path["branch"], protection, call.urls))


@table.add("GET", "R/branches/{branch:path}/protection/required_status_checks")
def get_required_checks(call: Call) -> Reply:
    """Get the checks that a branch's classic protection asks for."""
    repository, protection = _protected(call)
    if not protection.checks:
        raise ApiError(404, "Required status checks not enabled")
    return Reply(shapes.required_checks_shape(repository, call.path["branch"], protection, call.urls))


@table.add("GET", "R/actions/permissions/workflow")
def get_workflow_permissions(call: Call) -> Reply:
    """Get what a workflow's token may when the workflow does not say."""
    repository = _administers(call)
    return Reply(
        {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": repository.workflows_open_pulls,
        }
    )
