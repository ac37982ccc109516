"""The sandbox over HTTP, on loopback: the API at ``/`` and ``/api/v3``, and the pages."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.sandbox import (
    graphql,
    rest_apps,
    rest_checks,
    rest_code,
    rest_deployments,
    rest_pulls,
    rest_rules,
    rest_statuses,
    rest_talk,
    rest_teams,
)
from bot.sandbox.auth import authenticate, limit_of, name_of
from bot.sandbox.base import Urls
from bot.sandbox.errors import ApiError, not_found
from bot.sandbox.faults import Fault, Faults, Request
from bot.sandbox.rest import Call, Reply, etag, parse_body, parse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from fastapi import APIRouter
    from starlette.requests import Request as Incoming
    from starlette.types import Receive, Scope, Send

    from bot.sandbox.auth import Caller
    from bot.sandbox.rest import Handler
    from bot.sandbox.world import World

ENTERPRISE = "/api/v3"
# What belongs to a commit or branch comes before the commit or branch itself, whose name may hold slashes.
TABLES = (
    *(rest_apps.table, rest_pulls.table, rest_talk.table, rest_checks.table, rest_statuses.table),
    *(rest_deployments.table, rest_rules.table, rest_teams.table, rest_code.table),
)
GRACE = 1.0  # seconds that requests have when the server stops
_ROUTE = "sandbox_route"
_OPEN: dict[Any, asyncio.Transport] = {}


def _ends(transport: asyncio.Transport) -> tuple[Any, Any]:
    """Give both addresses of a connection."""
    return tuple(transport.get_extra_info("peername")), tuple(transport.get_extra_info("sockname"))


class Protocol(H11Protocol):
    """HTTP/1.1 whose open connections are known by their addresses, so that one can be cut."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection."""
        super().connection_made(transport)
        _OPEN[_ends(transport)] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _OPEN.pop(_ends(self.transport), None)
        super().connection_lost(exc)


class _Silence(Response):
    """No answer: the connection is cut, or stays open until the caller gives up."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        self.cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        if self.cut:
            transport = _OPEN.get((tuple(scope["client"] or ()), tuple(scope["server"] or ())))
            if transport is not None:
                transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Operations(BaseRoute):
    """The routes below a prefix, looked at in their order as Starlette does, without trying all of them.

    Args:
        prefix: What all their paths begin with.
        routes: They.
    """

    def __init__(self, prefix: str, routes: Sequence[Route]) -> None:
        self._prefix = prefix
        self._routes = routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find the first route for path and method, else the first for the path alone."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            return Match.NONE, {}
        partial: tuple[Match, Scope] = Match.NONE, {}
        for route in self._routes:
            if not route.path_regex.match(scope["path"]):
                continue
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, _ROUTE: route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**found, _ROUTE: route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the route answer that was found."""
        await scope[_ROUTE].handle(scope, receive, send)


@dataclass(slots=True)
class Api:
    """The API of a world: its faults, and the record of its requests.

    ``errors`` holds tracebacks of the sandbox's own mistakes; a test wants it empty.
    """

    world: World
    faults: Faults = field(default_factory=Faults)
    requests: list[Request] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)

    def endpoint(self, handler: Handler, prefix: str) -> Callable[[Incoming], Awaitable[Response]]:
        """Give the ASGI side of an operation."""

        async def answer(incoming: Incoming) -> Response:
            raw = await incoming.body()
            return await run_in_threadpool(self.answer, handler, prefix, incoming, raw)

        return answer

    def answer(self, handler: Handler, prefix: str, incoming: Incoming, raw: bytes) -> Response:
        """Carry out one request, with the fault that waits for it."""
        method, path = incoming.method, incoming.scope["path"].removeprefix(prefix)
        fault = self.faults.take(method, path)
        caller: Caller = None
        reply: Reply
        try:
            caller = authenticate(self.world, incoming.headers.get("authorization", ""))
            if fault is not None and fault.action is not None:
                fault.action()
            if fault is not None and fault.action is None and not fault.after:
                return self._fail(fault, incoming, path, caller)
            call = self._call(prefix, incoming, raw, caller)
            with self.world.lock:
                reply = handler(call)
        except ApiError as error:
            reply = Reply(error.body(), error.status, error.headers)
        except Exception:  # noqa: BLE001 - the sandbox's own mistake is a 500 that tests can see
            self.errors.append(traceback.format_exc())
            reply = Reply({"message": "Server Error"}, 500)
        if fault is not None and fault.after:
            return self._fail(fault, incoming, path, caller)
        return self._respond(reply, incoming, path, caller)

    def _call(self, prefix: str, incoming: Incoming, raw: bytes, caller: Caller) -> Call:
        base = f"http://{incoming.headers.get('host', '127.0.0.1')}"
        body = parse_body(raw)
        if not isinstance(body, dict) and not incoming.scope["path"].endswith("/labels"):
            raise ApiError(400, "Body should be a JSON object")
        return Call(
            world=self.world,
            urls=Urls(base + prefix, base),
            caller=caller,
            path=incoming.path_params,
            query=parse_query(incoming.scope["query_string"]),
            body=body,
            here=base + incoming.url.path,
            accept=incoming.headers.get("accept", ""),
        )

    def _fail(self, fault: Fault, incoming: Incoming, path: str, caller: Caller) -> Response:
        if fault.answer in {"drop", "hang"}:
            self._record(incoming, path, 0, caller)
            return _Silence(cut=fault.answer == "drop")
        error = fault.error()
        return self._respond(Reply(error.body(), error.status, error.headers), incoming, path, caller)

    def _respond(self, reply: Reply, incoming: Incoming, path: str, caller: Caller) -> Response:
        who = name_of(caller)
        headers = {
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": secrets.token_hex(12).upper(),
            "X-GitHub-Api-Version-Selected": "2022-11-28",
        }
        content, status = reply.content(), reply.status
        if incoming.method == "GET" and status == 200:  # noqa: PLR2004 - only a full answer is remembered
            headers["ETag"] = etag(content)
            if headers["ETag"] in incoming.headers.get("if-none-match", ""):
                content, status = b"", 304
        if status != 304:  # noqa: PLR2004 - what was not sent again is free
            self.used[who] = self.used.get(who, 0) + 1
        used = self.used.get(who, 0)
        limit = limit_of(caller)
        headers |= {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(limit - used, 1)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(self.world.now().timestamp()) + 3600),
            "X-RateLimit-Resource": "core",
        }
        headers |= reply.headers
        self._record(incoming, path, status, caller)
        if status in {204, 304}:
            return Response(status_code=status, headers=headers)
        return Response(content, status, headers, media_type=reply.media)

    def _record(self, incoming: Incoming, path: str, status: int, caller: Caller) -> None:
        query = incoming.scope["query_string"].decode("ascii", "replace")
        self.requests.append(Request(incoming.method, path, status, name_of(caller), query))


