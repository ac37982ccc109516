"""A webhook's sender and an inbox, for the tests of the door."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from bot.core.problems import OutsideFailure
from bot.entry.web import Limits, create_app, signature

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterable

    from bot.ports import Delivery

SECRET = b"a webhook secret for tests only!!"
OLD_SECRET = b"the webhook secret of last month!"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class StandingClock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


class Inbox:
    """Keeps deliveries in memory; may be full, broken or stuck."""

    def __init__(self) -> None:
        self.stored: list[Delivery] = []
        self.failure: Exception | None = None
        self.stuck: threading.Event | None = None

    def store(self, delivery: Delivery) -> None:
        if self.stuck is not None:
            self.stuck.wait(10)
        if self.failure is not None:
            raise self.failure
        self.stored.append(delivery)

    def is_well(self) -> bool:
        if isinstance(self.failure, OutsideFailure):
            return False
        if self.failure is not None:
            raise self.failure
        return True


def comment_body(text: str = "/canary 25", number: int = 3, **changes: Any) -> bytes:
    elsewhere = "https://attacker.invalid/steal"
    payload = {
        "action": "created",
        "installation": {"id": 9},
        "repository": {"id": 77, "full_name": "shop/customer", "url": elsewhere, "hooks_url": elsewhere},
        "issue": {"number": number, "pull_request": {"url": elsewhere}, "comments_url": elsewhere},
        "comment": {"id": 1, "body": text, "user": {"type": "User", "url": elsewhere}},
        **changes,
    }
    return json.dumps(payload).encode("ascii")


def headers(
    body: bytes,
    *,
    event: str = "issue_comment",
    secret: bytes = SECRET,
    guid: str = "",
    **more: str | bytes | None,
) -> list[tuple[bytes, bytes]]:
    """Give GitHub's headers; ``more`` replaces one (underscores for hyphens) or drops it with ``None``."""
    given: dict[str, str | bytes | None] = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": guid or str(uuid.uuid4()),
        "x-hub-signature-256": signature(secret, body),
    }
    given |= {name.replace("_", "-"): value for name, value in more.items()}
    return [
        (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in given.items()
        if value is not None
    ]


class Door:
    """The application without a socket."""

    def __init__(
        self, inbox: Inbox, *, secrets: tuple[bytes, ...] = (SECRET,), limits: Limits | None = None
    ) -> None:
        self.inbox = inbox
        self.app = create_app(inbox, secrets=secrets, clock=StandingClock(), limits=limits)

    def request(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterable[bytes] | None = None,
        head: list[tuple[bytes, bytes]] | None = None,
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://bot.invalid") as client:
                return await client.request(method, path, content=content, headers=head)

        return asyncio.run(send())

    def post(self, body: bytes, **more: Any) -> httpx.Response:
        return self.request("POST", "/webhook", body, headers(body, **more))
