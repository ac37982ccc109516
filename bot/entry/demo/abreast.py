"""The part of the story in which three rollouts of three kinds go on at the same time.

A Knative service, a service in one of Knative's old modes, and a VirtualService of Istio: one bot, the same commands,
and in each file the lines of its own API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.entry.demo import plain, shop
from bot.entry.demo.shop import CUSTOMER, DEPLOYMENT, DUMPY, SENTENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.entry.demo.stage import Stage

GATE = "canary / gate"
HEADS = ("service", "kind", "written on main now", "next step")
ENDS = {"done-": "none: done", "rolled-back-": "none: rolled back"}


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the rollouts. ``number`` is the feature pull request, ``route`` the rule of a VirtualService."""

    service: str
    kind: str
    path: str
    number: int
    stable: str
    candidate: str
    route: str = ""


def three_kinds(stage: Stage) -> None:
    """Three rollouts at once: two go on to their end, one is rolled back on the way."""
    stage.paper.chapter("4  three kinds side by side: Knative, Knative's old modes, Istio")
    stage.is_terse = True
    first = {path: stage.read("main", path) for path in (CUSTOMER, DUMPY, SENTENCE)}
    lanes = customer, dumpy, _ = (_customer(stage), _dumpy(stage), _sentence(stage))

    for lane in lanes:
        stage.merges("kim", lane.number, diffs=lane is not customer)
        step = stage.mine(lane.service)
        stage.expect("title of the step", step.title, f"{lane.service}: 25 % → 50 %")
        stage.expect_check(step.number, GATE, None, "Baking: 0 of 30 min")
    _side_by_side(stage, "all three at 25 %", lanes, (25, 25, 25))

    stage.later(31)
    for lane in (customer, dumpy):
        reply = stage.says("mona", stage.mine(lane.service).number, "/promote", diffs=lane is dumpy)
        stage.expect_reply(reply, "done", "applied", "rocket")
    step = stage.mine("sentence")
    reply = stage.says("mona", step.number, "/rollback -- v2 answers with 503")
    stage.expect_reply(reply, "done", "proposed", "rocket")
    stage.expect("the open step", step.state, "closed")
    stage.merges("mona", stage.mine("sentence").number)
    stage.expect("bytes of the file", stage.read("main", SENTENCE), first[SENTENCE])
    _side_by_side(stage, "two went on, one was rolled back", lanes, (50, 50, 0))

    stage.later(31)
    for lane in (customer, dumpy):
        stage.merges("kim", stage.mine(lane.service).number)
    _side_by_side(stage, "the end of all three", lanes, (100, 100, 0))
    stage.expect("open pull requests of the bot", len(stage.open_of_bot()), 0)
    ended = shop.newer_customer(first[CUSTOMER]).replace(
        b"revisionName: customer-v4", b"revisionName: customer-v5"
    )
    stage.expect("bytes of the file", stage.read("main", CUSTOMER), ended)
    release = b'release:\n    revisions: ["dumpy-00002"]\n    rolloutPercent: 0\n'
    ended = shop.new_dumpy(first[DUMPY]).replace(b"runLatest:\n", release)
    stage.expect("bytes of the file", stage.read("main", DUMPY), ended)
    for lane, end in zip(lanes, ("none: done", "none: done", "none: rolled back"), strict=True):
        stage.expect(f"what comes next for {lane.service}", _next(stage, lane), end)


def _customer(stage: Stage) -> Lane:
    number = stage.opens(
        "ana",
        "customer-5",
        CUSTOMER,
        shop.newer_customer(stage.read("main", CUSTOMER)),
        title="Customer 5.0.0",
        body="The next image, and the next revision name: customer-v5.",
    )
    reply = stage.says("mona", number, "/canary 25")
    stage.expect_reply(reply, "done", "applied", "rocket")
    quarter = {"customer-v4": 75, "customer-v5": 25}
    stage.expect_split("on the branch", "customer-5", CUSTOMER, "customer", quarter)
    return Lane("customer", "Knative", CUSTOMER, number, "customer-v4", "customer-v5")


