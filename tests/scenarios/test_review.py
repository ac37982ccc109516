"""What a second pair of eyes found: each of these went wrong once."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.github.authorship import Authorship
from tests.scenarios.inert import live
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4, Stage

VERSION_5 = VERSION_4.replace(b"customer-v4   #", b"customer-v5   #").replace(b"4.0.0", b"5.0.0")
CART = CUSTOMER.replace(b"customer", b"cart")
CART_4 = VERSION_4.replace(b"customer", b"cart")


def begin(stage: Stage, share: str = "25") -> int:
    number = stage.feature()
    stage.say(number, f"/canary {share}")
    stage.merge(number)
    return number


class TestTurningBack:
    """Turning back works at every moment."""

    def test_a_rollback_whose_base_changed_is_rebuilt(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.say(number, "/rollback")
        stage.notice(step.number, "closed-rollback")
        back = stage.step()
        stage.push(
            "main",
            stage.read()
            .replace(b"percent: 75\n", b"percent: 60\n")
            .replace(b"percent: 25\n", b"percent: 40\n"),
            by="ada",
        )
        stage.say(number, "/rollback")
        assert stage.run.world.mergeable(stage.repo, back.number)
        stage.merge(back.number)
        assert stage.split() == {"customer-v3": 100}
        stage.notice(number, "rolled-back-")

    def test_a_rollback_at_zero_percent_ends_the_rollout(self, stage: Stage) -> None:
        number = begin(stage, "0")
        step = stage.step()
        reply = stage.say(number, "/rollback", by="tess")
        assert (reply.decision, reply.code) == ("done", "applied")
        assert step.state == "closed"
        stage.notice(step.number, "closed-cancelled")
        stage.later(hours=2)
        assert stage.no_step()
        assert stage.split() == {"customer-v3": 100}

    def test_a_start_whose_base_changed_is_rebuilt(self, stage: Stage) -> None:
        number = stage.feature()
        stage.merge(number)
        stage.say(number, "/canary 25")
        start = stage.step()
        stage.push("main", stage.read().replace(b"percent: 100\n", b"percent: 100 # all\n"), by="ada")
        assert stage.say(number, "/canary 25").code == "already"
        assert stage.run.world.mergeable(stage.repo, start.number)
        stage.merge(start.number)
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}


class TestOtherRollouts:
    """A pull request without a rollout of its own leaves the running one alone."""

    def test_a_cancelled_canary_does_not_end_the_running_rollout(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        number = stage.feature(stage.read().replace(b"team-shop", b"team-store"), name="v5")
        stage.push(
            "v5", stage.read("v5").replace(b"customer-v4   #", b"customer-v5   #").replace(b"4.0.0", b"5.0.0")
        )
        assert stage.say(number, "/canary 10").code == "applied"
        assert stage.say(number, "/canary cancel").code == "applied"
        stage.push(
            "v5", stage.read("v5").replace(b"customer-v5   #", b"customer-v4   #").replace(b"5.0.0", b"4.0.0")
        )
        stage.merge(number)
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
        assert step.state == "open"

    def test_promote_on_an_open_feature_pull_request(self, stage: Stage) -> None:
        begin(stage)
        stage.later(minutes=31)
        number = stage.feature(
            stage.read().replace(b"customer-v4   #", b"customer-v5   #").replace(b"4.0.0", b"5.0.0"),
            name="v5",
        )
        assert stage.say(number, "/promote").code == "not-merged-yet"
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}


@pytest.mark.parametrize("method", ["squash", "rebase", "merge"])
def test_commits_must_be_signed(stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """GitHub's own rebase makes commits anew, and does not sign them; github.com's must be signed."""
    believes = Authorship.commit_is_ours

    def strictly(self: Authorship, data: Any) -> bool:
        return believes(self, data) and bool(data["commit"]["verification"]["verified"])

    monkeypatch.setattr(Authorship, "commit_is_ours", strictly)
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number, method=method)
    step = stage.step()
    assert step.title == "customer: 25 % → 50 %"
    stage.later(minutes=31)
    stage.merge(step.number, method=method)
    assert stage.step().title == "customer: 50 % → 100 %"


class TestSteps:
    """A step says what it is, and who waits for it hears of it."""

    def test_everybody_who_asked_hears_of_the_merge(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        first = stage.say(step.number, "/promote", by="kim")
        second = stage.say(number, "/promote", by="mona")
        stage.later(minutes=31)
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        for where, asked, who in ((step.number, first, "kim"), (number, second, "mona")):
            edited = next(r for r in stage.all_replies(where) if r.answer.to == asked.answer.to)
            assert (edited.decision, edited.code) == ("done", "applied")
            assert edited.text.startswith(f"@{who} Merged #{step.number}")

    def test_a_step_that_github_does_not_take_is_told(self, stage: Stage) -> None:
        number = stage.feature()
        stage.say(number, "/canary 25")
        stage.run.server.faults.add(
            "POST", f"/repos/{stage.repo}/pulls$", "403", 9, message="Rule: no pull requests by `bots`"
        )
        stage.merge(number)
        assert "no pull requests" in stage.notice(number, "no-step-").text
        assert stage.no_step()
        reply = stage.say(number, "/promote")
        assert (reply.decision, reply.code) == ("declined", "not-mergeable")
        stage.run.server.faults.clear()
        assert stage.say(number, "/promote").code == "remembered"

    def test_a_comment_added_by_a_person_to_a_step_is_kept(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        stage.push(step.head_ref, stage.read(step.head_ref).replace(b"team-shop", b"team-store"))
        stage.later(minutes=31)
        assert stage.check(step.number, "canary / gate")[0] == "success"
        assert stage.check(step.number, "canary / plan")[0] == "success"
        assert stage.say(step.number, "/promote").code == "applied"
        assert b"team-store" in stage.read()
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_a_rebuilt_step_has_both_checks(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        stage.push("main", stage.read().replace(b"team-shop", b"team-store"), by="ada")
        stage.later(minutes=31)
        assert stage.check(step.number, "canary / plan")[0] == "success"
        assert stage.check(step.number, "canary / gate")[0] == "success"

    def test_a_step_whose_text_was_emptied_is_found(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        stage.run.world.edit_pull(stage.repo, step.number, by="ada", body="nothing to see")
        stage.later(minutes=31)
        assert stage.say(1, "/promote").code == "applied"
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_a_step_merged_elsewhere_is_no_busy_loop(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step()
        stage.run.world.create_branch(stage.repo, "other")
        stage.run.world.edit_pull(stage.repo, step.number, by="ada", base="other")
        stage.merge(step.number)
        stage.later(minutes=30)
        begun = len(stage.run.server.requests)
        for _ in range(5):
            stage.later(seconds=10)
        assert len(stage.run.server.requests) - begun < 20
        for number in (1, step.number):
            assert "does not hold what was merged" in stage.notice(number, "read-back").text


class TestNames:
    """Names are anybody's text."""

    @pytest.mark.parametrize(
        "namespace",
        ['"shop\\nCanary-Rollout: evil-00000000"', '"a#b"', '"`@everyone`"'],
        ids=["line", "mark", "tick"],
    )
    def test_a_namespace_forges_no_trailer(self, stage: Stage, namespace: str) -> None:
        old = CUSTOMER.replace(b"namespace: shop", f"namespace: {namespace}".encode())
        stage.push("main", old, by="ada")
        number = stage.feature(VERSION_4.replace(b"namespace: shop", f"namespace: {namespace}".encode()))
        assert stage.say(number, "/canary 25").decision == "declined"
        assert all("Canary-" not in message for message in stage.log("v4"))

    def test_a_service_name_in_a_remedy(self, stage: Stage) -> None:
        bad = b'name: "a` @kim `b"'
        both = CUSTOMER + b"---\n" + CUSTOMER.replace(b"name: customer\n", bad + b"\n")
        stage.push("main", both, by="ada")
        number = stage.feature(VERSION_4.replace(b"name: customer\n", bad + b"\n") + b"---\n" + VERSION_4)
        reply = stage.say(number, "/canary 25")
        assert reply.code == "which-service"
        assert live(reply.text, author="mona") == []


