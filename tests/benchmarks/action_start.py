"""How soon the Action is done with a comment that is conversation.

``python -m tests.benchmarks.action_start [ROUNDS]`` plays the programs in turn, so that a busy moment of the
machine meets all of them, and prints medians and how they compare. The ratios are of processor time, which other
programs hardly change. Python's bytecode is there before the first round, as in the second run on a runner that is
kept; on a fresh one add the compiling.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 30

PROGRAMS = {
    "python -c pass": ("-c", "pass"),
    "python -m bot.entry.action.filter": ("-m", "bot.entry.action.filter"),
    "python -m bot action": ("-m", "bot", "action"),
    "python -c 'import bot.entry.action.run'": ("-c", "import bot.entry.action.run"),
    "python -c 'import github'": ("-c", "import github"),
}
FIRST, *_, LAST = PROGRAMS


@dataclass(frozen=True, slots=True)
class Took:
    """One run of a program, in seconds: on the wall's clock, and of the processor."""

    wall: float
    processor: float


def measure(rounds: int) -> dict[str, list[Took]]:
    """Give what each program took in each round, started with the event of a chat comment."""
    took: dict[str, list[Took]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        event = Path(folder) / "event.json"
        event.write_text(json.dumps(conversation()))
        environ = {
            "GITHUB_EVENT_NAME": "issue_comment",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_OUTPUT": str(Path(folder) / "output"),
        }
        for number in range(rounds + 1):
            for name, words in PROGRAMS.items():
                one = once([sys.executable, *words], environ)
                if number:  # the first round fills the caches
                    took[name].append(one)
    return took


def once(words: list[str], environ: dict[str, str]) -> Took:
    """Run a program to its end."""
    before, begun = _processor(), time.perf_counter()
    subprocess.run(words, cwd=ROOT, env=environ, check=True, capture_output=True)
    return Took(time.perf_counter() - begun, _processor() - before)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def conversation() -> dict[str, object]:
    """Give the event of a chat comment, as long as GitHub's are."""
    user = {"id": 7, "login": "mona", "type": "User"} | {
        f"field_{n}_url": "https://example.org" for n in range(12)
    }
    return {
        "action": "created",
        "repository": {"id": 3, "full_name": "acme/shop"} | {f"field_{n}": "x" * 60 for n in range(80)},
        "issue": {"number": 1, "pull_request": {"url": ""}, "user": user, "body": "Words. " * 400},
        "comment": {"id": 5, "body": "Looks good to me.", "user": user},
        "sender": user,
    }


def table(took: dict[str, list[Took]]) -> str:
    """Give medians in milliseconds, and the ratios of processor time to the first and the last program."""
    wall = {name: statistics.median(one.wall for one in runs) for name, runs in took.items()}
    used = {name: statistics.median(one.processor for one in runs) for name, runs in took.items()}
    rows = [
        f"| `{name}` | {wall[name] * 1000:.0f} | {used[name] * 1000:.0f} "
        f"| {used[name] / used[FIRST]:.2f} | {used[name] / used[LAST]:.2f} |"
        for name in took
    ]
    head = f"| program | time, ms | processor, ms | to `{FIRST}` | to `{LAST}` |"
    return "\n".join([head, "|---|--:|--:|--:|--:|", *rows])


if __name__ == "__main__":
    count = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    if count < 1:
        sys.exit("usage: python -m tests.benchmarks.action_start [ROUNDS, at least 1]")
    print(f"{count} rounds, Python {sys.version.split()[0]}\n\n{table(measure(count))}")  # noqa: T201 - the result
