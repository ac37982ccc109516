"""The judgement: each operation and webhook of the sandbox against the recordings of the same."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.contract import description
from tests.contract.packages import WEBHOOKS_EXAMPLES, npm_package
from tests.contract.recorded import Operation, Recording, of_operations, operations
from tests.contract.recorded_shapes import Difference, described, described_event, differences, keys_of
from tests.contract.recorded_tolerated import KEYS, REFUSALS, STATUSES
from tests.contract.recorded_world import Answer, Played, play
from tests.contract.routing import Router

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMES = re.compile(r"\b(20[0-3]\d)-\d\d-\d\dT")
NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. ``reason`` is that of the list of tolerated ones, a rule's name, or empty: then it is wrong."""

    where: str
    sentence: str
    reason: str
    difference: Difference | None = None


@dataclass(slots=True)
class Verdict:
    """What is known of an operation or event: how often recorded, when last, what was compared, what differs."""

    where: str
    recorded: int
    newest: int
    compared: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def wrong(self) -> list[Finding]:
        """The findings without a reason."""
        return [finding for finding in self.findings if not finding.reason]

    def __str__(self) -> str:
        if not self.recorded:
            return "no recording"
        if self.wrong:
            return "DIFFERS: " + "; ".join(finding.sentence for finding in self.wrong)
        reasons = dict.fromkeys(f.reason for f in self.findings if f.reason != "documented since")
        return f"agrees, with reasons: {'; '.join(reasons)}" if reasons else "agrees"


@cache
def played() -> Played:
    """Give what the sandbox answers; it is asked once in a process."""
    with TemporaryDirectory(prefix="recorded-") as folder:
        return play(Path(folder))


@cache
def verdicts() -> tuple[Verdict, ...]:
    """Judge every operation that the sandbox serves. Raises ``Unavailable``."""
    found = of_operations()
    return tuple(_judge(one, found[one], played().answers.get(one, [])) for one in operations())


def _judge(operation: Operation, recorded: tuple[Recording, ...], ours: list[Answer]) -> Verdict:
    verdict = Verdict(str(operation), len(recorded), max((one.year for one in recorded), default=0))
    good = [one for one in recorded if one.status < 300]
    verdict.findings += _statuses(operation, recorded, ours)
    shown = sorted({one.status for one in recorded})
    if shown:
        verdict.compared.append("status " + ", ".join(map(str, shown)))
    bodies = [(one.year, one.body) for one in good if one.plain and isinstance(one.body, dict | list)]
    mine = [one.body for one in ours]
    template = Router(description.rest()["operations"]).find(ours[0].path) if ours else None
    told = described(template[0] if template else "", operation.method)
    verdict.findings += [_excused(one) for one in differences(verdict.where, bodies, mine, told)]
    verdict.compared += _compared([body for _, body in bodies], mine)
    verdict.findings += _refusals(operation, recorded)
    texts = {message_of(one) for one in recorded if one.status >= 400} - {""}
    if texts:
        verdict.compared.append(f"{len(texts)} refusal{'s' if len(texts) > 1 else ''}")
    return verdict


def _compared(theirs: list[Any], mine: list[Any]) -> list[str]:
    left, right = keys_of(theirs), keys_of(mine)
    places = left.keys() & right.keys()
    if not places:
        return []
    count = sum(len(left[place].ever | right[place].ever) for place in places)
    return [f"{count} keys in {len(places)} place{'s' if len(places) > 1 else ''}"]


def _statuses(operation: Operation, recorded: Iterable[Recording], ours: list[Answer]) -> Iterable[Finding]:
    answered = {one.status for one in ours} | {one.unchanged for one in ours}
    for status in sorted({one.status for one in recorded if one.status < 400} - answered):
        reason = next((entry.reason for entry in STATUSES if entry.covers(str(operation), status)), "")
        yield Finding(str(operation), f"recorded with {status}, which the sandbox never answers", reason)


def _excused(one: Difference) -> Finding:
    listed = (entry.reason for entry in KEYS if entry.covers(one.where, one.place, one.key))
    return Finding(one.where, str(one), one.rule or next(listed, ""), one)


def message_of(one: Recording) -> str:
    """Give the words of a refusal, empty where there are none."""
    return str(one.body.get("message", "")) if isinstance(one.body, dict) else ""


def _refusals(operation: Operation, recorded: Iterable[Recording]) -> Iterable[Finding]:
    """Look for each recorded refusal among those that the sandbox was made to give for the same operation."""
    known = {(one.operation, one.status, one.body["message"]) for one in played().refusals.values()}
    seen: set[tuple[int, str]] = set()
    for one in recorded:
        message = message_of(one)
        if one.status < 400 or (one.status, message) in seen:
            continue
        seen.add((one.status, message))
        if (operation, one.status, message) not in known:
            reason = next((entry.reason for entry in REFUSALS if entry.covers(message)), "")
            yield Finding(str(operation), f"{one.status} {message!r} is not what the sandbox says", reason)


# webhooks --------------------------------------------------------------------------------------------------


@cache
def examples() -> dict[str, list[Any]]:
    """Give GitHub's example payloads by event. Raises ``Unavailable``."""
    whole = json.loads((npm_package(WEBHOOKS_EXAMPLES) / "api.github.com" / "index.json").read_bytes())
    return {event["name"]: event["examples"] for event in whole}


@cache
def webhook_verdicts() -> tuple[Verdict, ...]:
    """Judge every webhook that the sandbox sent against the examples of that event and action."""
    sent: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in played().deliveries:
        sent[one.event, one.action or ""].append(one.payload)
    return tuple(_judge_event(event, action, payloads) for (event, action), payloads in sorted(sent.items()))


def _judge_event(event: str, action: str, payloads: list[Any]) -> Verdict:
    where = f"{event}/{action}" if action else event
    theirs = [example for example in examples().get(event, []) if example.get("action", "") == action]
    dated = [(max(map(int, TIMES.findall(json.dumps(one))), default=0), one) for one in theirs]
    verdict = Verdict(where, len(theirs), max((year for year, _ in dated), default=0))
    told = described_event(where)
    verdict.findings += [_excused(one) for one in differences(where, dated, payloads, told)]
    verdict.compared += _compared(theirs, payloads)
    return verdict
