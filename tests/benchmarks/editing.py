"""How long one edit takes and what else it changes, side by side with other editors.

``python -m tests.benchmarks.editing [--write] [--rounds N]`` sets the candidate's share in Knative Services:
in every editable one of the corpus, in a document of 60 kB, and in a stream of 5 MB. The editors take turns
within one run, so that a busy moment of the machine meets all of them. ``--write`` puts the tables into
``docs/editing.md``.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import re
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.editing_cases import Case, Verdict, corpus, judge, large, stream
from tests.benchmarks.editing_peers import NPM_YAML, RUAMEL, YAML_EDIT, YAMLTRIP, Editor, Npm, canary
from tests.benchmarks.editing_peers import yaml_edit as get_yaml_edit
from tests.benchmarks.editing_peers import yamltrip as get_yamltrip
from tests.contract.packages import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "editing.md"
ROUNDS = 5
STREAM_ROUNDS = 2  # at most; ruamel takes half a minute for each
OURS, THEIRS = "canary-bot", f"ruamel.yaml {version('ruamel.yaml')}, load and dump"
FASTER = 20  # times, on the stream


@dataclass(slots=True)
class Ran:
    """What an editor did with one case: seconds of each round, and the verdict on its result."""

    took: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    judged: bool = False

    @property
    def seconds(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.took)


@dataclass(slots=True)
class Run:
    """All that was measured; an editor that could not be had is in ``missing`` with the reason."""

    what: str
    rounds: int
    cases: list[Case]
    ran: dict[str, list[Ran]]
    missing: dict[str, str]


def editors() -> tuple[dict[str, Editor], dict[str, str], list[Npm]]:
    """Give the editors that are to be had, why others are not, and the processes to close."""
    found: dict[str, Editor] = {OURS: canary, THEIRS: RUAMEL}
    missing: dict[str, str] = {}
    processes: list[Npm] = []

    def npm(level: str) -> Editor:
        if not processes:
            processes.append(Npm())
        return processes[0].editor(level)

    more: dict[str, Callable[[], Editor]] = {
        f"npm yaml {NPM_YAML[1]}, documents": lambda: npm("documents"),
        f"npm yaml {NPM_YAML[1]}, tokens": lambda: npm("tokens"),
        f"yaml-edit {YAML_EDIT[1]}": get_yaml_edit,
        f"yamltrip {YAMLTRIP[1]}": get_yamltrip,
    }
    for name, get in more.items():
        try:
            found[name] = get()
        except Unavailable as reason:
            missing[name] = str(reason)
    return found, missing, processes


def measure(rounds: int) -> Run:
    """Give what each editor did with each case; the last two cases are the large document and the stream."""
    small, what = corpus()
    cases = [*small, large(), stream()]
    program, missing, processes = editors()
    ran = {name: [Ran() for _ in cases] for name in program}
    try:
        for number in range(rounds + 1):  # the first round fills caches; the stream is too large to need one
            for place, case in enumerate(cases):
                if place == len(cases) - 1 and not 0 < number <= STREAM_ROUNDS:
                    continue
                for name, edit in program.items():
                    _once(edit, case, ran[name][place], warm=number > 0)
    finally:
        for process in processes:
            process.close()
    return Run(what, rounds, cases, ran, missing)


def _once(edit: Editor, case: Case, ran: Ran, *, warm: bool) -> None:
    if ran.verdict.failed:
        return
    if len(case.text) > 20_000:
        gc.collect()
    try:
        text, took = edit(case)
    except Exception as error:  # noqa: BLE001 - whatever another program raises is its failure
        ran.verdict = judge(case, error)
        return
    if warm:
        ran.took.append(took)
    if not ran.judged:
        ran.verdict = judge(case, text)
        ran.judged = True


# the page ---------------------------------------------------------------------------


def tables(run: Run) -> str:
    """Give the tables, with what was measured where above and whether the aims are met below."""
    sets = sum(case.sets for case in run.cases[:-2])
    head = (
        f"{len(run.cases) - 2} edits of {run.what} ({sets} set a share, {len(run.cases) - 2 - sets} add the block), "
        f"a document of {len(run.cases[-2].text) // 1000} kB, a stream of {len(run.cases[-1].text) / 1e6:.1f} MB; "
        f"{run.rounds} rounds ({min(run.rounds, STREAM_ROUNDS)} on the stream), Python {sys.version.split()[0]}, "
        f"{platform.machine()}, {os.cpu_count()} processors."
    )
    parts = [
        head,
        _corpus_table(run, "Set a share", sets=True),
        _corpus_table(run, "Add the block", sets=False),
    ]
    return "\n\n".join([*parts, _sizes_table(run), _failures(run), _aims(run)])


def _corpus_table(run: Run, title: str, *, sets: bool) -> str:
    lines = [
        f"| {title} | median, ms | p95, ms | failed | with collateral | lines beyond need |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, every in run.ran.items():
        own = [one for one, case in zip(every[:-2], run.cases, strict=False) if case.sets == sets]
        good = [one for one in own if not one.verdict.failed]
        failed = f"{len(own) - len(good)} of {len(own)}"
        if not good:
            lines.append(f"| {name} | – | – | {failed} | – | – |")
            continue
        seconds = sorted(one.seconds for one in good)
        spoilt = sum(one.verdict.beyond > 0 for one in good)
        lines.append(
            f"| {name} | {statistics.median(seconds) * 1000:.1f} | {seconds[int(len(seconds) * 0.95)] * 1000:.1f} "
            f"| {failed} | {spoilt} of {len(good)} ({spoilt / len(good):.0%}) "
            f"| {sum(one.verdict.beyond for one in good)} |"
        )
    return "\n".join([*lines, *(f"| {name} | {reason} |||||" for name, reason in run.missing.items())])


def _sizes_table(run: Run) -> str:
    lines = [
        "| Set a share | 60 kB, ms | lines beyond need | 5 MB, ms | lines beyond need |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, every in run.ran.items():
        cells = [
            "failed | –" if one.verdict.failed else f"{one.seconds * 1000:,.0f} | {one.verdict.beyond:,}"
            for one in every[-2:]
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _failures(run: Run) -> str:
    lines = ["Why edits failed, each editor's most common reasons:", ""]
    for name, every in run.ran.items():
        reasons: dict[str, int] = defaultdict(int)
        for one in every:
            if one.verdict.failed:
                reasons[re.sub(r"\s+", " ", one.verdict.failed)[:90].replace("`", "'").replace("|", "/")] += 1
        for reason, count in sorted(reasons.items(), key=lambda both: -both[1])[:2]:
            lines.append(f"- {name}: {count} × `{reason}`")
    return "\n".join(lines) if len(lines) > 2 else "No edit failed."


def _aims(run: Run) -> str:
    ours, theirs = run.ran[OURS], run.ran[THEIRS]
    both = [(o, t) for o, t in zip(ours[:-2], theirs[:-2], strict=True) if o.took and t.took]
    times = [t.seconds / o.seconds for o, t in both]
    slower = sum(one < 1 for one in times)
    beyond = sum(one.verdict.beyond for one in ours)
    failed = sum(bool(one.verdict.failed) for one in ours)
    large_times, stream_times = (theirs[n].seconds / ours[n].seconds for n in (-2, -1))
    aims = (
        (
            statistics.median(times) >= 1,
            f"ruamel takes {statistics.median(times):.2f} times as long over the corpus (median of the ratio of each "
            f"file; ours is the slower one in {slower} of {len(times)})",
        ),
        (large_times >= 1, f"{large_times:.2f} times on 60 kB"),
        (stream_times >= FASTER, f"{stream_times:,.0f} times on 5 MB; the aim is {FASTER}"),
        (
            not beyond and not failed,
            f"canary-bot: {beyond} lines beyond need, {failed} failures; the aim is 0",
        ),
    )
    return "\n".join(f"- {'met' if met else '**missed**'}: {text}." for met, text in aims)


def filled(page: str, text: str) -> str:
    """Give the page with fresh tables between its markers."""
    mark = re.compile(r"(<!-- editing:begin -->\n).*?(<!-- editing:end -->)", re.DOTALL)
    if not mark.search(page):
        raise ValueError(f"{PAGE.name} has no place for the tables")
    return mark.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.editing")
    asked.add_argument("--write", action="store_true", help="put the tables into docs/editing.md")
    asked.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    words = asked.parse_args()
    if words.rounds < 1:
        asked.error("--rounds is at least 1")
    result = tables(measure(words.rounds))
    print(result)  # noqa: T201 - the result
    if words.write:
        PAGE.write_text(filled(PAGE.read_text("utf-8"), result), "utf-8")
