"""The sandbox with one repository, and the forge that looks at it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from bot.adapters.github import GitHubForge
from bot.sandbox.server import SandboxServer
from bot.sandbox.world import World
from tests.adapters.scripted import PEM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.adapters.github.writing import GitHubRepository
    from bot.ports import File, Repository
    from bot.sandbox.model import App

SHOP = "acme/shop"
PATH = "apps/checkout/service.yaml"
OLD, NEW = b"# old\r\ntraffic: 1\r\n", b"\xef\xbb\xbf# new\ntraffic: 2"
FILES = {PATH: OLD, "README.md": b"hello\n", ".github/canary.yaml": b"version: 1\n"}


@dataclass
class Stage:
    """A world with one repository, the App installed on it, and what was sent."""

    world: World
    app: App
    installation: int
    forge: GitHubForge
    server: SandboxServer
    heard: list[str] = field(default_factory=list)

    @property
    def repository(self) -> Repository:
        return self.forge.repository(self.installation, SHOP)

    def tip(self, branch: str = "main") -> str:
        tip = self.world.tip(SHOP, branch)
        assert tip is not None
        return tip

    def branch(self, name: str = "feature", content: bytes = NEW) -> str:
        self.world.create_branch(SHOP, name, by="mona")
        return self.world.commit(SHOP, name, {PATH: content}, "Change the image", by="mona")

    def pull(self, name: str = "feature") -> int:
        self.branch(name)
        return self.world.open_pull(SHOP, name, "main", f"About {name}", "Words", by="mona").number

    def entry(self, path: str, mode: str, content: bytes) -> str:
        """Put an entry of any mode on ``main``, as a push could."""
        git = self.world.repository(SHOP).git
        tree = git.write_tree(git.commit(self.tip()).tree, [(path, mode, git.write_blob(content))])
        made = self.world.signed(self.world.account("mona"))
        sha = git.write_commit(tree, [self.tip()], "Push", made)
        self.world.move_branch(SHOP, "main", sha, by="mona")
        return sha

    def file(self, branch: str = "main") -> File:
        found = self.repository.file(PATH, self.tip(branch))
        assert found is not None
        return found

    @contextmanager
    def costs(self, *methods: str) -> Iterator[None]:
        """Fail unless these requests are sent, tokens and the App's identity aside."""
        self.warm()
        self.heard.clear()
        yield
        assert self.heard == list(methods)

    def warm(self) -> None:
        self.repository.checks(self.tip())
        self.forge._memory.identity(self.forge._as_app, cast("GitHubRepository", self.repository)._client)


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    with World.create(root=folder) as world:
        for login in ("mona", "rita", "zoe"):
            world.add_user(login)
        world.create_repository(SHOP, FILES, by="mona")
        app = world.create_app("canary-bot", "s" * 32, private_key_pem=PEM)
        installation = world.install(app, SHOP)
        heard: list[str] = []
        with SandboxServer(world) as server:
            forge = GitHubForge(
                app.id,
                app.private_key_pem,
                base_url=server.base_url,
                clock=world.clock,
                sleep=lambda _seconds: None,
                on_request=lambda method, path, _status: heard.append(
                    f"{method} {path}".replace(f"/repos/{SHOP}", "")
                ),
            )
            yield Stage(world, app, installation, forge, server, heard)
            assert server.errors == []
