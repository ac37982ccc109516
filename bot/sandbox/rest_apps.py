"""Apps, installations, deliveries, users and repositories over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.ports import Role
from bot.sandbox import shapes
from bot.sandbox.auth import limit_of
from bot.sandbox.base import FORBIDDEN
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.model import Account
from bot.sandbox.people import Grant
from bot.sandbox.rest import Call, Reply, Table
from bot.sandbox.shapes.common import role_flags

if TYPE_CHECKING:
    from bot.sandbox.webhooks import Sent

table = Table()
_LIMITED = (
    "core",
    "search",
    "graphql",
    "integration_manifest",
    "source_import",
    "code_scanning_upload",
    "actions_runner_registration",
    "scim",
    "dependency_snapshots",
)
_LEGACY = {
    Role.NONE: "none",
    Role.READ: "read",
    Role.TRIAGE: "read",
    Role.WRITE: "write",
    Role.MAINTAIN: "write",
    Role.ADMIN: "admin",
}


@table.add("GET", "/app")
def get_app(call: Call) -> Reply:
    """Get the authenticated App."""
    app = call.app
    count = sum(installation.app is app for installation in call.world.installations.values())
    return Reply(shapes.app_shape(app, call.urls) | {"installations_count": count})


@table.add("GET", "/app/installations")
def list_installations(call: Call) -> Reply:
    """List the App's installations."""
    app = call.app
    found = [installation for installation in call.world.installations.values() if installation.app is app]
    return call.page(found, lambda installation: shapes.installation_shape(installation, call.urls))


@table.add("GET", "/app/installations/{id:int}")
def get_installation(call: Call) -> Reply:
    """Get an installation of the App."""
    found = call.world.installation(call.path["id"], call.app)
    return Reply(shapes.installation_shape(found, call.urls))


@table.add("POST", "/app/installations/{id:int}/access_tokens")
def create_token(call: Call) -> Reply:
    """Create an installation token, narrowed to repositories and permissions."""
    installation = call.world.installation(call.path["id"], call.app)
    names, ids, permissions = (
        call.body.get(name) for name in ("repositories", "repository_ids", "permissions")
    )
    for values, kind in ((names, str), (ids, int)):
        if values is not None and not (isinstance(values, list) and all(isinstance(v, kind) for v in values)):
            raise ApiError(422, "Invalid request.")
    if permissions is not None and not isinstance(permissions, dict):
        raise ApiError(422, "Invalid request.")
    if not all(isinstance(level, str) for level in (permissions or {}).values()):
        raise ApiError(422, "Invalid request.")
    grant = call.world.issue_token(installation, names, ids, permissions)
    shown: dict[str, Any] = {
        "token": grant.token,
        "expires_at": shapes.stamp(grant.expires_at),
        "permissions": dict(grant.permissions),
        "repository_selection": "selected",
    }
    if grant.repository_ids is not None:
        shown["repositories"] = [
            shapes.repository_shape(call.world, repository, call.urls)
            for repository in call.world.repositories()
            if repository.id in grant.repository_ids
        ]
    return Reply(shown, 201)


@table.add("GET", "R/installation")
def get_repository_installation(call: Call) -> Reply:
    """Get the App's installation on a repository."""
    app = call.app
    found = call.world.installation_of(app, call.world.repository(call.name))
    if found is None:
        raise not_found()
    return Reply(shapes.installation_shape(found, call.urls))


@table.add("GET", "/installation/repositories")
def list_repositories(call: Call) -> Reply:
    """List the repositories that an installation token reaches."""
    grant = call.caller
    if not isinstance(grant, Grant):
        raise ApiError(403, "You must authenticate with an installation access token.")
    found = [repository for repository in call.world.repositories() if grant.covers(repository)]
    role = _role_of(grant)
    reply = call.page(
        found,
        lambda repository: shapes.repository_shape(call.world, repository, call.urls, role=role),
        "repositories",
    )
    return Reply(reply.body | {"repository_selection": "selected"}, headers=reply.headers)


def _role_of(grant: Grant) -> Role:
    """Give what a token's ``permissions`` on a repository look like."""
    return Role.WRITE if grant.permissions.get("contents") == "write" else Role.READ


# deliveries ------------------------------------------------------------------------------------------


def _own(call: Call) -> list[Sent]:
    app = call.app
    return [sent for sent in reversed(call.world.hooks.deliveries) if sent.app is app]


