"""The story: who says and merges what, and what has to be true then.

Each part is one service from a new image to its end. Every state is compared; the demo's exit
status is the sum of the comparisons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core.naming import revision_name
from bot.entry.demo import shop
from bot.entry.demo.abreast import three_kinds
from bot.entry.demo.shop import BOT, CUSTOMER, STOREFRONT
from bot.entry.demo.watched import watched

if TYPE_CHECKING:
    from bot.entry.demo.stage import Stage

PLAN, GATE = "canary / plan", "canary / gate"


def customer(stage: Stage) -> None:
    """A canary in three steps: 25, 50, 100 %."""
    stage.paper.chapter("1  customer: a canary in three steps")
    first = stage.read("main", CUSTOMER)
    wanted = shop.new_customer(first)
    number = stage.opens(
        "ana",
        "customer-4",
        CUSTOMER,
        wanted,
        title="Customer 4.0.0",
        body="A new image, and a new name for the revision: customer-v4.",
    )
    stage.expect_check(number, PLAN, "success")

    reply = stage.says("rita", number, "/canary 25")
    stage.expect_reply(reply, "declined", "not-allowed", "-1")
    reply = stage.says("mona", number, "/canary a lot")
    stage.expect_reply(reply, "not-understood", "weight-not-a-number", "confused")
    stage.expect("the caret", "/canary a lot\n        ^^^^^" in reply.text, wanted=True)
    stage.expect("bytes on the branch after two refusals", stage.read("customer-4", CUSTOMER), wanted)

    reply = stage.says("mona", number, "/canary 25")
    stage.expect_reply(reply, "done", "applied", "rocket")
    stage.expect("the diff in the reply", "-    percent: 100\n+    percent: 75" in reply.text, wanted=True)
    quarter = {"customer-v3": 75, "customer-v4": 25}
    stage.expect_split("on the branch", "customer-4", CUSTOMER, "customer", quarter)
    stage.expect_split("on main before the merge", "main", CUSTOMER, "customer", {"customer-v3": 100})
    stage.expect_check(number, PLAN, "success", "customer at 25 %")

    stage.merges("ana", number)
    stage.expect_split("on main", "main", CUSTOMER, "customer", quarter)
    step = stage.mine()
    stage.expect("title of the step", step.title, "customer: 25 % → 50 %")
    stage.expect("branch of the step", step.head_ref.rpartition("/")[2], "50")
    stage.expect_check(step.number, PLAN, "success")
    stage.expect_check(step.number, GATE, None, "Baking: 0 of 30 min")

    reply = stage.says("mona", step.number, "/promote")
    stage.expect_reply(reply, "pending", "remembered", "rocket")
    stage.expect_split("on main while it bakes", "main", CUSTOMER, "customer", quarter)
    stage.later(31)
    stage.expect("the step that was wished for", step.merged, wanted=True)
    stage.expect_split("on main", "main", CUSTOMER, "customer", {"customer-v3": 50, "customer-v4": 50})

    step = stage.mine()
    stage.expect("title of the step", step.title, "customer: 50 % → 100 %")
    stage.expect_check(step.number, GATE, None, "Baking: 0 of 30 min")
    stage.later(31)
    stage.expect_check(step.number, GATE, "success")
    stage.merges("kim", step.number)
    stage.expect_split("on main", "main", CUSTOMER, "customer", {"customer-v4": 100})
    stage.expect("open pull requests of the bot", len(stage.open_of_bot()), 0)
    stage.expect("summaries on the feature pull request", len(stage.notices(number, "done-")), 1)
    ended = wanted.replace(b"revisionName: customer-v3", b"revisionName: customer-v4")
    stage.expect("bytes of the file", stage.read("main", CUSTOMER), ended)


def own(stage: Stage) -> None:
    """The bot's own manifest: a name that was forgotten, and a rollback."""
    stage.paper.chapter("2  canary-bot: a revision name that was forgotten, and a rollback")
    first = stage.read("main", BOT)
    stable = stage.workload("main", BOT, "canary-bot").template_name or ""
    wanted = shop.new_bot(first)
    number = stage.opens(
        "ana",
        "bot-1.0",
        BOT,
        wanted,
        title="canary-bot 1.0.0",
        body="A new image; nobody thought of a new name for the revision.",
    )
    stage.expect_check(number, PLAN, "failure")

    reply = stage.says("mona", number, "/canary 10")
    stage.expect_reply(reply, "done", "applied", "rocket")
    manifest = stage.workload("bot-1.0", BOT, "canary-bot")
    candidate = revision_name("canary-bot", manifest.template)
    stage.expect("name of the revision", manifest.template_name, candidate)
    stage.expect_split("on the branch", "bot-1.0", BOT, "canary-bot", {stable: 90, candidate: 10})
    stage.expect_check(number, PLAN, "success", "canary-bot at 10 %")
    stage.merges("ana", number, diffs=False)
    step = stage.mine()
    stage.expect("title of the step", step.title, "canary-bot: 10 % → 25 %")

    reply = stage.says("mona", step.number, "/rollback -- error rate doubled")
    stage.expect_reply(reply, "done", "proposed", "rocket")
    stage.expect("the open step", step.state, "closed")
    back = stage.mine()
    stage.expect("branch of the rollback", back.head_ref.rpartition("/")[2], "rollback")
    stage.expect_check(back.number, PLAN, "success")
    stage.merges("mona", back.number)
    stage.expect_split("on main", "main", BOT, "canary-bot", {stable: 100})
    stage.expect("summaries on the feature pull request", len(stage.notices(number, "rolled-back-")), 1)
    stage.later(120)
    stage.expect("open pull requests of the bot", len(stage.open_of_bot()), 0)


