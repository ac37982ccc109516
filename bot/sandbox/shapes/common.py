"""Accounts, Apps, repositories and labels as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.ports import Role

if TYPE_CHECKING:
    from datetime import datetime

    from bot.sandbox.base import Base, Urls
    from bot.sandbox.model import Account, App, Installation, Label, Repository

Json = dict[str, Any]

# Address templates of a repository (RFC 6570), under its API address.
_TEMPLATES = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}
_NOT_IN_HOOKS = frozenset({"has_pull_requests", "pull_request_creation_policy"})


def stamp(when: datetime | None) -> str | None:
    """Give a time as the API writes it."""
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%SZ}"


def account_shape(account: Account, urls: Urls) -> Json:
    """Give an account as ``simple-user``."""
    base = f"{urls.api}/users/{quote(account.login)}"
    page = account.login.removesuffix("[bot]")
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"U_{account.id}",
        "avatar_url": f"{urls.web}/avatars/{account.id}",
        "gravatar_id": "",
        "url": base,
        "html_url": f"{urls.web}/apps/{page}" if account.kind == "Bot" else f"{urls.web}/{page}",
        "followers_url": f"{base}/followers",
        "following_url": f"{base}/following{{/other_user}}",
        "gists_url": f"{base}/gists{{/gist_id}}",
        "starred_url": f"{base}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{base}/subscriptions",
        "organizations_url": f"{base}/orgs",
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events{{/privacy}}",
        "received_events_url": f"{base}/received_events",
        "type": account.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def public_user_shape(account: Account, urls: Urls) -> Json:
    """Give an account as ``public-user``."""
    return account_shape(account, urls) | {
        "name": account.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": stamp(account.created_at),
        "updated_at": stamp(account.created_at),
    }


def organization_shape(owner: Account, urls: Urls) -> Json:
    """Give an organisation as ``organization-simple``."""
    base = f"{urls.api}/orgs/{owner.login}"
    return {
        "login": owner.login,
        "id": owner.id,
        "node_id": f"O_{owner.id}",
        "url": base,
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events",
        "hooks_url": f"{base}/hooks",
        "issues_url": f"{base}/issues",
        "members_url": f"{base}/members{{/member}}",
        "public_members_url": f"{base}/public_members{{/member}}",
        "avatar_url": f"{urls.web}/avatars/{owner.id}",
        "description": None,
    }


def app_shape(app: App, urls: Urls) -> Json:
    """Give an App as ``integration``."""
    return {
        "id": app.id,
        "slug": app.slug,
        "client_id": app.client_id,
        "node_id": f"A_{app.id}",
        "owner": account_shape(app.owner, urls),
        "name": app.name,
        "description": None,
        "external_url": f"{urls.web}/apps/{app.slug}",
        "html_url": f"{urls.web}/apps/{app.slug}",
        "created_at": stamp(app.created_at),
        "updated_at": stamp(app.created_at),
        "permissions": dict(app.permissions),
        "events": list(app.events),
    }


def installation_shape(installation: Installation, urls: Urls) -> Json:
    """Give an installation."""
    app, account = installation.app, installation.account
    return {
        "id": installation.id,
        "account": account_shape(account, urls),
        "repository_selection": "selected",
        "access_tokens_url": f"{urls.api}/app/installations/{installation.id}/access_tokens",
        "repositories_url": f"{urls.api}/installation/repositories",
        "html_url": f"{urls.web}/settings/installations/{installation.id}",
        "app_id": app.id,
        "client_id": app.client_id,
        "app_slug": app.slug,
        "target_id": account.id,
        "target_type": account.kind,
        "permissions": dict(app.permissions),
        "events": list(app.events),
        "created_at": stamp(installation.created_at),
        "updated_at": stamp(installation.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None if installation.suspended_at is None else account_shape(app.owner, urls),
        "suspended_at": stamp(installation.suspended_at),
    }


def label_shape(repository: Repository, label: Label, urls: Urls) -> Json:
    """Give a label."""
    return {
        "id": label.id,
        "node_id": f"LA_{label.id}",
        "url": f"{urls.api}/repos/{repository.full_name}/labels/{quote(label.name, safe='')}",
        "name": label.name,
        "color": label.color,
        "default": False,
        "description": label.description,
    }


def role_flags(role: Role) -> Json:
    """Give a role as the flags of ``permissions``."""
    return {
        "admin": role >= Role.ADMIN,
        "maintain": role >= Role.MAINTAIN,
        "push": role >= Role.WRITE,
        "triage": role >= Role.TRIAGE,
        "pull": role >= Role.READ,
    }


def association(repository: Repository, account: Account) -> str:
    """Give ``author_association``: a relation, which says nothing certain about rights."""
    if account is repository.owner:
        return "OWNER"
    role = repository.roles.get(account.login.casefold(), Role.NONE)
    if role >= Role.ADMIN and repository.owner.kind == "Organization":
        return "MEMBER"
    if role > Role.NONE:
        return "COLLABORATOR"
    merged = any(pull.merged and pull.author is account for pull in repository.pulls)
    return "CONTRIBUTOR" if merged else "NONE"


def _merge_settings(repository: Repository) -> Json:
    """Give the settings about merging; GitHub shows them to who may write contents only."""
    return {
        "allow_squash_merge": "squash" in repository.merge_methods,
        "allow_merge_commit": "merge" in repository.merge_methods,
        "allow_rebase_merge": "rebase" in repository.merge_methods,
        "allow_auto_merge": repository.allow_auto_merge,
        "allow_update_branch": False,
        "delete_branch_on_merge": repository.delete_branch_on_merge,
        "use_squash_pr_title_as_default": False,
        "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
        "squash_merge_commit_message": "COMMIT_MESSAGES",
        "merge_commit_title": "MERGE_MESSAGE",
        "merge_commit_message": "PR_TITLE",
    }


def minimal_repository_shape(repository: Repository, urls: Urls) -> Json:
    """Give a repository as check suites and statuses show it: ``minimal-repository``, as it was recorded."""
    api = f"{urls.api}/repos/{repository.full_name}"
    return {
        "id": repository.id,
        "node_id": f"R_{repository.id}",
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": account_shape(repository.owner, urls),
        "html_url": f"{urls.web}/{repository.full_name}",
        "description": None,
        "fork": repository.parent is not None,
        "url": api,
        **{f"{key}_url": api + template for key, template in _TEMPLATES.items()},
    }


def in_hooks(repository: Json) -> Json:
    """Leave out of a repository what GitHub's descriptions of webhooks do not name, unlike those of the API."""
    return {key: value for key, value in repository.items() if key not in _NOT_IN_HOOKS}


