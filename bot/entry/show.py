"""Text on a terminal, in a pipe, or on standard error.

A terminal gets Markdown rendered and control characters made visible; anything else gets the
plain text.
"""

from __future__ import annotations

import sys

from bot.core.text import LONGEST_LINE, printable


def one_line(text: str) -> str:
    """Give untrusted text so that a terminal shows it and does nothing else."""
    return printable(text)


def out(text: str) -> None:
    """Print a result."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def talk(text: str) -> None:
    """Print something that is no result."""
    sys.stderr.write(text if text.endswith("\n") else f"{text}\n")


def reply(text: str, diff: str, *, color: bool) -> None:
    """Print a reply, Markdown, and behind it the unified diff, if there is one."""
    if not sys.stdout.isatty():
        out(f"{text}\n\n{diff}" if diff else text)
        return
    shown = "\n".join(printable(line, longest=LONGEST_LINE) for line in diff.splitlines())
    if not color:
        out(f"{text}\n\n{shown}" if diff else text)
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.markdown import Markdown  # noqa: PLC0415 - same
    from rich.text import Text  # noqa: PLC0415 - same

    console = Console(highlight=False)
    console.print(Markdown(text))
    if diff:
        console.print()
        for line in shown.splitlines():
            console.print(Text(line, style=_style(line)), soft_wrap=True)


def _style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
