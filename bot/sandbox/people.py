"""Accounts, repositories, forks, Apps and tokens."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.ports import Role
from bot.sandbox.base import Base, locked
from bot.sandbox.errors import ApiError, invalid, not_found
from bot.sandbox.git import CONFIGURATION, Git, Signed
from bot.sandbox.importing import copy_repository
from bot.sandbox.model import Account, App, Installation, Repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.sandbox.clock import SandboxClock

PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "checks": "write",
    "merge_queues": "read",
}
EVENTS = ("issue_comment", "pull_request", "pull_request_review", "check_run", "merge_group")
LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What an installation token may: these repositories, these permissions, until then."""

    token: str
    installation: Installation
    repository_ids: frozenset[int] | None
    permissions: Mapping[str, str]
    expires_at: datetime

    def covers(self, repository: Repository) -> bool:
        """Tell whether the token reaches a repository; a removed one is out at once."""
        chosen = self.repository_ids
        inside = repository.id in self.installation.repository_ids
        return inside and (chosen is None or repository.id in chosen)


def new_key() -> rsa.RSAPrivateKey:
    """Make an App's key, as GitHub does."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@lru_cache(maxsize=16)
def read_key(pem: str) -> rsa.RSAPrivateKey:
    """Read an App's key. Raises ``ValueError`` for what is no RSA key."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    raise ValueError("an App's key is an RSA key")