def _dumpy(stage: Stage) -> Lane:
    wanted = shop.new_dumpy(stage.read("main", DUMPY))
    number = stage.opens(
        "kim",
        "dumpy-2",
        DUMPY,
        wanted,
        title="Dumpy v2",
        body="A new image, in Knative's old API (v1alpha1): runLatest, no revision names.",
    )
    reply = stage.says("mona", number, "/canary 25")
    stage.expect_reply(reply, "declined", "unknown-stable", "-1")
    stage.expect("bytes on the branch", stage.read("dumpy-2", DUMPY), wanted)
    reply = stage.says("mona", number, "/canary 25 stable=dumpy-00001 candidate=dumpy-00002")
    stage.expect_reply(reply, "done", "applied", "rocket")
    lines = '-  runLatest:\n+  release:\n+    revisions: ["dumpy-00001", "dumpy-00002"]\n+    rolloutPercent: 25\n'
    stage.expect("the diff in the reply", lines in reply.text, wanted=True)
    quarter = {"dumpy-00001": 75, "dumpy-00002": 25}
    stage.expect_split("on the branch", "dumpy-2", DUMPY, "dumpy", quarter)
    return Lane("dumpy", "legacy", DUMPY, number, "dumpy-00001", "dumpy-00002")


def _sentence(stage: Stage) -> Lane:
    number = stage.opens(
        "ana",
        "sentence-2.1",
        DEPLOYMENT,
        shop.new_deployment(stage.read("main", DEPLOYMENT)),
        title="Sentence 2.1.0",
        body=f"A new image in a Deployment. Istio's weights are in {SENTENCE}.",
    )
    reply = stage.says("mona", number, "/canary 25")
    stage.expect_reply(reply, "declined", "no-service", "-1")
    reply = stage.says("mona", number, "/canary sentence 25")
    stage.expect_reply(reply, "done", "applied", "rocket")
    quarter = {"sentence/v1": 75, "sentence/v2": 25}
    stage.expect_split("on the branch", "sentence-2.1", SENTENCE, "sentence", quarter)
    return Lane("sentence", "Istio", SENTENCE, number, "sentence/v1", "sentence/v2", route="primary")


def _side_by_side(stage: Stage, when: str, lanes: Sequence[Lane], weights: Sequence[int]) -> None:
    """Show one row a rollout, and compare what the files say with what the candidates should have."""
    rows: list[tuple[str, str, str, str]] = []
    for lane, weight in zip(lanes, weights, strict=True):
        wanted = {lane.stable: 100 - weight, lane.candidate: weight}
        wanted = {name: share for name, share in wanted.items() if share}
        stage.expect_split("on main", "main", lane.path, lane.service, wanted)
        document = plain.named(stage.read("main", lane.path), lane.service)
        shares = {name: share for name, share in plain.shares(document, lane.route).items() if share}
        stage.expect(f"{lane.service}, read as plain YAML", shares, wanted)
        rows.append(
            (lane.service, lane.kind, "\n".join(plain.written(document, lane.route)), _next(stage, lane))
        )
    stage.paper.line()
    stage.paper.line(f"Side by side: {when}")
    stage.paper.table(HEADS, rows)


def _next(stage: Stage, lane: Lane) -> str:
    """Say what comes next for a rollout: its open pull request with the gate, or how it ended."""
    for pull in stage.open_of_bot(lane.service):
        _, gate = stage.watcher.checks.get((pull.number, GATE), (None, ""))
        return f"#{pull.number}: {pull.title.removeprefix(f'{lane.service}: ')}\n{gate.partition('.')[0]}"
    return next((end for kind, end in ENDS.items() if stage.notices(lane.number, kind)), "none")
