"""The last part of the story: a rule set that watches errors, and turns back by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.witness import evidence_of
from bot.entry.demo import shop
from bot.entry.demo.shop import BOT, REPO

if TYPE_CHECKING:
    from bot.entry.demo.stage import Stage

GATE = "canary / gate"
CONFIG = b"version: 1\nservices:\n  canary-bot: {rules: cautious}\n"


def watched(stage: Stage) -> None:
    """A gate that passes, and then fails: the bot rolls back and says on what."""
    stage.paper.chapter("5  canary-bot again, under cautious: errors are watched, and turn the rollout back")
    stage.run.world.commit(REPO, "main", {".github/canary.yaml": CONFIG}, "Be cautious", by="kim")
    stage.metrics.errors = 0.002
    first = stage.read("main", BOT)
    stable = stage.workload("main", BOT, "canary-bot")
    before = {t.shown: t.effective_percent for t in stable.split.targets if t.effective_percent}
    number = stage.opens(
        "ana",
        "bot-1.1",
        BOT,
        shop.newer_bot(first),
        title="canary-bot 1.1.0",
        body="Another image. The rule set cautious asks Prometheus for the share of errors.",
    )
    reply = stage.says("mona", number, "/canary 5", diffs=False)
    stage.expect_reply(reply, "done", "applied", "rocket")
    candidate = stage.workload("bot-1.1", BOT, "canary-bot").template_name or ""
    stage.merges("ana", number, diffs=False)
    step = stage.mine("canary-bot")
    stage.expect_check(step.number, GATE, None, "Baking: 0 of 30 min")
    stage.later(31)
    stage.expect_check(step.number, GATE, "success")
    reply = stage.says("mona", step.number, "/promote", diffs=False)
    stage.expect_reply(reply, "done", "applied", "rocket")
    (name,) = before
    stage.expect_split("on main", "main", BOT, "canary-bot", {name: 75, candidate: 25})

    step = stage.mine("canary-bot")
    stage.paper.note("now 2.4 % of the new revision's requests fail; at most 1 % may")
    stage.metrics.errors = 0.024
    stage.later(2)
    stage.expect("the open step", (step.state, step.merged), ("closed", False))
    stage.expect_split("on main", "main", BOT, "canary-bot", before)
    back = max(stage.run.world.pulls(REPO), key=lambda pull: pull.number)
    stage.expect("branch of the rollback", back.head_ref.rpartition("/")[2], "rollback")
    stage.expect("who merged it", back.merged_by, stage.run.app.bot)
    stage.expect("the numbers in it", "2.4 % is more than 1 %" in (back.body or ""), wanted=True)
    kept = [e for commit in stage.run.world.log(REPO, "main") for e in evidence_of(commit.message)]
    failed = [(e.gate, e.value, e.limit, e.samples) for e in kept if e.outcome == "fail"]
    stage.expect("what the trail says", failed, [("error-rate", 0.024, 0.01, 812)])
    stage.expect("summaries on the feature pull request", len(stage.notices(number, "rolled-back-")), 1)
    stage.expect("the stand-in for Prometheus was asked", stage.metrics.asked > 0, wanted=True)