class TestFiles:
    """Renamed files, several services of one file, the same name in two files."""

    def test_a_renamed_file_is_no_new_service(self, stage: Stage) -> None:
        stage.branch("v4", {PATH: None, "deploy/customer.yaml": VERSION_4})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "Move", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary 25").code == "applied"
        assert stage.split("v4", path="deploy/customer.yaml") == {"customer-v3": 75, "customer-v4": 25}
        stage.merge(number)
        assert stage.step().title == "customer: 25 % → 50 %"

    def test_cancel_of_two_services_of_one_file(self, stage: Stage) -> None:
        stage.push("main", CUSTOMER + b"---\n" + CART, by="ada")
        number = stage.feature(VERSION_4 + b"---\n" + CART_4)
        stage.say(number, "/canary all 25")
        reply = stage.say(number, "/canary cancel all")
        assert reply.decision == "done"
        assert stage.read("v4") == VERSION_4 + b"---\n" + CART_4

    def test_cancel_of_the_first_of_two_services_of_one_file(self, stage: Stage) -> None:
        stage.push("main", CUSTOMER + b"---\n" + CART, by="ada")
        number = stage.feature(VERSION_4 + b"---\n" + CART_4)
        stage.say(number, "/canary all 25")
        assert stage.say(number, "/canary cancel customer").decision == "done"
        assert stage.split("v4") == {"customer-v3": 100}
        assert stage.split("v4", name="cart") == {"cart-v3": 75, "cart-v4": 25}

    def test_two_services_of_one_file_go_on_side_by_side(self, stage: Stage) -> None:
        stage.push("main", CUSTOMER + b"---\n" + CART, by="ada")
        number = stage.feature(VERSION_4 + b"---\n" + CART_4)
        stage.say(number, "/canary all 25")
        stage.merge(number)
        stage.later(minutes=31)
        for name in ("customer", "cart"):
            assert stage.say(number, f"/promote {name}").code == "applied"
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert stage.split(name="cart") == {"cart-v3": 50, "cart-v4": 50}

    def test_the_same_name_in_two_files(self, stage: Stage) -> None:
        other = "eu/customer.yaml"
        stage.push("main", CUSTOMER, path=other, by="ada")
        stage.branch("v4", {PATH: VERSION_4, other: VERSION_4})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "Both", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary customer 25").code == "which-service"
        reply = stage.say(number, "/canary all 25")
        assert reply.code == "applied"
        assert PATH in reply.text
        assert other in reply.text
        stage.merge(number)
        assert len(stage.open_branches()) == 2


