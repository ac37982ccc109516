"""The fixed run: every chapter of the story, the pieces and the probes, judged; and its figures.

Each part is played on an emulator of its own. ``python -m tests.contract.emulate_run`` plays all of them
and prints the figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contract import emulate_probes_pulls  # noqa: F401 - its probes join the others
from tests.contract import emulate_story as story
from tests.contract.emulate_peer import Peer, peer
from tests.contract.emulate_pieces import all_pieces
from tests.contract.emulate_probes import PROBES
from tests.contract.packages import needed
from tests.contract.referee import referee

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.emulate_wire import Delivered, Recorded
    from tests.contract.exchange import Violation

PROBING = "probes"
PARTS: dict[str, Callable[[Peer], None]] = {
    **{chapter.__name__: chapter for chapter in (*story.MENDED, *story.RAW)},
    all_pieces.__name__: all_pieces,
}
NAMES = (*PARTS, PROBING)
# What the bot sends; everything else that the referee says is about the emulator's answer.
_OF_THE_BOT = frozenset({"path", "method", "parameter", "query", "request", "graphql"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one part left: what passed, in both directions, the seconds of its commands, what its probes saw."""

    recorded: tuple[Recorded, ...] = ()
    delivered: tuple[Delivered, ...] = ()
    seconds: tuple[float, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, played: Peer) -> Evidence:
        """Take what the bot and the emulator sent each other."""
        return cls(tuple(played.proxy.recorded), tuple(played.post.delivered), tuple(played.seconds))


@dataclass(slots=True)
class Run:
    """What a fixed run brought to light.

    ``answers`` maps (operation, status) to the first sentence on what GitHub does not document about
    such an answer, empty where it conforms; ``webhooks`` maps events likewise. ``seen`` holds what each
    probe saw, ``mends`` how often each mend was needed, ``seconds`` those of each command.
    """

    requests: list[Violation] = field(default_factory=list)
    answers: dict[tuple[str, int], str] = field(default_factory=dict)
    webhooks: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    mends: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def take(self, evidence: Evidence) -> None:
        """Judge what passed between bot and emulator."""
        judge = needed(referee)
        for one in evidence.recorded:
            self.counts["requests"] += 1
            self.mends.update(one.mended)
            found = judge.judge(one.exchange)
            self.requests += [v for v in found if v.kind in _OF_THE_BOT]
            pair = judge.operation(one.exchange), one.exchange.status
            about = [v.sentence for v in found if v.kind not in _OF_THE_BOT]
            self.answers[pair] = self.answers.get(pair) or next(iter(about), "")
        for sent in evidence.delivered:
            self.counts["webhooks"] += 1
            self.mends.update(sent.mended)
            wrong = judge.judge_webhook(sent.event, sent.body)
            self.webhooks[sent.name] = self.webhooks.get(sent.name) or next((v.sentence for v in wrong), "")
        self.seconds += evidence.seconds
        self.seen.update(evidence.seen)

    def figures(self) -> str:
        """Give the figures in a few lines."""
        operations = {operation for operation, _ in self.answers}
        wrong = [pair for pair, sentence in self.answers.items() if sentence]
        took = sorted(self.seconds)
        spread = f"{took[len(took) // 2]:.2f} s in the middle, {took[-1]:.2f} s at most"
        return "\n".join(
            [
                "the emulator of GitHub:",
                f"requests of the bot: {self.counts['requests']}, violations: {len(self.requests)}",
                f"operations: {len(operations)}",
                f"answers by (operation, status): {len(self.answers) - len(wrong)} conform, {len(wrong)} deviate",
                f"webhooks: {self.counts['webhooks']}, kinds: {len(self.webhooks)}, of them deviate: "
                f"{sum(map(bool, self.webhooks.values()))}",
                f"probes: {len(self.seen)}",
                f"mended on the way: {dict(sorted(self.mends.items()))}",
                f"commands: {len(took)}, {spread}",
            ]
        )


def play(name: str, folder: Path) -> Evidence:
    """Play one part and give what it left; ``folder`` must be empty."""
    if name == PROBING:
        with peer(folder, mended=False) as played:
            return Evidence(seen=tuple((one, probe(played)) for one, probe in PROBES.items()))
    part = PARTS[name]
    with peer(folder, mended=part in story.MENDED) as played:
        part(played)
        played.settle()
    return Evidence.of(played)


def main() -> None:
    """Play all, and print the figures."""
    began = time.perf_counter()
    run = Run()
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            run.take(play(name, Path(folder)))
    sys.stdout.write(f"{run.figures()}\nseconds of the whole run: {time.perf_counter() - began:.1f}\n")


if __name__ == "__main__":
    main()