def create_app(world: World, *, api: Api | None = None, pages: APIRouter | None = None) -> FastAPI:
    """Make the application: the API, and the pages behind it.

    Args:
        world: What is served.
        api: Keeps the record and the faults; a fresh one by default.
        pages: Routes of the web pages, looked at after those of the API.
    """
    api = api or Api(world)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for prefix in (ENTERPRISE, ""):
        operations = [
            Route(prefix + path, api.endpoint(handler, prefix), methods=[method])
            for table in (*TABLES, graphql.table)
            for method, path, handler in table.routes
        ]
        app.router.routes.append(_Operations(prefix, operations))
    if pages is not None:
        app.include_router(pages)

    async def unknown(incoming: Any, _: Exception) -> Response:
        reply = not_found()
        return api.answer(_raiser(reply), "", incoming, b"")

    app.add_exception_handler(HTTPException, unknown)
    return app


def _raiser(error: ApiError) -> Handler:
    def refuse(_: Call) -> Reply:
        raise error

    return refuse


class _Server(uvicorn.Server):
    """Uvicorn that ends as soon as it is told to; of its own it sleeps a tenth of a second twice."""

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def end(self) -> None:
        """Have it end, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._told.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; who ends it before this is heard behind it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Wait for the end, and renew the date of the answers every second."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is idle, and give what is under way a second."""
        for server in self.servers:
            server.close()
        for one in sockets or ():
            one.close()
        state, end = self.server_state, monotonic() + GRACE
        for connection in list(state.connections):
            connection.shutdown()
        while (state.connections or state.tasks) and monotonic() < end:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        for task in state.tasks:
            task.cancel()


class SandboxServer:
    """A world, served on 127.0.0.1 by a thread while the context is open.

    ``base_url`` is the API's address and the pages'; for a client that wants GitHub Enterprise
    Server's paths it is ``base_url + "/api/v3"``.

    Args:
        world: Its ``urls`` are set to the server's.
        pages: Routes of the web pages.
        port: 0 takes a free one.
    """

    def __init__(self, world: World, *, pages: APIRouter | None = None, port: int = 0) -> None:
        self.world = world
        self.api = Api(world)
        self.faults = self.api.faults
        self._socket = socket.create_server(("127.0.0.1", port))
        # Accepted connections inherit it; Nagle's delay would cost 40 ms an answer.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = int(self._socket.getsockname()[1])
        self.base_url = f"http://127.0.0.1:{self.port}"
        world.urls = Urls(self.base_url, self.base_url)
        # A name that a foreign page points at this machine must not open the sandbox to that page.
        app = TrustedHostMiddleware(
            create_app(world, api=self.api, pages=pages), allowed_hosts=["127.0.0.1", "localhost"]
        )
        config = uvicorn.Config(
            app,
            http=Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_keep_alive=75,  # as GitHub: an idle client must not find its connection closed
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox-http", daemon=True
        )

    @property
    def requests(self) -> list[Request]:
        """All requests to the API so far; clear it to count anew."""
        return self.api.requests

    @property
    def errors(self) -> list[str]:
        """Tracebacks of the sandbox's own mistakes."""
        return self.api.errors

    def by(self, caller: str) -> list[Request]:
        """Give the requests of one caller: a login, ``slug[bot]``, or ``app:slug`` for its JWT."""
        return [request for request in self.requests if request.caller == caller]

    def start(self) -> None:
        """Serve. The socket listens already, so a request sent at once waits and is answered."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; requests without an answer are cut."""
        self._server.end()
        self._thread.join(10)
        self._socket.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
