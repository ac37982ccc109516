"""The referee in a run of pytest: one tally, brought home from all processes and printed at the end."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.allowed import ALLOWED
from tests.contract.packages import Unavailable
from tests.contract.referee import GRAPHQL_PATH, event_of, referee
from tests.contract.tally import GRAPHQL, REST, WEBHOOKS, Tally

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from tests.contract.recorder import Recorder

TALLY = pytest.StashKey[Tally]()
FIGURES = "figures"  # a test records this property to have its value printed at the end of the run
_OUTPUT = "referee"


def tally(config: pytest.Config) -> Tally:
    """Give the run's tally of this process."""
    return config.stash.setdefault(TALLY, Tally())


def verdict(recorder: Recorder, run: Tally) -> list[str]:
    """Judge what was heard since the last verdict, count it, and give the violations, each once."""
    exchanges, webhooks = recorder.take()
    if run.off:
        return []
    try:
        judge = referee()
    except Unavailable as reason:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have it: {reason}", pytrace=False)
        run.off = str(reason)
        return []
    found: Counter[str] = Counter()
    for exchange in exchanges:
        violations = judge.judge(exchange)
        lane = GRAPHQL if exchange.path == GRAPHQL_PATH else REST
        run.count(lane, judge.operation(exchange), str(exchange.status or "none"), len(violations))
        found.update(map(str, violations))
    for event, payload in webhooks:
        violations = judge.judge_webhook(event, payload)
        run.count(WEBHOOKS, event_of(event, payload), "", len(violations))
        found.update(map(str, violations))
    run.needed = Counter(judge.needed)
    return [f"{sentence} ({count}x)" for sentence, count in found.items()]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's tally to the process that started it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = tally(session.config).told()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's tally."""
    told = getattr(node, "workeroutput", {}).get(_OUTPUT)
    if told:
        tally(node.config).add(told)


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the table, or why there is none."""
    lines = tally(config).lines(one.name for one in ALLOWED)
    if lines:
        terminalreporter.section("the referee: GitHub's description of its API")
        for line in lines:
            terminalreporter.write_line(line)
    passed = terminalreporter.stats.get("passed", [])
    figures = [
        text for test in passed for name, text in getattr(test, "user_properties", ()) if name == FIGURES
    ]
    if figures:
        terminalreporter.section("figures of this run")
    for text in sorted(map(str, figures)):
        terminalreporter.write_line(text)
