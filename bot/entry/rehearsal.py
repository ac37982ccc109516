"""The whole bot against the sandbox, in one process: for the demo, for rehearsals and for tests.

The bot is the one that runs in production: webhook over HTTP, PyGithub, the durable engine.
Only the base URL, the key and the secret are the sandbox's.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.entry.serve import Running, running
from bot.entry.settings import Settings
from bot.sandbox.clock import SandboxClock
from bot.sandbox.pages import router
from bot.sandbox.server import SandboxServer
from bot.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.ports import Gates
    from bot.sandbox.model import App

SLUG = "canary-bot"
PATIENCE = 30.0  # seconds that ``settle`` waits at most
_ROUNDS = 2  # a delivery may set off work, and work deliveries: the same count twice is rest


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A sandbox with the bot attached to it."""

    world: World
    app: App
    server: SandboxServer
    bot: Running
    clock: SandboxClock
    gates: Gates | None = None

    def install(self, repo: str) -> int:
        """Install the bot's App on a repository and give the installation's id."""
        return self.world.install(self.app, repo)

    def settle(self, patience: float = PATIENCE) -> None:
        """Wait until every webhook is delivered and the bot has nothing left to do now.

        Raises:
            TimeoutError: It did not come to rest in time.
        """
        end = time.monotonic() + patience
        quiet, seen = 0, -1
        while quiet < _ROUNDS:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the bot did not come to rest")
            if self.world.hooks.wait(left) and self.bot.idle(left):
                count = len(self.world.hooks.deliveries)
                quiet = quiet + 1 if count == seen else 0
                seen = count


@contextmanager
def rehearsal(
    *,
    clock: SandboxClock | None = None,
    port: int = 0,
    sweep: bool = False,
    database: Path | None = None,
    gates: Gates | None = None,
) -> Iterator[Rehearsal]:
    """Start a sandbox and the bot, both on loopback, and stop both at the end.

    Args:
        clock: The time of both; the machine's, shiftable, by default.
        port: Of the sandbox; any free one by default.
        sweep: Whether the bot looks for what no webhook told.
        database: The bot's SQLite file; a temporary one by default.
        gates: What asks gates; by default nothing can be asked.
    """
    clock = clock or SandboxClock()
    with ExitStack() as stack:
        world = stack.enter_context(World.create(clock))
        secret = secrets.token_hex(32)
        app = world.create_app(SLUG, secret)
        server = stack.enter_context(SandboxServer(world, pages=router(world), port=port))
        if database is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-bot-"))
            database = Path(folder) / "canary.sqlite3"
        settings = Settings(
            app_id=app.id,
            private_key=SecretStr(app.private_key_pem),
            webhook_secret=SecretStr(secret),
            github_api_url=server.base_url,
            database=database,
        )
        bot = stack.enter_context(running(settings, clock=clock, sweep=sweep, gates=gates))
        world.set_webhook(app, bot.webhook_url)
        yield Rehearsal(world, app, server, bot, clock, gates)
