"""Hears all that goes through sandboxes while it listens: requests with their answers, and webhooks."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox import server
from bot.sandbox.webhooks import Hooks
from tests.contract.exchange import GRAPHQL_PATH, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bot.sandbox.webhooks import Sent

ENTERPRISE = "/api/v3"
_OF_THE_API = b"x-github-request-id"  # the pages' answers have none


@dataclass(slots=True)
class Recorder:
    """What was heard since it was last taken; safe to use from any thread."""

    _exchanges: list[Exchange] = field(default_factory=list)
    _webhooks: list[tuple[str, bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to every sandbox server that is made inside, as long as it runs, and to webhooks inside."""
        create, send = server.create_app, Hooks.send

        def create_app(*args: Any, **more: Any) -> FastAPI:
            app = create(*args, **more)
            app.add_middleware(Ear, recorder=self)
            return app

        @wraps(send)
        def sending(*args: Any, **more: Any) -> Sent:
            sent = send(*args, **more)
            with self._lock:
                self._webhooks.append((sent.event, sent.body))
            return sent

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "create_app", create_app)
            patch.setattr(Hooks, "send", sending)
            yield

    def hear(self, exchange: Exchange) -> None:
        """Remember an exchange."""
        with self._lock:
            self._exchanges.append(exchange)

    def take(self) -> tuple[list[Exchange], list[tuple[str, bytes]]]:
        """Give the exchanges and the webhooks (event, payload) heard so far, and forget them."""
        with self._lock:
            heard = self._exchanges, self._webhooks
            self._exchanges, self._webhooks = [], []
        return heard


class Ear:
    """ASGI middleware that passes every message on, and has the recorder hear each exchange.

    An exchange is heard before the last of the answer is sent, so whoever has the answer finds it heard.
    A request that gets no answer is heard with status 0.
    """

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self._app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        listening = _Listening(scope, receive, send, self._recorder)
        try:
            await self._app(scope, listening.receive, listening.send)
        finally:
            if listening.start is None:
                listening.hear()


@dataclass(slots=True)
class _Listening:
    """One request on its way in, and its answer on its way out."""

    scope: Scope
    receiving: Receive
    sending: Send
    recorder: Recorder
    start: Message | None = None
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)
    _whole: bool = False
    _started: bool = False

    async def receive(self) -> Message:
        message = await self.receiving()
        self.asked.extend(message.get("body", b""))
        self._whole = not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message  # kept until the body: a 204 is whole for the client without one
            return
        self.answered.extend(message.get("body", b""))
        if not message.get("more_body"):
            while not self._whole:  # whoever refuses at once has not read the request
                await self.receive()
            self.hear()
        if self.start is not None and not self._started:
            self._started = True
            await self.sending(self.start)
        await self.sending(message)

    def hear(self) -> None:
        start = self.start or {"status": 0, "headers": []}
        headers = {name.lower(): value for name, value in start["headers"]}
        if self.start is not None and _OF_THE_API not in headers:
            return
        self.recorder.hear(
            Exchange(
                method=self.scope["method"],
                path=_below_root(self.scope["raw_path"].decode("ascii")),
                query=self.scope["query_string"].decode("ascii", "replace"),
                status=start["status"],
                request_body=bytes(self.asked),
                response_body=bytes(self.answered),
                content_type=headers.get(b"content-type", b"").decode("latin-1"),
            )
        )


def _below_root(path: str) -> str:
    """Give a path as on github.com; GitHub Enterprise Server has the API below a prefix."""
    return GRAPHQL_PATH if path == "/api/graphql" else path.removeprefix(ENTERPRISE)
