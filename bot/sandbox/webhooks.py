"""Signed webhook deliveries, sent as GitHub sends them.

One background thread sends in order; a test can hold, lose, double or shuffle what is waiting.
Headers and signature as in GitHub's "Webhook events and payloads" and "Validating webhook
deliveries": the signature covers the raw body only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.sandbox.model import App

USER_AGENT = "GitHub-Hookshot/5a1d0c7"
PATIENCE = 10.0  # seconds that GitHub waits for an answer


def sign(secret: str, body: bytes) -> str:
    """Give the value of ``X-Hub-Signature-256``."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Sent:
    """One attempt to deliver.

    ``status`` is the receiver's answer, 0 when there was none (``error`` says why), and ``None``
    while it waits, was dropped, or had nowhere to go.
    """

    id: int
    guid: str
    app: App
    installation_id: int | None
    repository_id: int | None
    event: str
    action: str | None
    body: bytes
    at: datetime
    redelivery: bool = False
    status: int | None = None
    error: str = ""
    seconds: float = 0.0

    def payload(self) -> Any:
        """Give the body, parsed."""
        return json.loads(self.body)

    def headers(self) -> dict[str, str]:
        """Give the headers that GitHub sends with it."""
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-GitHub-Delivery": self.guid,
            "X-GitHub-Event": self.event,
            "X-GitHub-Hook-ID": str(self.app.hook_id),
            "X-GitHub-Hook-Installation-Target-ID": str(self.app.id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature-256": sign(self.app.webhook_secret, self.body),
        }


class Hooks:
    """The deliveries of a world, and the thread that sends them.

    Args:
        next_id: Gives the id of a new delivery.
        now: Gives the time.
    """

    def __init__(self, next_id: Callable[[], int], now: Callable[[], datetime]) -> None:
        self._next_id = next_id
        self._now = now
        self._changed = threading.Condition()
        self._waiting: deque[Sent] = deque()
        self._held: list[Sent] = []
        self._paused = False
        self._busy = False
        self._stopped = False
        self._dropping = 0
        self._thread: threading.Thread | None = None
        self.deliveries: list[Sent] = []

    def send(
        self,
        app: App,
        event: str,
        payload: dict[str, Any],
        *,
        installation_id: int | None = None,
        repository_id: int | None = None,
    ) -> Sent:
        """Log a delivery and queue it, if the App has an address for it."""
        sent = Sent(
            id=self._next_id(),
            guid=str(uuid.uuid4()),
            app=app,
            installation_id=installation_id,
            repository_id=repository_id,
            event=event,
            action=payload.get("action"),
            body=json.dumps(payload, ensure_ascii=False).encode("utf-8", "backslashreplace"),
            at=self._now(),
        )
        self._queue(sent)
        return sent

    def redeliver(self, guid: str) -> Sent:
        """Send a delivery again, with the same GUID and body. Raises ``KeyError``."""
        first = next((sent for sent in self.deliveries if sent.guid == guid), None)
        if first is None:
            raise KeyError(guid)
        again = Sent(
            id=self._next_id(),
            guid=guid,
            app=first.app,
            installation_id=first.installation_id,
            repository_id=first.repository_id,
            event=first.event,
            action=first.action,
            body=first.body,
            at=self._now(),
            redelivery=True,
        )
        self._queue(again)
        return again

    def _queue(self, sent: Sent) -> None:
        with self._changed:
            self.deliveries.append(sent)
            if self._dropping and not sent.redelivery:
                self._dropping -= 1
            elif self._paused:
                self._held.append(sent)
            elif sent.app.webhook_url is not None:
                self._hand_over([sent])

    def _hand_over(self, batch: list[Sent]) -> None:
        self._waiting.extend(batch)
        if self._thread is None and not self._stopped:
            self._thread = threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    # what a test does to deliveries --------------------------------------------------------------

    def pause(self) -> None:
        """Hold deliveries back until ``flush``."""
        with self._changed:
            self._paused = True

    def flush(self, *, shuffle: int | None = None, copies: int = 1, keep_paused: bool = False) -> int:
        """Send what was held back, and go on as before; give the number of requests.

        Args:
            shuffle: The seed of another order.
            copies: How often each is sent.
            keep_paused: Hold back what comes next.
        """
        with self._changed:
            batch = [sent for sent in self._held for _ in range(copies) if sent.app.webhook_url is not None]
            self._held = []
            self._paused = keep_paused
            if shuffle is not None:
                random.Random(shuffle).shuffle(batch)  # noqa: S311 - an order, not a secret
            if batch:
                self._hand_over(batch)
            return len(batch)

    def drop(self, count: int) -> None:
        """Lose the next ``count`` deliveries; they stay in the log. Those held back are lost too."""
        with self._changed:
            self._dropping = count
            self._held = []

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is on its way, at most ``timeout`` seconds; tell whether that came."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def close(self) -> None:
        """Stop the thread; what waits is not sent."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(PATIENCE + 1)

    def _work(self) -> None:
        # A connection for each delivery: a kept one may be closed by a receiver that was idle.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(trust_env=False, timeout=PATIENCE, limits=limits) as client:
            while True:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._waiting or self._stopped)
                    if self._stopped:
                        return
                    sent = self._waiting.popleft()
                    self._busy = True
                _attempt(client, sent)


def _attempt(client: httpx.Client, sent: Sent) -> None:
    started = monotonic()
    url = sent.app.webhook_url
    try:
        answer = client.post(url or "", content=sent.body, headers=sent.headers())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sent.status, sent.error = 0, f"{type(error).__name__}: {error}"
    else:
        sent.status = answer.status_code
    sent.seconds = monotonic() - started
