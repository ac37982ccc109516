"""A small shop in a sandbox, and a visitor with a browser's manners."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING

import httpx

from bot.sandbox.clock import SandboxClock
from bot.sandbox.pages import router
from bot.sandbox.server import create_app
from bot.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

REPO = "shop/storefront"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MANIFEST = b"""# Owners: team-shop.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
spec:
  template:
    metadata:
      name: customer-v3
    spec:
      containers:
        - image: quay.io/shop/customer:3.4.1
  traffic:
  - tag: current
    revisionName: customer-v3
    percent: 100
"""
FEATURE = MANIFEST.replace(b"customer-v3\n    spec", b"customer-v4\n    spec").replace(b"3.4.1", b"3.5.0")


def shop(root: Path) -> World:
    """Give a world with mona (admin), hubot (write), rita (triage), eve (read), and pull request 1 of hubot."""
    world = World.create(SandboxClock(START), root)
    for login in ("mona", "hubot", "rita", "eve"):
        world.add_user(login)
    files = {
        "customer.yaml": MANIFEST,
        "apps/crlf.yaml": MANIFEST.replace(b"\n", b"\r\n"),
        "README.md": b"# Shop\n\nSee #1.\n",
    }
    world.create_repository(REPO, files, by="mona")
    world.set_role(REPO, "hubot", "write")
    world.set_role(REPO, "rita", "triage")
    world.create_branch(REPO, "faster", by="hubot")
    world.commit(REPO, "faster", {"customer.yaml": FEATURE}, "Use customer 3.5.0", by="hubot")
    world.open_pull(REPO, "faster", "main", "customer: 3.5.0", "The **faster** one.", by="hubot")
    return world


def application(world: World) -> FastAPI:
    """Give the sandbox as it is served: the API, and the pages behind it."""
    return create_app(world, pages=router(world))


class Inside(httpx.BaseTransport):
    """Takes a client's requests to an application without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, whole."""

        async def answer() -> httpx.Response:
            found = await self._transport.handle_async_request(request)
            content = await found.aread()
            return httpx.Response(found.status_code, headers=found.headers, content=content)

        return asyncio.run(answer())


class Visitor:
    """Opens pages, keeps cookies, and fills in the forms that are there."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.answer = httpx.Response(200)

    @property
    def text(self) -> str:
        """The page that is open."""
        return self.answer.text

    @property
    def words(self) -> str:
        """The page's text without its markup, on one line."""
        bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(bare).split())

    def open(self, path: str, status: int = 200) -> str:
        """Open a page and give its HTML."""
        self.answer = self.client.get(path)
        assert self.answer.status_code == status, self.text
        return self.text

    def become(self, login: str) -> None:
        """Choose a person in the head of the page."""
        self.open("/")
        self.submit("/-/user", login=login, back="/")

    def submit(self, target: str, /, *, status: int = 200, **fields: str) -> str:
        """Send the open page's form with that action, with its hidden fields; follow the redirect."""
        form = re.search(rf'<form[^>]*action="{re.escape(target)}".*?</form>', self.text, re.DOTALL)
        assert form is not None, f"there is no form for {target}"
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[0])
        values = {name: unescape(value) for name, value in hidden}
        self.answer = self.client.post(target, data=values | fields)
        assert self.answer.status_code == status, self.text
        return self.text


@contextmanager
def visitor(world: World, login: str = "mona") -> Iterator[Visitor]:
    """Give a visitor of the pages of a world who acts as that person."""
    transport = Inside(application(world))
    with httpx.Client(transport=transport, base_url="http://sandbox.test", follow_redirects=True) as client:
        visitor = Visitor(client)
        visitor.become(login)
        yield visitor
