"""What every operation of the API shares: the call, who may what, pages, answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from bot.ports import Role
from bot.sandbox.auth import AppCaller
from bot.sandbox.base import FORBIDDEN, Urls
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.model import Account
from bot.sandbox.people import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.sandbox.auth import Caller
    from bot.sandbox.model import App, Repository
    from bot.sandbox.world import World

T = TypeVar("T")
LEVELS = {"read": 1, "write": 2, "admin": 3}
MOST_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON in ``body`` (``None`` with 204), or ``raw`` bytes of a media type."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    media: str = "application/json; charset=utf-8"

    def content(self) -> bytes:
        """Give the bytes to send."""
        if self.raw is not None:
            return self.raw
        if self.status in {204, 304}:
            return b""
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "backslashreplace")


def etag(content: bytes) -> str:
    """Give the ETag of an answer."""
    return 'W/"' + hashlib.sha256(content).hexdigest() + '"'


@dataclass(slots=True)
class Call:
    """One request: who, where, what.

    ``path`` holds the parameters of the route, ``body`` the parsed JSON (an empty mapping when
    there is none), ``here`` the whole address of the path for ``Link``.
    """

    world: World
    urls: Urls
    caller: Caller
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Any
    here: str
    accept: str = ""

    # who -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The ``owner/name`` of the route."""
        return f"{self.path['owner']}/{self.path['repo']}"

    @property
    def number(self) -> int:
        """The number of the route's pull request or issue."""
        return int(self.path["number"])

    @property
    def login(self) -> str:
        """The login of who acts. Raises ``ApiError`` 401 for nobody and for a JWT."""
        if isinstance(self.caller, Grant):
            return self.caller.installation.app.bot.login
        if isinstance(self.caller, Account):
            return self.caller.login
        raise ApiError(401, "Requires authentication")

    @property
    def app(self) -> App:
        """The App behind a JWT. Raises ``ApiError`` 401."""
        if isinstance(self.caller, AppCaller):
            return self.caller.app
        raise ApiError(401, UNSIGNED)

    def repository(self, *needs: str, level: str = "read") -> Repository:
        """Find the route's repository if the caller may see it and has the permission.

        Args:
            needs: Permissions of a token, one of which is enough (none: ``metadata``).
            level: ``read`` or ``write``. For a person the world looks at the role.

        Raises:
            ApiError: 404 for what may not be seen, 403, 401.
        """
        repository = self.world.repository(self.name)
        caller, writes = self.caller, level != "read"
        if isinstance(caller, AppCaller):
            raise ApiError(401, "Requires authentication")
        if caller is None:
            if repository.private:
                raise not_found()
            if writes:
                raise ApiError(401, "Requires authentication")
        elif isinstance(caller, Grant):
            self._check_grant(caller, repository, needs, level)
        elif self.world.role_of(self.name, caller.login) == Role.NONE:
            raise not_found()
        return repository

    def _check_grant(self, grant: Grant, repository: Repository, needs: Sequence[str], level: str) -> None:
        if not grant.covers(repository):
            if repository.private:
                raise not_found()
            if level == "read":
                return
            raise ApiError(403, FORBIDDEN)
        held = max((LEVELS.get(grant.permissions.get(need, ""), 0) for need in needs), default=9)
        if held < LEVELS[level]:
            accepted = "; ".join(f"{need}={level}" for need in needs)
            raise ApiError(403, FORBIDDEN, headers={"X-Accepted-GitHub-Permissions": accepted})

    # what ------------------------------------------------------------------------------------------

    def text(self, field_name: str, *, default: str | None = None) -> str | None:
        """Give a text of the body, ``default`` when it is missing or null. Raises ``ApiError`` 422."""
        value = self.body.get(field_name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise ApiError(
                422, f"Invalid request.\n\nFor 'properties/{field_name}', {value!r} is not a string."
            )
        return value

    def needed(self, resource: str, field_name: str) -> str:
        """Give a text of the body that must be there. Raises ``ApiError`` 422."""
        value = self.text(field_name)
        if value is None:
            raise invalid(resource, field_name, "missing_field")
        return value

    def page(self, items: Sequence[T], show: Callable[[T], Any], key: str | None = None) -> Reply:
        """Give one page of ``items`` with its ``Link`` header, under ``key`` with the count if given."""
        size = min(self.whole("per_page", 30) or 30, MOST_PER_PAGE)
        number = max(self.whole("page", 1), 1)
        last = max(1, -(-len(items) // size))
        shown = [show(item) for item in items[(number - 1) * size : number * size]]
        links = []
        if number > 1:
            links += [("prev", min(number - 1, last)), ("first", 1)]
        if number < last:
            links += [("next", number + 1), ("last", last)]
        headers = {}
        if links:
            headers["Link"] = ", ".join(f'<{self._page_url(to)}>; rel="{rel}"' for rel, to in links)
        body: Any = shown if key is None else {"total_count": len(items), key: shown}
        return Reply(body, headers=headers)

    def time(self, name: str) -> datetime | None:
        """Give a time of the query, in UTC unless it says otherwise. Raises ``ApiError`` 422."""
        value = self.query.get(name)
        if not value:
            return None
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            raise ApiError(422, f"Invalid {name}") from None
        return when if when.tzinfo else when.replace(tzinfo=UTC)

    def whole(self, name: str, default: int) -> int:
        """Give a whole number of the query, ``default`` when it is none."""
        value = self.query.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else default

    def _page_url(self, number: int) -> str:
        rest = [(key, value) for key, value in self.query.items() if key != "page"]
        return f"{self.here}?{urlencode([*rest, ('page', str(number))])}"


UNSIGNED = "A JSON web token could not be decoded"
Handler = Callable[[Call], Reply]


@dataclass(slots=True)
class Table:
    """The operations of one part of the API, by method and path."""

    routes: list[tuple[str, str, Handler]] = field(default_factory=list)

    def add(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Register a handler; ``R`` at the path's start stands for ``/repos/{owner}/{repo}``."""

        def keep(handler: Handler) -> Handler:
            whole = "/repos/{owner}/{repo}" + path[1:] if path.startswith("R") else path
            self.routes.append((method, whole, handler))
            return handler

        return keep


def parse_body(raw: bytes) -> Any:
    """Parse a request's body. Raises ``ApiError`` 400."""
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
        if b"\\u" in raw:
            json.dumps(body, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        raise ApiError(400, "Problems parsing JSON") from None
    return body


def parse_query(raw: bytes) -> dict[str, str]:
    """Parse a query; of a repeated key the last counts."""
    return dict(parse_qsl(raw.decode("ascii", "replace"), keep_blank_values=True))
