"""Who calls: an App by its JWT, an installation or a person by a token, or nobody.

Rules of the JWT: GitHub's "Generating a JSON Web Token (JWT) for a GitHub App": RS256, ``iss`` is
the App's id or client id, ``exp`` at most ten minutes ahead, ``iat`` not in the future. A program
beside the sandbox signs by the machine's clock, which the sandbox's may have left behind: a
JWT counts when it is valid by either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt

from bot.sandbox.errors import ApiError
from bot.sandbox.model import Account, App
from bot.sandbox.people import Grant
from bot.sandbox.tokens import ACTIONS_LOGIN

if TYPE_CHECKING:
    from datetime import datetime

    from bot.sandbox.world import World

LIMIT = 5000
WORKFLOW_LIMIT = 1000  # of a ``GITHUB_TOKEN``, for each repository
LONGEST_JWT = timedelta(minutes=10)
SKEW = timedelta(seconds=60)
UNDECODABLE = "A JSON web token could not be decoded"


@dataclass(frozen=True, slots=True)
class AppCaller:
    """An App that showed its JWT: it may manage itself, and nothing in repositories."""

    app: App


Caller = AppCaller | Grant | Account | None


def name_of(caller: Caller) -> str:
    """Give a caller's name for records: ``app:slug``, a login (a bot's too), or nothing."""
    if isinstance(caller, AppCaller):
        return f"app:{caller.app.slug}"
    if isinstance(caller, Grant):
        return caller.installation.app.bot.login
    return caller.login if caller is not None else ""


def limit_of(caller: Caller) -> int:
    """Give how many requests an hour GitHub allows: fewer with a workflow's own token."""
    return WORKFLOW_LIMIT if name_of(caller) == ACTIONS_LOGIN else LIMIT


def authenticate(world: World, header: str) -> Caller:
    """Find out who calls from the ``Authorization`` header.

    Raises:
        ApiError: 401 for what is no valid credential, 403 for a suspended installation.
    """
    scheme, _, secret = header.strip().partition(" ")
    secret = secret.strip()
    if not scheme:
        return None
    if scheme.lower() not in {"bearer", "token"} or not secret:
        raise ApiError(401, "Bad credentials")
    if secret.count(".") == 2:  # noqa: PLR2004 - header, claims, signature
        return AppCaller(_verify(world, secret))
    return world.holder(secret)


def _verify(world: World, token: str) -> App:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise ApiError(401, UNDECODABLE) from None
    issuer = str(claims.get("iss", ""))
    app = next((app for app in world.apps.values() if issuer in {str(app.id), app.client_id}), None)
    if app is None or not app.public_key_pem:
        raise ApiError(404, "Integration not found")
    try:
        jwt.decode(
            token,
            app.public_key_pem,
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
    except jwt.PyJWTError:
        raise ApiError(401, UNDECODABLE) from None
    problems = [_problem(claims, now) for now in (world.clock.now(), world.clock.machine())]
    if all(problems):
        raise ApiError(401, problems[0])
    return app


def _problem(claims: dict[str, Any], now: datetime) -> str:
    issued, expires = claims.get("iat"), claims.get("exp")
    at = now.timestamp()
    if not isinstance(issued, int) or issued > at + SKEW.total_seconds():
        return (
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if not isinstance(expires, int) or expires <= at:
        return (
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at "
            "which the assertion expires"
        )
    if expires > at + (LONGEST_JWT + SKEW).total_seconds():
        return "'Expiration time' claim ('exp') is too far in the future"
    return ""
