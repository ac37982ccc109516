"""Faults that a test puts on the way of a request, and the record of all requests."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
BASE_MODIFIED = "Base branch was modified. Review and try the merge again."
_ANSWERS: dict[str, tuple[int, str, dict[str, str]]] = {
    "401": (401, "Bad credentials", {}),
    "403": (403, "Resource not accessible by integration", {}),
    "403-primary": (
        403,
        "API rate limit exceeded for installation.",
        {"X-RateLimit-Remaining": "0"},
    ),
    "403-secondary": (403, SECONDARY, {}),
    "403-secondary-retry": (403, SECONDARY, {"Retry-After": "60"}),
    "404": (404, "Not Found", {}),
    "405": (405, "Pull Request is not mergeable", {}),
    "405-base-modified": (405, BASE_MODIFIED, {}),
    "409": (409, "Git Repository is empty.", {}),
    "422": (422, "Validation Failed", {}),
    "429": (429, SECONDARY, {"Retry-After": "60"}),
    "500": (500, "Server Error", {}),
    "502": (502, "Server Error", {}),
    "503": (503, "No server is currently available to service your request.", {}),
    "504": (504, "We couldn't respond to your request in time.", {}),
}
_KIND = re.compile(r"(?:(before|after)-)?(drop|hang|\d{3}(?:-[a-z-]+)?)")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the API as it was answered; ``status`` 0 when the connection was dropped.

    ``caller`` is a login, ``slug[bot]`` for an installation token, ``app:slug`` for a JWT, or empty.
    ``path`` is without ``/api/v3``, its query in ``query``.
    """

    method: str
    path: str
    status: int
    caller: str = ""
    query: str = ""


@dataclass(slots=True)
class Fault:
    """What befalls the next ``times`` requests that match, after ``skip`` of them.

    Either ``answer`` (with ``after``: the request is carried out first), or ``action`` is called
    before the request goes on as usual. ``answer`` is a key of the table, ``drop`` (the
    connection is cut) or ``hang`` (no answer until the caller gives up).
    """

    method: str
    path: re.Pattern[str]
    answer: str = ""
    after: bool = False
    action: Callable[[], object] | None = None
    times: int = 1
    skip: int = 0
    message: str = ""

    def error(self) -> ApiError:
        """Give the answer as an error."""
        status, message, headers = _ANSWERS.get(self.answer, (int(self.answer[:3]), "Server Error", {}))
        return ApiError(status, self.message or message, headers=headers)


@dataclass(slots=True)
class Faults:
    """The faults that wait for their requests; safe to use from any thread."""

    waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, method: str, path: str, kind: str, times: int = 1, *, skip: int = 0, message: str = ""
    ) -> None:
        """Let requests fail.

        Args:
            method: An HTTP method, or ``*``.
            path: A regular expression, searched in the path without ``/api/v3``.
            kind: ``before-500`` (nothing happens), ``after-500`` (it happens, then the answer is
                lost), any other status alike; ``before-drop``, ``after-drop``, ``before-hang``,
                ``after-hang``; ``403-primary``, ``403-secondary``, ``403-secondary-retry``, ``429``,
                ``405-base-modified``, ``409``, ``404``, ``401`` ... without a prefix mean before.
            times: How many requests.
            skip: How many matching requests go through first.
            message: The answer's text, where GitHub's usual one does not fit.
        """
        found = _KIND.fullmatch(kind)
        if found is None:
            raise ValueError(f"not a fault: {kind!r}")
        late = found[1] == "after"
        self._put(Fault(method, re.compile(path), found[2], late, times=times, skip=skip, message=message))

    def before(
        self, method: str, path: str, action: Callable[[], object], times: int = 1, *, skip: int = 0
    ) -> None:
        """Call ``action`` before matching requests, as somebody who is a moment faster."""
        self._put(Fault(method, re.compile(path), action=action, times=times, skip=skip))

    def _put(self, fault: Fault) -> None:
        with self._lock:
            self.waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self.waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Give the fault for a request, and count it."""
        with self._lock:
            for fault in self.waiting:
                if fault.method not in {"*", method} or not fault.path.search(path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None
