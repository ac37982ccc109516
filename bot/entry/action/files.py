"""What an Action's run writes for the runner: outputs, the job's summary, annotations.

Each of these is parsed by the runner, so nothing goes in unguarded: an output is one line of harmless
characters, an annotation is escaped as the runner unescapes it, and while foreign text may be printed the
runner is told to take no commands. Source: GitHub, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

OUTPUTS = ("decision", "code", "service", "rollout", "step", "pull-request", "summary")
LARGEST_SUMMARY = 1_000_000  # bytes; the runner takes 1 MiB for a step
_HARMLESS = re.compile(r"[^A-Za-z0-9 .,:/#%()_+-]", re.ASCII)
_LONGEST_OUTPUT = 300


def harmless(text: str) -> str:
    """Give a text as it may stand in an output: whoever puts it into a shell afterwards is safe."""
    kept = _HARMLESS.sub("", " ".join(text.split()))
    return " ".join(kept.split())[:_LONGEST_OUTPUT].strip()


def write_outputs(environ: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Append outputs to the file that ``GITHUB_OUTPUT`` names; without one there is nobody to tell."""
    path = environ.get("GITHUB_OUTPUT", "")
    if path:
        lines = "".join(f"{name}={harmless(value)}\n" for name, value in values.items())
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(lines)


def write_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Append Markdown to the job's summary."""
    path = environ.get("GITHUB_STEP_SUMMARY", "")
    if path:
        content = markdown.encode()[:LARGEST_SUMMARY].decode(errors="ignore")
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(content + "\n")


def annotation(
    level: str,
    message: str,
    *,
    title: str = "",
    path: str = "",
    line: int = 0,
    end_line: int = 0,
    column: int = 0,
) -> str:
    """Give one line that the runner shows as a remark on a file. ``level`` is notice, warning or error."""
    facts = {"file": path, "line": str(line or ""), "endLine": str(end_line or "")}
    facts |= {"col": str(column or ""), "title": title}
    given = ",".join(f"{name}={_property(value)}" for name, value in facts.items() if value)
    return f"::{level}{' ' if given else ''}{given}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


@contextmanager
def no_commands(stream: TextIO) -> Iterator[None]:
    """Have the runner take no commands from what is printed meanwhile, whoever wrote it."""
    import secrets  # noqa: PLC0415 - hashes and random numbers, which chat need not wait for

    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", file=stream, flush=True)
    try:
        yield
    finally:
        print(f"::{token}::", file=stream, flush=True)