def _delivery(sent: Sent) -> dict[str, Any]:
    code = sent.status or 0
    return {
        "id": sent.id,
        "guid": sent.guid,
        "delivered_at": shapes.stamp(sent.at),
        "redelivery": sent.redelivery,
        "duration": round(sent.seconds, 2),
        "status": "OK" if 200 <= code < 300 else sent.error or "failed to connect to host",  # noqa: PLR2004 - success
        "status_code": code,
        "event": sent.event,
        "action": sent.action,
        "installation_id": sent.installation_id,
        "repository_id": sent.repository_id,
        "throttled_at": None,
    }


@table.add("GET", "/app/hook/deliveries")
def list_deliveries(call: Call) -> Reply:
    """List deliveries, newest first; the cursor is the id below which the page begins."""
    size = min(call.whole("per_page", 30) or 30, 100)
    before = call.whole("cursor", 2**60)
    found = [sent for sent in _own(call) if sent.id < before]
    headers = {}
    if len(found) > size:
        headers["Link"] = f'<{call.here}?per_page={size}&cursor={found[size - 1].id}>; rel="next"'
    return Reply([_delivery(sent) for sent in found[:size]], headers=headers)


def _one(call: Call) -> Sent:
    for sent in _own(call):
        if sent.id == call.path["id"]:
            return sent
    raise not_found()


@table.add("GET", "/app/hook/deliveries/{id:int}")
def get_delivery(call: Call) -> Reply:
    """Get a delivery with its request."""
    sent = _one(call)
    return Reply(
        _delivery(sent)
        | {
            "url": sent.app.webhook_url or "",
            "request": {"headers": sent.headers(), "payload": sent.payload()},
            "response": {"headers": {}, "payload": None},
        }
    )


@table.add("POST", "/app/hook/deliveries/{id:int}/attempts")
def redeliver(call: Call) -> Reply:
    """Deliver again, with the same GUID."""
    call.world.hooks.redeliver(_one(call).guid)
    return Reply({}, 202)


# people and repositories ---------------------------------------------------------------------------------


@table.add("GET", "/user")
def get_user(call: Call) -> Reply:
    """Get the authenticated person."""
    if isinstance(call.caller, Grant):
        raise ApiError(403, FORBIDDEN)
    shape = shapes.public_user_shape(call.world.account(call.login), call.urls)
    return Reply(shape | {"notification_email": None})


@table.add("GET", "/users/{login}")
def get_user_by_name(call: Call) -> Reply:
    """Get an account, also a bot's."""
    return Reply(shapes.public_user_shape(call.world.account(call.path["login"]), call.urls))


@table.add("GET", "R")
def get_repository(call: Call) -> Reply:
    """Get a repository."""
    repository = call.repository()
    role = None
    if isinstance(call.caller, Account):
        role = call.world.role_of(call.name, call.caller.login)
    elif isinstance(call.caller, Grant):
        role = _role_of(call.caller) if call.caller.covers(repository) else Role.READ
    return Reply(shapes.repository_shape(call.world, repository, call.urls, full=True, role=role))


@table.add("GET", "R/collaborators/{login}/permission")
def get_permission(call: Call) -> Reply:
    """Get a person's role: ``permission`` in the old words, ``role_name`` in the new."""
    repository = call.repository("metadata")
    if isinstance(call.caller, Account):
        if call.world.role_of(call.name, call.caller.login) < Role.WRITE:
            raise ApiError(403, "Must have push access to view collaborator permission.")
    elif call.caller is None:
        raise ApiError(401, "Requires authentication")
    account = call.world.account(call.path["login"])
    role = call.world.role_of(repository.full_name, account.login)
    user = shapes.account_shape(account, call.urls) | {
        "permissions": role_flags(role),
        "role_name": role.name.lower(),
    }
    return Reply({"permission": _LEGACY[role], "role_name": role.name.lower(), "user": user})


@table.add("GET", "/rate_limit")
def get_rate_limit(call: Call) -> Reply:
    """Get the limits; the sandbox has room for everybody."""
    reset = int(call.world.now().timestamp()) + 3600
    limit = limit_of(call.caller)
    core = {"limit": limit, "remaining": limit, "reset": reset, "used": 0}
    return Reply({"resources": dict.fromkeys(_LIMITED, core), "rate": core})


@table.add("GET", "/meta")
def get_meta(call: Call) -> Reply:
    """Get what the server is."""
    here = ["127.0.0.0/8"]
    return Reply(
        {
            "verifiable_password_authentication": False,
            "hooks": here,
            "git": here,
            "domains": {"website": [call.urls.web]},
        }
    )


@table.add("GET", "/zen")
def get_zen(_: Call) -> Reply:
    """Get a sentence."""
    return Reply(raw=b"Design for failure.", media="text/plain; charset=utf-8")