def storefront(stage: Stage) -> None:
    """One of two services in a file of several documents, with a hold on the way."""
    stage.paper.chapter("3  storefront: one of two services in a file with CRLF and odd indentation")
    wanted = shop.new_storefront(stage.read("main", STOREFRONT))
    number = stage.opens(
        "ana",
        "autumn",
        STOREFRONT,
        wanted,
        title="Autumn release",
        body="New images and revision names of storefront and checkout, two documents of one file.",
    )
    stage.expect_check(number, PLAN, "success")

    reply = stage.says("kim", number, "/canary 25")
    stage.expect_reply(reply, "declined", "which-service", "-1")
    stage.expect("bytes on the branch", stage.read("autumn", STOREFRONT), wanted)
    reply = stage.says("kim", number, "/canary storefront 50")
    stage.expect_reply(reply, "done", "applied", "rocket")
    half = {"storefront-v7": 50, "storefront-v8": 50}
    stage.expect_split("on the branch", "autumn", STOREFRONT, "storefront", half)
    stage.expect_split("the other service", "autumn", STOREFRONT, "checkout", {"checkout-v3": 100})
    stage.merges("ana", number)
    step = stage.mine()
    stage.expect("title of the step", step.title, "storefront: 50 % → 100 %")

    reply = stage.says("kim", step.number, "/hold -- the sale runs until noon")
    stage.expect_reply(reply, "done", "applied", "rocket")
    stage.later(45)
    stage.expect_check(step.number, GATE, None, "On hold by kim")
    stage.expect_split("on main", "main", STOREFRONT, "storefront", half)
    reply = stage.says("kim", step.number, "/resume")
    stage.expect_reply(reply, "done", "applied", "rocket")
    stage.expect_check(step.number, GATE, "success")
    reply = stage.says("mona", step.number, "/promote")
    stage.expect_reply(reply, "done", "applied", "rocket")
    stage.expect_split("on main", "main", STOREFRONT, "storefront", {"storefront-v8": 100})
    stage.expect("summaries on the feature pull request", len(stage.notices(number, "done-")), 1)
    ended = wanted.replace(b"revisionName: 'storefront-v7'", b"revisionName: 'storefront-v8'")
    stage.expect("bytes of the file", stage.read("main", STOREFRONT), ended)


PARTS = (customer, own, storefront, three_kinds, watched)
