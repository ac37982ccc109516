"""What all parts of the world stand on: the records, one lock, one counter, the deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from bot.ports import Role
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.shapes import account_shape, organization_shape, repository_shape
from bot.sandbox.webhooks import Hooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from bot.sandbox.clock import SandboxClock
    from bot.sandbox.model import Account, App, Installation, Repository

FORBIDDEN = "Resource not accessible by integration"


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the API and the pages are, without a slash at the end."""

    api: str
    web: str


S = TypeVar("S", bound="Base")
P = ParamSpec("P")
R = TypeVar("R")


def locked(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Run a method under the world's lock."""

    @wraps(method)
    def inside(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            return method(self, *args, **kwargs)

    return inside


class Base:
    """The records. Reading several of them together needs ``lock``.

    Args:
        clock: The time.
        root: The folder of the git repositories.
    """

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        self.clock = clock
        self.root = root
        self.lock = RLock()
        self.urls = Urls("http://127.0.0.1", "http://127.0.0.1")
        self.hooks = Hooks(self.next_id, self.now)
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self._accounts: dict[str, Account] = {}
        self._repositories: dict[str, Repository] = {}
        self._last_id = 1000

    def now(self) -> datetime:
        """Give the time, whole seconds, as GitHub's API shows it."""
        return self.clock.now().replace(microsecond=0)

    def next_id(self) -> int:
        """Give a new id, larger than all before."""
        with self.lock:
            self._last_id += 1
            return self._last_id

    # look-ups --------------------------------------------------------------------------------

    @locked
    def account(self, login: str) -> Account:
        """Find an account, also ``slug[bot]``. Raises ``ApiError`` 404."""
        try:
            return self._accounts[login.casefold()]
        except KeyError:
            raise not_found() from None

    @locked
    def users(self) -> list[Account]:
        """Give the people, in the order in which they were added."""
        return [account for account in self._accounts.values() if account.kind == "User"]

    @locked
    def accounts(self) -> list[Account]:
        """Give all accounts: people, organisations and bots."""
        return list(self._accounts.values())

    @locked
    def repository(self, full_name: str) -> Repository:
        """Find a repository, whatever the case of its name. Raises ``ApiError`` 404."""
        try:
            return self._repositories[full_name.casefold()]
        except KeyError:
            raise not_found() from None

    @locked
    def repositories(self) -> list[Repository]:
        """Give all repositories, oldest first."""
        return list(self._repositories.values())

    def app_of(self, account: Account) -> App | None:
        """Give the App whose bot account this is."""
        return self.apps.get(account.app_id) if account.app_id is not None else None

    def installation_of(self, app: App, repository: Repository) -> Installation | None:
        """Give the installation of an App that covers a repository."""
        for installation in self.installations.values():
            if installation.app is app and repository.id in installation.repository_ids:
                return installation
        return None

    # roles -----------------------------------------------------------------------------------

    @locked
    def role_of(self, repo: str, login: str) -> Role:
        """Give a person's role; on a public repository at least read."""
        repository, who = self.repository(repo), self.account(login)
        if who is repository.owner:
            return Role.ADMIN
        least = Role.NONE if repository.private else Role.READ
        return max(repository.roles.get(who.login.casefold(), Role.NONE), least)

    def require(self, repository: Repository, who: Account, role: Role) -> None:
        """Refuse who has less than ``role``. An App's rights are its token's; it must be installed."""
        app = self.app_of(who)
        if app is not None:
            if self.installation_of(app, repository) is None:
                raise ApiError(403, FORBIDDEN)
            return
        has = self.role_of(repository.full_name, who.login)
        if has == Role.NONE:
            raise not_found()
        if has < role:
            raise ApiError(403, f"Must have {role.name.lower()} rights to Repository.")

    # deliveries ------------------------------------------------------------------------------

    def notify(
        self,
        repository: Repository,
        event: str,
        sender: Account | None,
        build: Callable[[Urls], dict[str, Any]],
        *,
        only: App | None = None,
    ) -> None:
        """Deliver an event to the Apps that are installed on a repository and subscribe to it.

        Args:
            repository: Where it happened.
            event: GitHub's name of the event.
            sender: Who did it; ``None`` leaves the field out.
            build: Gives the event's own fields.
            only: The App that is asked to do something. It need not subscribe: GitHub sends such events
                to whom may write checks, and to nobody else.
        """
        for installation in list(self.installations.values()):
            app = installation.app
            hears = (
                event in app.events
                if only is None
                else app is only and app.permissions.get("checks") == "write"
            )
            if not hears or repository.id not in installation.repository_ids:
                continue
            payload = build(self.urls)
            shape = repository_shape(self, repository, self.urls, hook=True)
            payload["repository"] = shape | payload.get("repository", {})
            if repository.owner.kind == "Organization":
                payload["organization"] = organization_shape(repository.owner, self.urls)
            if sender is not None:
                payload["sender"] = account_shape(sender, self.urls)
            payload["installation"] = {"id": installation.id, "node_id": f"MDIz{installation.id}"}
            self.hooks.send(app, event, payload, installation_id=installation.id, repository_id=repository.id)