def repository_shape(
    world: Base,
    repository: Repository,
    urls: Urls,
    *,
    hook: bool = False,
    full: bool = False,
    role: Role | None = None,
) -> Json:
    """Give a repository: as webhooks do, as ``full-repository``, or as ``repository``."""
    name, owner, page = repository.full_name, repository.owner, f"{urls.web}/{repository.full_name}"
    open_issues = sum(issue.state == "open" for issue in repository.issues.values())
    forks = sum(other.parent is repository for other in world.repositories())
    host = urls.web.partition("://")[2]
    shape: Json = minimal_repository_shape(repository, urls) | {
        "git_url": f"git://{host}/{name}.git",
        "ssh_url": f"git@{host}:{name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "language": None,
        "has_issues": True,
        "has_projects": False,
        "has_downloads": False,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "has_pull_requests": True,
        "pull_request_creation_policy": "all",
        "forks_count": forks,
        "forks": forks,
        "archived": False,
        "disabled": False,
        "open_issues_count": open_issues,
        "open_issues": open_issues,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": "private" if repository.private else "public",
        "default_branch": repository.default_branch,
        "created_at": stamp(repository.created_at),
        "updated_at": stamp(repository.pushed_at),
        "pushed_at": stamp(repository.pushed_at),
    }
    if hook:
        return in_hooks(shape) | {"custom_properties": {}}
    if role is not None:
        shape["permissions"] = role_flags(role)
    if not full:
        return shape
    shape |= {
        "network_count": forks,
        "subscribers_count": 0,
        "temp_clone_token": None,
        "custom_properties": {},
    }
    if role is not None and role >= Role.WRITE:
        shape |= _merge_settings(repository)
    if owner.kind == "Organization":
        shape["organization"] = account_shape(owner, urls)
    if repository.parent is not None:
        shape["parent"] = repository_shape(world, repository.parent, urls)
        shape["source"] = shape["parent"]
    return shape
