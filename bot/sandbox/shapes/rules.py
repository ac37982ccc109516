"""Rulesets and branch protection as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.sandbox.shapes.common import stamp

if TYPE_CHECKING:
    from bot.sandbox.base import Urls
    from bot.sandbox.model import Repository
    from bot.sandbox.rules import Protection, Rule, Ruleset

Json = dict[str, Any]


def ruleset_shape(
    repository: Repository,
    ruleset: Ruleset,
    urls: Urls,
    *,
    bypasses: str = "never",
    full: bool = False,
    manages: bool = False,
) -> Json:
    """Give a ruleset as lists show it, or in ``full``.

    Args:
        repository: Where it is.
        ruleset: What is shown.
        urls: Where the sandbox is.
        bypasses: Whether the caller may, ``always`` or ``never``.
        full: With conditions and rules.
        manages: With those whom it does not bind; GitHub tells them to who may change the ruleset only.
    """
    api, page = f"{urls.api}/repos/{repository.full_name}", f"{urls.web}/{repository.full_name}"
    shape: Json = {
        "id": ruleset.id,
        "name": ruleset.name,
        "target": "branch",
        "source_type": "Repository",
        "source": repository.full_name,
        "enforcement": ruleset.enforcement,
        "node_id": f"RRS_{ruleset.id}",
        "_links": {
            "self": {"href": f"{api}/rulesets/{ruleset.id}"},
            "html": {"href": f"{page}/rules/{ruleset.id}"},
        },
        "created_at": stamp(ruleset.created_at),
        "updated_at": stamp(ruleset.created_at),
    }
    if full:
        shape["conditions"] = {"ref_name": {"include": list(ruleset.include), "exclude": []}}
        shape["rules"] = list(ruleset.rules)
        shape["current_user_can_bypass"] = bypasses
    if manages:
        shape["bypass_actors"] = [
            {"actor_id": app_id, "actor_type": "Integration", "bypass_mode": "always"}
            for app_id in ruleset.bypass
        ]
    return shape


def rule_shape(repository: Repository, ruleset: Ruleset, rule: Rule) -> Json:
    """Give an active rule of a branch, with where it comes from."""
    return {
        **rule,
        "ruleset_source_type": "Repository",
        "ruleset_source": repository.full_name,
        "ruleset_id": ruleset.id,
    }


def _checks(protection: Protection) -> Json:
    return {
        "contexts": list(protection.checks),
        "checks": [{"context": name, "app_id": protection.sources.get(name)} for name in protection.checks],
    }


def branch_protection_shape(protection: Protection | None) -> Json:
    """Give what everybody is told about a branch's protection."""
    if protection is None:
        checks: Json = {"enforcement_level": "off", "contexts": [], "checks": []}
        return {"enabled": False, "required_status_checks": checks}
    level = "non_admins" if protection.checks else "off"
    return {
        "enabled": True,
        "required_status_checks": {"enforcement_level": level, **_checks(protection)},
    }


def required_checks_shape(repository: Repository, branch: str, protection: Protection, urls: Urls) -> Json:
    """Give the required checks as ``status-check-policy``."""
    url = f"{_url(repository, branch, urls)}/required_status_checks"
    return {"url": url, "strict": protection.strict, **_checks(protection), "contexts_url": f"{url}/contexts"}


def protection_shape(repository: Repository, branch: str, protection: Protection, urls: Urls) -> Json:
    """Give all of a branch's protection as ``branch-protection``; what is not asked for is left out."""
    url = _url(repository, branch, urls)
    shape: Json = {"url": url}
    if protection.checks:
        shape["required_status_checks"] = required_checks_shape(repository, branch, protection, urls)
    if protection.approvals or protection.pulls_only:
        shape["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": protection.dismiss_stale,
            "require_code_owner_reviews": protection.code_owners,
            "require_last_push_approval": protection.last_push,
            "required_approving_review_count": protection.approvals,
        }
    off = ("required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations")
    return shape | {
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        **{name: {"enabled": False} for name in off},
        "required_conversation_resolution": {"enabled": False},
        "lock_branch": {"enabled": False},
        "allow_fork_syncing": {"enabled": False},
    }


def _url(repository: Repository, branch: str, urls: Urls) -> str:
    return f"{urls.api}/repos/{repository.full_name}/branches/{quote(branch)}/protection"