class People(Base):
    """Accounts and what belongs to them.

    ``token_life`` is how long an installation token lives; an hour, as on GitHub.
    """

    def __init__(self, clock: SandboxClock, root: Path) -> None:
        super().__init__(clock, root)
        self.token_life = timedelta(hours=1)
        self.tick = timedelta(seconds=1)
        self._configuration = root / "gitconfig"
        self._configuration.write_text(CONFIGURATION)
        self._tokens: dict[str, Account] = {}
        self._grants: dict[str, Grant] = {}

    # accounts ----------------------------------------------------------------------------------

    @locked
    def add_user(self, login: str, *, name: str = "") -> Account:
        """Add a person. Raises ``ValueError`` for a login that GitHub would not take."""
        if not LOGIN.fullmatch(login):
            raise ValueError(f"not a login: {login!r}")
        return self._add_account(login, name, "User")

    def _add_account(
        self, login: str, name: str, kind: Literal["User", "Organization", "Bot"], app_id: int | None = None
    ) -> Account:
        if login.casefold() in self._accounts:
            raise ValueError(f"there is an account {login!r}")
        account = Account(self.next_id(), login, name or login, kind, self.now(), app_id)
        self._accounts[login.casefold()] = account
        return account

    @locked
    def token(self, login: str) -> str:
        """Give a person's access token for the API (``ghp_...``), the same at every call."""
        who = self.account(login)
        for token, owner in self._tokens.items():
            if owner is who:
                return token
        token = f"ghp_{secrets.token_hex(18)}"
        self._tokens[token] = who
        return token

    @locked
    def set_role(self, repo: str, login: str, role: Role | str) -> None:
        """Give a person a role (a ``Role`` or its name); ``Role.NONE`` takes it away."""
        wanted = Role[role.upper()] if isinstance(role, str) else role
        self.repository(repo).roles[self.account(login).login.casefold()] = wanted

    # repositories ------------------------------------------------------------------------------

    @locked
    def create_repository(
        self,
        full_name: str,
        files: Mapping[str, bytes] | None = None,
        *,
        private: bool = False,
        by: str | None = None,
    ) -> Repository:
        """Create a repository with one commit on ``main`` that holds ``files``.

        The owner becomes an organisation when there is no such account. ``by`` writes the commit
        and has the role admin; the owner, when it is a person, has it anyway.

        Raises:
            ValueError: The name is taken, or is none.
        """
        repository = self._new_repository(full_name, private=private, by=by)
        git = repository.git
        blobs = [(path, "100644", git.write_blob(content)) for path, content in (files or {}).items()]
        who = self._accounts.get((by or repository.owner.login).casefold(), repository.owner)
        made = self.signed(who)
        sha = git.write_commit(git.write_tree(None, blobs), [], "Initial commit", made)
        git.update_ref("refs/heads/main", sha, "")
        return repository

    def _new_repository(
        self, full_name: str, *, private: bool, by: str | None, parent: Repository | None = None
    ) -> Repository:
        owner_login, _, name = full_name.partition("/")
        if not LOGIN.fullmatch(owner_login) or not NAME.fullmatch(name) or name in {".", ".."}:
            raise ValueError(f"not owner/name: {full_name!r}")
        if full_name.casefold() in self._repositories:
            raise ValueError(f"there is a repository {full_name!r}")
        owner = self._accounts.get(owner_login.casefold())
        owner = owner or self._add_account(owner_login, "", "Organization")
        number = self.next_id()
        git = Git.init(
            self.root / f"{number}.git",
            self._configuration,
            None if parent is None else parent.git.objects,
        )
        repository = Repository(number, owner, name, private, git, self.now(), self.now(), parent=parent)
        if by is not None:
            repository.roles[self.account(by).login.casefold()] = Role.ADMIN
        self._repositories[full_name.casefold()] = repository
        return repository

    @locked
    def import_repository(self, full_name: str, path: Path, *, by: str | None = None) -> Repository:
        """Create a repository as a copy of a git work tree or bare repository.

        The copy has the branches; changed and new files of a work tree come on top of its
        current branch as one commit. ``path`` is only read.

        Raises:
            ValueError: ``path`` is no git repository, or has no commit.
        """
        repository = self._new_repository(full_name, private=True, by=by)
        try:
            who = self._accounts.get((by or repository.owner.login).casefold(), repository.owner)
            repository.default_branch = copy_repository(repository.git, Path(path), self.signed(who))
        except ValueError:
            del self._repositories[full_name.casefold()]
            raise
        return repository

    @locked
    def fork(self, repo: str, *, by: str) -> Repository:
        """Fork a repository into ``by``'s account (there already: the one that is there)."""
        parent, who = self.repository(repo), self.account(by)
        self.require(parent, who, Role.READ)
        there = self._repositories.get(f"{who.login}/{parent.name}".casefold())
        if there is not None:
            if there.parent is not parent:
                raise ApiError(422, "Validation Failed", ["Name already exists on this account"])
            return there
        copy = self._new_repository(
            f"{who.login}/{parent.name}", private=parent.private, by=None, parent=parent
        )
        copy.default_branch = parent.default_branch
        for branch, sha in parent.git.refs().items():
            copy.git.update_ref(f"refs/heads/{branch}", sha, "")
        copy.git.run("symbolic-ref", "HEAD", f"refs/heads/{copy.default_branch}")
        return copy

    @locked
    def delete_repository(self, repo: str) -> None:
        """Delete a repository; pull requests from it stay, with no head repository."""
        gone = self._repositories.pop(self.repository(repo).full_name.casefold())
        for repository in self._repositories.values():
            for pull in repository.pulls:
                if pull.head_repository is gone:
                    pull.head_repository = None
        for installation in self.installations.values():
            installation.repository_ids.discard(gone.id)

    # Apps ----------------------------------------------------------------------------------------

    @locked
    def create_app(
        self,
        slug: str,
        webhook_secret: str,
        *,
        permissions: Mapping[str, str] | None = None,
        events: Sequence[str] | None = None,
        private_key_pem: str | None = None,
    ) -> App:
        """Register an App; a fresh key, the bot's least permissions and its events by default."""
        key = new_key() if private_key_pem is None else read_key(private_key_pem)
        number = self.next_id()
        bot = self._add_account(f"{slug}[bot]", slug, "Bot", number)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        owner = self._accounts.get("sandbox") or self._add_account("sandbox", "", "Organization")
        self.apps[number] = App(
            id=number,
            slug=slug,
            name=slug,
            owner=owner,
            bot=bot,
            private_key_pem=private.decode(),
            public_key_pem=public.decode(),
            webhook_secret=webhook_secret,
            permissions=dict(permissions or PERMISSIONS),
            events=tuple(EVENTS if events is None else events),
            created_at=self.now(),
            hook_id=self.next_id(),
            client_id=f"Iv23li{number:014d}",
        )
        return self.apps[number]

    @locked
    def install(self, app: App, repo: str) -> int:
        """Install an App on a repository (one installation for each owner); give its id."""
        repository = self.repository(repo)
        for installation in self.installations.values():
            if installation.app is app and installation.account is repository.owner:
                installation.repository_ids.add(repository.id)
                return installation.id
        number = self.next_id()
        self.installations[number] = Installation(number, app, repository.owner, {repository.id}, self.now())
        return number

    @locked
    def uninstall(self, app: App, repo: str) -> None:
        """Take a repository out of an App's installation."""
        repository = self.repository(repo)
        installation = self.installation_of(app, repository)
        if installation is not None:
            installation.repository_ids.discard(repository.id)

    @locked
    def suspend(self, installation_id: int, *, suspended: bool = True) -> None:
        """Suspend an installation, or wake it; its tokens answer 403 meanwhile."""
        self.installations[installation_id].suspended_at = self.now() if suspended else None

    @locked
    def set_webhook(self, app: App, url: str | None, *, ping: bool = False) -> None:
        """Say where an App's deliveries go; with ``None`` they are only logged. ``ping`` sends one."""
        app.webhook_url = url
        if ping:
            self.hooks.send(app, "ping", self._ping(app))

    def _ping(self, app: App) -> dict[str, object]:
        return {
            "zen": "Design for failure.",
            "hook_id": app.hook_id,
            "hook": {
                "type": "App",
                "id": app.hook_id,
                "name": "web",
                "active": True,
                "app_id": app.id,
                "events": list(app.events),
                "config": {
                    "content_type": "json",
                    "insecure_ssl": "0",
                    "secret": "********",
                    "url": app.webhook_url or "",
                },
                "updated_at": f"{self.now():%Y-%m-%dT%H:%M:%SZ}",
                "created_at": f"{app.created_at:%Y-%m-%dT%H:%M:%SZ}",
                "deliveries_url": f"{self.urls.api}/app/hook/deliveries",
            },
        }

    # tokens ----------------------------------------------------------------------------------------

    @locked
    def issue_token(
        self,
        installation: Installation,
        repositories: Sequence[str] | None,
        repository_ids: Sequence[int] | None,
        permissions: Mapping[str, str] | None,
    ) -> Grant:
        """Make an installation token, narrowed to repositories (names without owner) and permissions.

        Raises:
            ApiError: 422 for a repository or permission that the installation does not have.
        """
        if installation.suspended_at is not None:
            raise ApiError(403, "This installation has been suspended")
        chosen: frozenset[int] | None = None
        if repositories or repository_ids:
            names = {
                repository.name.casefold(): repository.id
                for repository in self._repositories.values()
                if repository.id in installation.repository_ids
            }
            wanted = {names.get(name.casefold()) for name in repositories or ()} | set(repository_ids or ())
            if not wanted <= installation.repository_ids:
                raise ApiError(
                    422,
                    "There is at least one repository that does not exist or is not accessible "
                    "to the parent installation.",
                )
            chosen = frozenset(number for number in wanted if number is not None)
        granted = dict(installation.app.permissions)
        if permissions:
            ranks = {"read": 1, "write": 2, "admin": 3}
            for name, level in permissions.items():
                if ranks.get(level, 9) > ranks.get(granted.get(name, ""), 0):
                    raise ApiError(422, "The permissions requested are not granted to this installation.")
            granted = {"metadata": "read", **permissions}
        grant = Grant(
            f"ghs_{installation.app.id}_{secrets.token_hex(24)}",
            installation,
            chosen,
            granted,
            self.now() + self.token_life,
        )
        self._grants[grant.token] = grant
        return grant

    @locked
    def holder(self, token: str) -> Account | Grant:
        """Give whose token this is. Raises ``ApiError`` 401 when unknown or expired."""
        owner = self._tokens.get(token)
        if owner is not None:
            return owner
        grant = self._grants.get(token)
        if grant is None or grant.expires_at <= self.clock.now():
            raise ApiError(401, "Bad credentials")
        if grant.installation.suspended_at is not None:
            raise ApiError(403, "This installation has been suspended")
        return grant

    @locked
    def revoke_tokens(self) -> None:
        """Make all installation tokens invalid now, as a leak or an outage would."""
        self._grants.clear()

    # who makes commits --------------------------------------------------------------------------------

    def signed(self, who: Account, *, web: bool = True) -> Signed:
        """Give a commit's people: made on the site (signed, committed by GitHub) or pushed."""
        author = (who.name if who.kind == "User" else who.login, who.email)
        committer = ("GitHub", "noreply@github.com") if web else author
        return Signed(author, committer, self.now(), self.now(), sign=web)

    def must_be_text(self, resource: str, field: str, value: object, limit: int) -> str:
        """Check a text field as GitHub does. Raises ``ApiError`` 422."""
        if not isinstance(value, str) or not value.strip():
            raise invalid(resource, field, "missing_field")
        if len(value) > limit:
            sentence = f"{field} is too long (maximum is {limit} characters)"
            raise invalid(resource, field, "custom", sentence)
        return value

    def installation(self, number: int, app: App | None = None) -> Installation:
        """Find an installation (of ``app``). Raises ``ApiError`` 404."""
        found = self.installations.get(number)
        if found is None or (app is not None and found.app is not app):
            raise not_found()
        return found
