"""Whole rollouts over every editable object of the corpus: start, three steps, finish; start, rollback."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from bot.core.problems import Declined
from bot.manifests.workload import Workload, find, may_hold
from tests.contract.lane import FIGURES
from tests.manifests.crds import Watch
from tests.manifests.every_rollout import Walk, pair_of, rules_of
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Of every kind: how many objects (rules, where there are several) the corpus holds that a rollout can move.
KINDS = {
    "Service": 150,
    "Service, mode": 55,
    "Route": 20,
    "VirtualService http": 55,
    "HTTPRoute": 20,
}
# What is right to be declined.
DECLINED = {
    "ambiguous-document": "the object stands in the file twice",
    "which-destination": "a third destination has weight",
    "same-revision": "both destinations have one name",
    "split-invalid": "the object's name is a placeholder, which no server takes",
}
STEPS = (25, 50, 75)


def label(workload: Workload) -> str:
    if workload.rule is not None:
        section = workload.rule.section
        return workload.kind if section == "rules" else f"{workload.kind} {section}"
    return workload.kind if workload.names_revisions or workload.kind != "Service" else "Service, mode"


def candidates() -> Iterator[tuple[bytes, Workload]]:
    corpus = shared("corpus")
    for path in sorted(corpus.glob("*/*.y*ml")):
        content = path.read_bytes()
        if may_hold(content):
            for workload in find(content, path.relative_to(corpus).as_posix()).workloads:
                yield from ((content, one) for one in rules_of(workload))


class Table:
    """Counts by kind and edit."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []

    def took(self, kind: str, edit: str, where: str, move: Callable[[], Walk]) -> Walk | None:
        """Count one edit: right, declined or wrong."""
        try:
            walk = move()
        except Declined as declined:
            code = declined.problems[0].code
            self.counts[kind, f"declined: {code}"] += 1
            if code not in DECLINED:
                self.wrong.append(f"{where} {edit}: {declined}")
        except AssertionError as error:
            self.counts[kind, "wrong"] += 1
            self.wrong.append(f"{where} {edit}: {str(error)[:600]}")
        else:
            self.counts[kind, edit] += 1
            return walk
        return None

    def lines(self) -> Iterator[str]:
        """Give the table as lines."""
        edits = ["start", "step", "finish", "rollback", "wrong"]
        more = sorted({edit for _, edit in self.counts} - set(edits))
        for kind in sorted({kind for kind, _ in self.counts}):
            shown = [f"{edit} {self.counts[kind, edit]}" for edit in edits]
            shown += [f"{edit} {self.counts[kind, edit]}" for edit in more if self.counts[kind, edit]]
            yield f"corpus, {kind}: " + ", ".join(shown)


def test_whole_rollouts(record_property: Callable[[str, object], None]) -> None:
    table, watch = Table(), Watch()
    for content, workload in candidates():
        kind, where = label(workload), f"{workload.path}:{workload.line}"
        # Both versions of YAML where a split begins and ends; the steps between have the same lines.
        first = Walk(content, workload, pair_of(workload), watch)
        started = table.took(kind, "start", where, partial(first.start, 5))
        if started is None:
            continue
        started.readers = ("1.1",)
        table.took(kind, "rollback", where, started.back)
        walk: Walk | None = started
        for step in STEPS:
            if walk is not None:
                walk = table.took(kind, "step", where, partial(walk.to, step))
        if walk is not None:
            walk.readers = ("1.1", "1.2")
            table.took(kind, "finish", where, partial(walk.to, 100))
    for line in table.lines():
        record_property(FIGURES, line)
    seen = ", ".join(f"{what} {count}" for what, count in sorted(watch.seen.items()))
    record_property(FIGURES, f"corpus, objects written and judged by the schemas: {seen}")
    assert not table.wrong, "\n".join(table.wrong)
    assert not watch.wrong, "\n".join(watch.wrong)
    for kind, least in KINDS.items():
        assert table.counts[kind, "start"] >= least, kind
        assert table.counts[kind, "finish"] == table.counts[kind, "rollback"] == table.counts[kind, "start"]
        assert table.counts[kind, "step"] == len(STEPS) * table.counts[kind, "start"]


def test_the_rest_is_refused_with_a_line() -> None:
    """Templates and invalid files that seem to hold a workload."""
    counts: Counter[str] = Counter()
    corpus = shared("corpus")
    for path in sorted(corpus.glob("*/*.y*ml")):
        content = path.read_bytes()
        found = find(content, path.name)
        for problem in found.problems:
            assert problem.place is not None
            assert problem.place.line is not None
            assert 1 <= problem.place.line <= content.count(b"\n") + 1
            counts[problem.code] += 1
    assert set(counts) == {"template-language", "yaml-invalid", "duplicate-key"}
    assert counts["template-language"] >= 15
    assert min(counts["yaml-invalid"], counts["duplicate-key"]) >= 2