class TestEnds:
    """What ended can begin again, and what was wished is not left hanging."""

    def test_a_canary_again_after_a_cancelled_rollout(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.say(number, "/canary cancel")
        stage.notice(step.number, "closed-cancelled")
        reply = stage.say(number, "/canary 50")
        assert reply.code == "proposed"
        assert stage.split(stage.step().head_ref) == {"customer-v3": 50, "customer-v4": 50}

    def test_a_start_that_another_rollout_overtook(self, stage: Stage) -> None:
        number = stage.feature()
        stage.merge(number)
        stage.say(number, "/canary 25")
        start = stage.step()
        nxt = stage.feature(VERSION_5, name="v5")
        assert stage.say(nxt, "/canary 10").decision == "done"
        stage.merge(nxt)
        assert [p.head_ref for p in stage.run.world.pulls(stage.repo, state="open")] != [start.head_ref]

    def test_who_asked_for_a_promotion_hears_of_the_rollback(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        asked = stage.say(step.number, "/promote", by="kim")
        stage.say(number, "/rollback")
        stage.notice(step.number, "closed-rollback")
        now = next(r for r in stage.all_replies(step.number) if r.answer.to == asked.answer.to)
        assert now.decision != "pending"

    def test_a_stop_is_never_answered_with_a_merge(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step()
        stage.say(step.number, "/promote")
        stage.run.server.faults.add("PUT", f"/repos/{stage.repo}/pulls/2/merge", "405", 9)
        stage.later(minutes=31)
        stage.run.server.faults.clear()
        stage.say(number, "/hold", by="tess")
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
        assert step.state == "open"
