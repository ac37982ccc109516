"""The webhook's door: verify, store, answer. No decisions.

Nothing is parsed before the signature over the raw bytes is right, and nothing is answered
with 202 before it is on disk. Two routes, no documentation pages, no form parser, no request
decompression; the address the request claims to have come to decides nothing.
Source: GitHub, "Validating webhook deliveries", "Handling failed webhook deliveries".
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from bot.core import events
from bot.ports import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.ports import Clock

logger = logging.getLogger(__name__)

T = TypeVar("T")

LARGEST = 26 * 1024 * 1024  # bytes; GitHub itself sends at most 25 MB
STORING_AT_ONCE = 32  # threads; what waits together shares one commit

_GUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_EVENT = re.compile(rb"[a-z][a-z_]{0,63}")
_CLOSE = {"Connection": "close"}  # what is left of the body is not read


class Inbox(Protocol):
    """What this door needs of the engine."""

    def store(self, delivery: Delivery) -> None:
        """See ``bot.ports.Engine``."""
        ...

    def is_well(self) -> bool:
        """Give whether deliveries can be stored and are worked on."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large. Seconds and bytes."""

    body_seconds: float = 10.0  # GitHub gives up after ten
    store_seconds: float = 5.0
    largest: int = LARGEST
    largest_used: int = events.LARGEST


class _Refused(Exception):  # noqa: N818 - an answer
    """Answer this and stop."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def create_app(
    inbox: Inbox,
    *,
    secrets: Sequence[bytes],
    clock: Clock,
    limits: Limits | None = None,
    path: str = "/webhook",
) -> FastAPI:
    """Make the service.

    Args:
        inbox: Keeps deliveries.
        secrets: The webhook secrets that are accepted: one, or two while one replaces the other.
        clock: For the time of receipt.
        limits: For tests and unusual networks.
        path: Where GitHub posts.

    Raises:
        ValueError: There is no secret. A door without a lock is not built.
    """
    if not secrets or not all(secrets):
        raise ValueError("a webhook secret is needed; nothing is accepted without one")
    door = _Door(inbox, tuple(secrets), clock, limits or Limits())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_api_route(path, door.webhook, methods=["POST"])
    app.add_api_route("/healthz", door.healthz, methods=["GET"])
    return app


class _Door:
    """The two routes and what they share."""

    def __init__(self, inbox: Inbox, secrets: tuple[bytes, ...], clock: Clock, limits: Limits) -> None:
        self._inbox = inbox
        self._secrets = secrets
        self._clock = clock
        self._limits = limits
        self._threads = ThreadPoolExecutor(STORING_AT_ONCE, thread_name_prefix="store")

    async def webhook(self, request: Request) -> Response:
        """Take a delivery."""
        try:
            status, words = await self._receive(request)
        except _Refused as refusal:
            status, words = refusal.status, refusal.words
        except ClientDisconnect:
            status, words = 400, "The body did not come to its end."
        is_fine = status < 400  # noqa: PLR2004 - HTTP
        fields = {
            "delivery": _logged(_header(request, b"x-github-delivery")),
            "event_name": _logged(_header(request, b"x-github-event")),
            "status": status,
            "words": words,
        }
        logger.log(logging.INFO if is_fine else logging.WARNING, "webhook", extra=fields)
        headers = _CLOSE if status in {400, 408, 413} else None
        return PlainTextResponse(words + "\n", status_code=status, headers=headers)

    async def healthz(self) -> Response:
        """Say whether a delivery could be stored now."""
        try:
            is_well = await self._in_thread(self._inbox.is_well)
        except Exception:
            logger.exception("not-well")
            is_well = False
        return PlainTextResponse("ok\n" if is_well else "not ok\n", status_code=200 if is_well else 503)

    async def _receive(self, request: Request) -> tuple[int, str]:
        _check_type(request)
        event = _header(request, b"x-github-event")
        guid = _header(request, b"x-github-delivery")
        is_used = event.decode("latin-1") in events.USED
        body = await _verified_body(request, self._secrets, self._limits, is_used=is_used)
        if not _EVENT.fullmatch(event) or not _GUID.fullmatch(guid):
            return 400, "X-GitHub-Event or X-GitHub-Delivery is missing or not of GitHub's form."
        if body is None:
            return 202, "Not used."
        delivery = Delivery(guid.decode("ascii").lower(), event.decode("ascii"), body, self._clock.now())
        try:
            return await self._in_thread(lambda: self._keep(delivery, is_used=is_used))
        except Exception:
            # Whatever it was: not acknowledged, so GitHub records a failure, and a sweep finds the rest.
            logger.exception("not-stored", extra={"delivery": delivery.guid})
            return 503, "Not stored. Please deliver again."

    def _keep(self, delivery: Delivery, *, is_used: bool) -> tuple[int, str]:
        # Read here only to refuse what is broken while somebody listens; the engine reads it again.
        try:
            events.parse(delivery.body)
        except ValueError as error:
            return 400, f"Not read: {error}."
        if not is_used:
            return 202, "Not used."
        self._inbox.store(delivery)
        return 202, "Stored."

    async def _in_thread(self, work: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        return await asyncio.wait_for(running, self._limits.store_seconds)


def signature(secret: bytes, body: bytes) -> str:
    """Give the header ``X-Hub-Signature-256`` that GitHub sends with a body."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def _check_type(request: Request) -> None:
    media, _, _ = _header(request, b"content-type").partition(b";")
    encoding = _header(request, b"content-encoding").strip().lower()
    if media.strip().lower() != b"application/json" or encoding not in {b"", b"identity"}:
        raise _Refused(415, "Only application/json: choose it as the webhook's content type.")


async def _verified_body(
    request: Request, secrets: Sequence[bytes], limits: Limits, *, is_used: bool
) -> bytes | None:
    """Give the body if its signature is right, ``None`` if it is right and too large to be of use.

    The signature is computed while the body comes in, so what is not used is not kept either.

    Raises:
        _Refused: 401, 408 or 413.
    """
    most = limits.largest_used if is_used else limits.largest
    declared = _header(request, b"content-length")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > most):  # noqa: PLR2004 - digits of any size
        raise _Refused(413, "The body is too large.")
    digests = [hmac.new(secret, digestmod=hashlib.sha256) for secret in secrets]
    kept = bytearray()
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise _Refused(413, "The body is too large.")
                for digest in digests:
                    digest.update(chunk)
                if size <= limits.largest_used:
                    kept += chunk
    except TimeoutError:
        raise _Refused(408, "The body came too slowly.") from None
    given = [value for name, value in request.scope["headers"] if name == b"x-hub-signature-256"]
    shown = given[0] if len(given) == 1 else b""
    # Bytes: for text, ``compare_digest`` raises on anything but ASCII. Every secret is tried, whatever fits.
    fits = [hmac.compare_digest(b"sha256=" + d.hexdigest().encode("ascii"), shown) for d in digests]
    if not any(fits):
        raise _Refused(401, "The signature is missing or wrong.")
    return bytes(kept) if size <= limits.largest_used else None


def _header(request: Request, name: bytes) -> bytes:
    """Give a header as it came; one that is missing or comes twice is empty."""
    values = [value for key, value in request.scope["headers"] if key == name]
    return values[0] if len(values) == 1 else b""


def _logged(value: bytes) -> str:
    return value[:64].decode("latin-1")
