"""``/traffic``, ``/tag`` and ``/untag`` in comments: one edit, one commit, one reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.core import trailers
from bot.core.trailers import Edit
from tests.scenarios.moves import begin, silent, untouched
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4, Stage
from tests.scenarios.test_checks import from_fork

if TYPE_CHECKING:
    from bot.sandbox.model import Pull

SHIFT = "/traffic customer-v3=70 customer-v4=30"
KEY = f"{PATH}#shop/customer"


def changed(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """Give the lines that went and that came."""
    old, new = before.decode().splitlines(), after.decode().splitlines()
    return [x for x in old if x not in new], [x for x in new if x not in old]


def merged(stage: Stage) -> int:
    number = stage.feature()
    stage.merge(number)
    return number


def tip(stage: Stage, branch: str) -> str:
    return stage.run.world.log(stage.repo, branch)[0].sha


class TestOpen:
    def test_one_commit_and_a_reply(self, stage: Stage) -> None:
        number = stage.feature()
        comment = stage.write(number, SHIFT)
        stage.settle()
        reply = stage.reply_to(comment)

        assert (reply.decision, reply.code, reply.answer.service) == ("done", "applied", "customer")
        assert stage.split("v4") == {"customer-v3": 70, "customer-v4": 30}
        assert changed(VERSION_4, stage.read("v4")) == (
            ["    percent: 100"],
            [
                "    percent: 70",
                "  - revisionName: customer-v4",
                "    latestRevision: false",
                "    percent: 30",
            ],
        )
        assert "| `customer-v3` | `current` | 100 % | **70 %** |" in reply.text
        assert "| `customer-v4` |  | – | **30 %** |" in reply.text
        assert "+    percent: 70" in reply.text
        assert "Merging applies it at once" in reply.text
        assert stage.check(number, "canary / plan") == ("success", "The manifests are valid")
        assert stage.reactions(comment) == ["eyes", "rocket"]
        assert stage.no_step()

    def test_the_commit_says_whose_it_is_and_is_no_step(self, stage: Stage) -> None:
        number = stage.feature()
        comment = stage.write(number, SHIFT)
        stage.settle()
        stage.reply_to(comment)

        commit = stage.run.world.log(stage.repo, "v4")[0]
        assert commit.author_name == "canary-bot[bot]"
        assert trailers.edits(commit.message) == (Edit(KEY, "mona", comment.id),)
        assert trailers.records(commit.message) == ()
        stage.merge(number)
        assert stage.split() == {"customer-v3": 70, "customer-v4": 30}
        assert stage.no_step()  # no rollout follows

    def test_all_operations_of_a_comment_are_one_commit_in_the_order_of_kn(self, stage: Stage) -> None:
        number = stage.feature()
        commits = len(stage.log("v4"))
        reply = stage.say(
            number, "/traffic live=90,@latest=10\n\nand\n\n/tag customer-v3=live\n\n/untag current"
        )
        assert reply.code == "applied"
        assert len(stage.log("v4")) == commits + 1
        assert stage.split("v4") == {"customer-v3": 90, "@latest": 10}
        assert changed(VERSION_4, stage.read("v4")) == (
            ["  - tag: current", "    percent: 100", "    percent: 0"],
            ["  - tag: live", "    percent: 90", "    percent: 10"],
        )

    def test_what_is_so_already(self, stage: Stage) -> None:
        number = stage.feature()
        comment = stage.write(number, "/traffic current=100")
        stage.settle()
        assert stage.reply_to(comment).code == "already"
        assert stage.reactions(comment) == ["eyes", "+1"]
        assert untouched(stage)

    @pytest.mark.parametrize(
        ("comment", "code", "says"),
        [
            pytest.param("/traffic customer-v3=70", "kn-refused", "remaining traffic: 30%", id="a rest"),
            pytest.param("/traffic customer-v3=70 customer-v4=70", "kn-refused", "sum to 140", id="too much"),
            pytest.param("/untag nobody", "kn-refused", "tag(s) nobody not present", id="no such tag"),
            pytest.param("/tag customer-v4=current", "kn-refused", "`/untag TAG`", id="a tag that is taken"),
            pytest.param(
                "/tag customer-v4=Beta", "split-invalid", "not a DNS 1035 label", id="no tag for the server"
            ),
            pytest.param(f"/tag customer-v4={'a' * 60}", "split-invalid", "at most 63", id="a long host"),
            pytest.param("/untag current\n\n/traffic x=1%", "kn-refused", "99%", id="one of two lines"),
        ],
    )
    def test_refused(self, stage: Stage, comment: str, code: str, says: str) -> None:
        number = stage.feature()
        reply = stage.say(number, comment)
        assert (reply.decision, reply.code) == ("declined", code)
        assert says in reply.text
        assert untouched(stage)

    def test_all_that_the_server_would_say(self, stage: Stage) -> None:
        number = stage.feature()
        reply = stage.say(number, "/tag customer-v4=Beta\n\n/tag customer-v5=Gamma")
        assert reply.code == "split-invalid"
        assert "spec.traffic.tag[2], spec.traffic.tag[3]" in reply.text
        assert untouched(stage)

    def test_a_rollout_that_is_armed_here_keeps_its_percents(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        armed = stage.read("v4")
        reply = stage.say(number, SHIFT)
        assert (reply.decision, reply.code) == ("declined", "rollout-running")
        assert "`/canary cancel` takes it back" in reply.text
        assert stage.read("v4") == armed
        stage.say(number, "/canary cancel")
        assert stage.say(number, SHIFT).code == "applied"
        assert stage.split("v4") == {"customer-v3": 70, "customer-v4": 30}

    def test_a_rollout_that_runs_keeps_its_percents(self, stage: Stage) -> None:
        begin(stage)
        running = stage.read()
        number = stage.feature(running.replace(b"customer:4.0.0", b"customer:5.0.0"), name="v5")
        head = tip(stage, "v5")
        reply = stage.say(number, "/traffic customer-v3=100")
        assert (reply.decision, reply.code) == ("declined", "rollout-running")
        assert "is at 25 %" in reply.text
        assert "began on #1" in reply.text
        assert tip(stage, "v5") == head

    def test_a_canary_after_it_starts_from_there(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/tag customer-v3=live")
        assert stage.say(number, "/canary 25").code == "applied"
        assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
        assert b"tag: live" in stage.read("v4")
        assert stage.check(number, "canary / plan") == ("success", "Canary: customer at 25 %")

    def test_a_fork_gets_the_diff(self, stage: Stage) -> None:
        number = from_fork(stage)
        reply = stage.say(number, SHIFT)
        assert (reply.decision, reply.code) == ("declined", "fork")
        assert "+    percent: 70" in reply.text
        assert "or merge, and repeat" in reply.text

    def test_several_services_are_not_guessed(self, stage: Stage) -> None:
        cart = CUSTOMER.replace(b"customer", b"cart")
        number = stage.feature(VERSION_4 + b"---\n" + cart)
        reply = stage.say(number, SHIFT)
        assert (reply.decision, reply.code) == ("declined", "which-service")
        assert "name no service" in reply.text

    def test_it_needs_write_access(self, stage: Stage) -> None:
        number = stage.feature()
        assert stage.say(number, SHIFT, by="tess").code == "not-allowed"
        assert untouched(stage)

    def test_a_closed_pull_request(self, stage: Stage) -> None:
        number = stage.feature()
        stage.close(number)
        assert stage.say(number, SHIFT).code == "pull-closed"

    def test_other_bots_own_the_words_elsewhere(self, stage: Stage) -> None:
        stage.branch("docs", {"README.md": b"Docs\n"})
        pull = stage.run.world.open_pull(stage.repo, "docs", "main", "Docs", by="mona")
        stage.settle()
        comment = stage.write(pull.number, "/tag v1=2")
        stage.settle()
        assert silent(stage, comment)


class TestMerged:
    def proposed(self, stage: Stage) -> Pull:
        step = stage.step()
        assert step.title == "customer: traffic as asked for on #1"
        return step

    def test_a_pull_request_of_the_bots_own(self, stage: Stage) -> None:
        number = merged(stage)
        comment = stage.write(number, SHIFT)
        stage.settle()
        reply = stage.reply_to(comment)
        pull = self.proposed(stage)

        assert (reply.decision, reply.code) == ("done", "proposed")
        assert f"Proposed in #{pull.number}" in reply.text
        assert "+    percent: 70" in reply.text
        assert stage.split() == {"customer-v3": 100}
        assert stage.split(pull.head_ref) == {"customer-v3": 70, "customer-v4": 30}
        assert stage.check(pull.number, "canary / plan") == ("success", "The manifests are valid")
        for name in ("canary / gate", "canary / approvals"):
            assert stage.check(pull.number, name)[0] == "neutral"
        assert [label.name for label in pull.labels] == ["canary"]
        stage.merge(pull.number)
        assert stage.split() == {"customer-v3": 70, "customer-v4": 30}
        assert stage.no_step()

    def test_the_next_command_is_for_that_pull_request(self, stage: Stage) -> None:
        stage.say(merged(stage), SHIFT)
        pull = self.proposed(stage)
        assert stage.say(pull.number, "/traffic customer-v3=60,customer-v4=40").code == "applied"
        assert stage.split(pull.head_ref) == {"customer-v3": 60, "customer-v4": 40}
        assert stage.step().number == pull.number

    def test_what_is_so_already(self, stage: Stage) -> None:
        assert stage.say(merged(stage), "/traffic current=100").code == "already"
        assert stage.no_step()

    def test_refused(self, stage: Stage) -> None:
        assert stage.say(merged(stage), "/untag nobody").code == "kn-refused"
        assert stage.no_step()

    @pytest.mark.parametrize("number", [1, 2])
    def test_not_while_a_rollout_runs(self, stage: Stage, number: int) -> None:
        begin(stage)
        before = stage.open_branches()
        reply = stage.say(number, "/traffic customer-v3=100")
        assert reply.decision == "declined"
        assert reply.code == ("rollout-running" if number == 1 else "wrong-place")
        assert "`/rollback` turns back" in reply.text
        assert stage.open_branches() == before

    def test_not_while_a_start_is_proposed(self, stage: Stage) -> None:
        number = merged(stage)
        stage.say(number, "/canary 25")
        start = stage.step().number
        reply = stage.say(number, SHIFT)
        assert reply.code == "rollout-running"
        assert f"#{start} begins a rollout" in reply.text
        assert stage.step().number == start

    def test_on_the_pull_request_of_a_rollback(self, stage: Stage) -> None:
        stage.say(begin(stage), "/rollback")
        stage.notice(2, "closed-rollback")
        assert stage.say(stage.step().number, SHIFT).code == "wrong-place"

    def test_after_a_rollout_was_cancelled(self, stage: Stage) -> None:
        number = begin(stage)
        stage.say(2, "/canary cancel")
        stage.notice(2, "closed-cancelled")
        assert stage.say(number, "/traffic customer-v3=100").code == "proposed"
        pull = self.proposed(stage)
        assert stage.check(pull.number, "canary / plan")[0] == "success"
        stage.merge(pull.number)
        assert stage.split() == {"customer-v3": 100}

    def test_after_a_cancelled_rollout_also_on_an_open_pull_request(self, stage: Stage) -> None:
        begin(stage)
        stage.say(2, "/canary cancel")
        stage.notice(2, "closed-cancelled")
        number = stage.feature(stage.read().replace(b"customer:4.0.0", b"customer:5.0.0"), name="v5")
        assert stage.say(number, "/traffic customer-v3=100").code == "applied"
        assert "moves weight" not in stage.check(number, "canary / plan")[1]
