"""The sandbox's web page: what a person sees and does, in GitHub's manner.

Everything is a plain page with plain forms; the little script only inserts commands and
follows what others do. Persons act through the same methods of ``World`` as everybody,
so permissions, webhooks and refusals are those of the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bot.sandbox.errors import ApiError
from bot.sandbox.pages_forms import Forms, sentence
from bot.sandbox.pages_http import Refusal, Visit
from bot.sandbox.pages_read import NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.requests import Request

    from bot.sandbox.world import World

Handler = Callable[[Visit], Response]


def router(world: World) -> APIRouter:
    """Give the pages' routes, to be included in the sandbox's application behind the API's.

    Args:
        world: Shown and acted on; its methods may block, so they run in threads.
    """
    pages = Forms(world)
    routes = APIRouter(include_in_schema=False)
    repo, pull = "/{owner:owner}/{name}", "/{owner:owner}/{name}/pull/{number:int}"
    shown: dict[str, Handler] = {
        "/": pages.home,
        "/{owner:owner}": pages.home,
        "/static/{file}": pages.static,
        "/-/version": pages.version,
        f"{repo}/pulls": pages.pulls,
        f"{repo}/version": pages.version,
        f"{repo}/commits/{{ref:path}}": pages.history,
        f"{repo}/commit/{{sha}}": pages.commit,
        f"{repo}/blob/{{rest:path}}": pages.blob,
        f"{pull}/version": pages.version,
        f"{pull}/{{view}}": pages.pull,
        pull: pages.pull,
        repo: pages.repository,
    }
    done: dict[str, Handler] = {
        "/-/user": pages.choose_user,
        "/-/clock": pages.skip_time,
        f"{repo}/edit": pages.edit,
        f"{pull}/comment": pages.comment,
        f"{pull}/comment/{{id:int}}": pages.change_comment,
        f"{pull}/check/{{id:int}}": pages.ask_check,
        f"{pull}/merge": pages.merge,
        f"{pull}/delete-branch": pages.delete_branch,
    }
    for path, handler in shown.items():
        routes.add_route(path, _endpoint(pages, handler), methods=["GET"], include_in_schema=False)
    for path, handler in done.items():
        routes.add_route(path, _endpoint(pages, handler), methods=["POST"], include_in_schema=False)
    return routes


def _endpoint(pages: Forms, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a handler: read the request first, answer refusals with a page."""

    async def answer(request: Request) -> Response:
        try:
            visit = await pages.door.visit(request)
        except Refusal as no:
            return await run_in_threadpool(pages.problem, _stranger(request), no)
        return await run_in_threadpool(_answered, pages, handler, visit)

    return answer


def _answered(pages: Forms, handler: Handler, visit: Visit) -> Response:
    try:
        return handler(visit)
    except Refusal as no:
        return pages.problem(visit, no)
    except ApiError as no:
        if no.status == NOT_FOUND:
            text = f"There is nothing here that {pages.me(visit).login} may see."
            return pages.problem(visit, Refusal(NOT_FOUND, "Not found", text))
        return pages.problem(visit, Refusal(no.status, "That was refused", sentence(no)))


def _stranger(request: Request) -> Visit:
    """Give what is known of a request that was refused before it was read."""
    path = {name: str(value) for name, value in request.path_params.items()}
    return Visit(path, {}, {}, dict(request.cookies), "/", session="", csrf="")
