"""A served sandbox with a public and a private repository, asked over real HTTP."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import jwt
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.sandbox.clock import SandboxClock
from bot.sandbox.people import new_key
from bot.sandbox.server import SandboxServer
from bot.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.sandbox.model import App, Pull

SHOP = "acme/shop"
SECRET = "acme/secret"
OTHER = "acme/other"
TEXT = b"".join(b"line %d\n" % number for number in range(1, 10))
CHANGED = TEXT.replace(b"line 5", b"LINE FIVE")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WRITE = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@dataclass
class Peer:
    """The world, its server, an App with its installation, and a client."""

    world: World
    server: SandboxServer
    app: App
    installation: int
    client: httpx.Client

    def jwt(self, *, iat: int = -60, exp: int = 300, key: str | None = None, **claims: Any) -> str:
        now = int(self.world.clock.now().timestamp())
        told = {"iss": str(self.app.id), "iat": now + iat, "exp": now + exp} | claims
        return jwt.encode(told, key or self.app.private_key_pem, "RS256")

    def token(self, **narrowed: Any) -> str:
        """Get an installation token over HTTP."""
        path = f"/app/installations/{self.installation}/access_tokens"
        answer = self.ask("POST", path, self.jwt(), json=narrowed)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def credential(self, who: str) -> str:
        """Give the credential of ``app`` (its JWT), ``bot`` (a token), nobody, or a person."""
        if who == "app":
            return self.jwt()
        if who == "bot":
            return self.token()
        return self.world.token(who) if who else ""

    def ask(self, method: str, path: str, credential: str = "", **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if credential:
            headers["Authorization"] = f"Bearer {credential}"
        return self.client.request(method, path, headers=headers, **more)

    def feature(self, name: str = "feature", content: bytes = CHANGED) -> Pull:
        """Open a pull request of mona from a branch that changes ``a.txt``."""
        self.world.create_branch(SHOP, name, by="mona")
        self.world.commit(SHOP, name, {"a.txt": content}, f"Change a on {name}", by="mona")
        return self.world.open_pull(SHOP, name, "main", f"About {name}", "Words", by="mona")


@cache
def shared_key() -> str:
    """Make one key for all tests: making it takes longer than most of them."""
    return new_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def populate(world: World) -> App:
    """Fill a world: mona writes, rita triages, eve has no role; the App is on shop and secret."""
    for login in ("mona", "rita", "eve"):
        world.add_user(login)
    for name in (SHOP, SECRET, OTHER):
        world.create_repository(name, {"a.txt": TEXT, "deep/b.yaml": b"b: 1\r\n"}, private=name == SECRET)
        world.set_role(name, "mona", "write")
        world.set_role(name, "rita", "triage")
    return world.create_app("canary", "s" * 32, permissions=WRITE, private_key_pem=shared_key())


@contextmanager
def serving(root: Path) -> Iterator[Peer]:
    """Serve a populated world while the context is open; its own mistakes fail the test."""
    with World.create(SandboxClock(START), root) as world:
        app = populate(world)
        installation = world.install(app, SHOP)
        world.install(app, SECRET)
        with (
            SandboxServer(world) as server,
            httpx.Client(base_url=server.base_url, trust_env=False, timeout=20) as client,
        ):
            yield Peer(world, server, app, installation, client)
            assert server.errors == []


def later(world: World, **by: float) -> None:
    world.clock.advance(timedelta(**by))
