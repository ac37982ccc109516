"""What the demo and the sandbox share around the bot: quiet logs, and a page that stays open."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from bot.entry import logs
from bot.entry.demo.shop import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.entry.rehearsal import Rehearsal


LOOK_UP = 0.1  # seconds between two looks for a signal


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Send the bot's warnings and errors to standard error, and nothing anywhere else, inside the block."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    was_configured, before = structlog.is_configured(), structlog.get_config()
    logs.configure("WARNING")
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        if was_configured:
            structlog.configure(**before)
        else:
            structlog.reset_defaults()


def serve_on(run: Rehearsal, repo: str, number: int | None, welcome: str) -> None:
    """Leave the page open until Ctrl-C or SIGTERM.

    Args:
        run: The sandbox with the bot.
        repo: The repository whose page is named.
        number: The pull request to begin on; the list of them without it.
        welcome: What there is to do; printed above the address.
    """
    stopped: list[int] = []  # an Event's lock could be held by the very thread that the handler runs in
    place = "pulls" if number is None else f"pull/{number}"
    people = ", ".join(f"{login} ({run.world.role_of(repo, login).name.lower()})" for login in PEOPLE)
    before = {
        each: signal.signal(each, lambda number, _: stopped.append(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        sys.stdout.write(
            f"{welcome}\n\n  {run.server.base_url}/{repo}/{place}\n\n"
            f"You can be {people}: choose in the page's head, and let time pass there.\n"
            "Nothing leaves this machine. Ctrl-C stops.\n"
        )
        sys.stdout.flush()
        while not stopped:
            time.sleep(LOOK_UP)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    sys.stdout.write("\nStopped.\n")
