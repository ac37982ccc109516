"""``canary action``: reads the event, and imports the bot only when there is work."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bot.entry.action.event import EventUnusable, Nothing, read
from bot.entry.action.files import OUTPUTS, annotation, write_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN, SLUG, AGE = "CANARY_ACTION_TOKEN", "CANARY_ACTION_APP_SLUG", "CANARY_MAX_COMMAND_AGE"
ENDPOINTS = "CANARY_ACTION_ENDPOINTS"
WORKFLOWS = "github-actions"
FAILED = 1


def main(environ: Mapping[str, str] | None = None) -> int:
    """Work on the event of this run and give the exit status: 0, 1 failed or not valid, 130 cancelled."""
    env = os.environ if environ is None else environ
    slug = env.get(SLUG, "") or WORKFLOWS
    try:
        wanted = read(env, slug=slug)
    except EventUnusable as reason:
        return unusable(env, str(reason))
    if isinstance(wanted, Nothing):
        write_outputs(env, dict.fromkeys(OUTPUTS, "") | {"decision": "none", "summary": wanted.why})
        print(wanted.why)  # noqa: T201 - the job's log
        return 0
    from bot.entry.action.run import run  # noqa: PLC0415 - half a second that chat need not wait for

    return run(env, wanted, slug=slug)


def unusable(environ: Mapping[str, str], reason: str) -> int:
    """Tell why nothing could be done."""
    write_outputs(environ, dict.fromkeys(OUTPUTS, "") | {"decision": "failed", "summary": reason})
    print(annotation("error", reason, title="canary"))  # noqa: T201 - the job's log
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
