"""Whether a workflow's event is any work, told before anything is installed: ``work=true`` or ``work=false``.

Run as ``python -m bot.entry.action.filter`` by the runner's own Python.
"""

from __future__ import annotations

import os
import sys

from bot.entry.action.event import EventUnusable, Nothing, read
from bot.entry.action.files import write_outputs


def main() -> int:
    """Say whether there is work; an event that cannot be used is for the run itself to tell."""
    slug = os.environ.get("CANARY_ACTION_APP_SLUG", "") or "github-actions"
    why = "There may be work."
    try:
        wanted = read(os.environ, slug=slug)
    except EventUnusable:
        work = True
    else:
        work = not isinstance(wanted, Nothing)
        why = wanted.why if isinstance(wanted, Nothing) else why
    write_outputs(os.environ, {"work": "true" if work else "false"})
    print(why)  # noqa: T201 - the job's log
    return 0


if __name__ == "__main__":
    sys.exit(main())
