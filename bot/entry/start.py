"""Where ``canary`` starts: an Action's run goes past the command line's own imports."""

from __future__ import annotations

import sys


def main() -> int:
    """Run a command and give the exit status."""
    if sys.argv[1:] == ["action"]:
        from bot.entry.action.command import main as action  # noqa: PLC0415 - starts in a tenth of the time

        return action()
    from bot.entry.cli import main as command_line  # noqa: PLC0415 - as above

    return command_line()
