"""Promote, Hold and Roll back as buttons of ``canary / gate``: a press is worked off like a comment by that person."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bot.core.checks import press_id
from bot.sandbox.webhooks import sign
from tests.scenarios.moves import (
    begin,
    buttons,
    delivery_of,
    flush,
    press,
    push_button,
    reply_to_press,
    run_of,
    sweep,
)
from tests.scenarios.stage import PATH, VERSION_4

if TYPE_CHECKING:
    from bot.sandbox.webhooks import Sent
    from tests.scenarios.stage import Stage


def send(stage: Stage, sent: Sent, body: dict[str, Any] | None = None) -> None:
    """Post a body under a new delivery id, signed anew where it is another one."""
    raw = sent.body if body is None else json.dumps(body).encode()
    headers = sent.headers() | {
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(sent.app.webhook_secret, raw),
    }
    answer = httpx.post(stage.run.bot.webhook_url, content=raw, headers=headers, timeout=20)
    assert answer.status_code == 202
    stage.settle()


@pytest.fixture
def rolling(stage: Stage) -> Stage:
    """A rollout at 25 %; #1 is merged, #2 the open step."""
    begin(stage)
    return stage


class TestWhichAreShown:
    """Only what makes sense there."""

    def test_step(self, rolling: Stage) -> None:
        assert buttons(rolling, 2) == ["Promote", "Hold", "Roll back"]
        rolling.later(minutes=31)
        assert rolling.check(2, "canary / gate")[0] == "success"
        assert buttons(rolling, 2) == ["Promote", "Hold", "Roll back"]

    def test_a_held_step_can_be_resumed(self, rolling: Stage) -> None:
        rolling.say(2, "/hold for 2h")
        assert buttons(rolling, 2) == ["Promote", "Resume", "Roll back"]
        rolling.later(hours=2, minutes=1)
        assert buttons(rolling, 2) == ["Promote", "Hold", "Roll back"]

    def test_a_step_changed_by_hand_is_not_promoted(self, rolling: Stage) -> None:
        edited = rolling.read(rolling.step().head_ref).replace(b"percent: 50", b"percent: 40", 1)
        rolling.push(rolling.step().head_ref, edited.replace(b"percent: 50", b"percent: 60"))
        assert buttons(rolling, 2) == ["Hold", "Roll back"]

    def test_drift_leaves_the_way_back(self, rolling: Stage) -> None:
        was = rolling.read()
        drifted = was.replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
        rolling.push("main", drifted, by="ada")
        rolling.later(minutes=31)
        assert buttons(rolling, 2) == ["Roll back"]

    def test_feature_start_and_rollback(self, stage: Stage) -> None:
        number = stage.feature()
        assert buttons(stage, number) == []
        stage.say(number, "/canary 25")
        assert buttons(stage, number) == []
        stage.say(number, "/canary cancel")
        stage.merge(number)
        stage.say(number, "/canary 25")
        start = stage.step().number
        assert buttons(stage, start) == ["Hold"]
        stage.merge(start)
        step = stage.step().number
        stage.say(step, "/rollback")
        stage.notice(step, "closed-rollback")
        assert buttons(stage, stage.step().number) == []

    def test_a_start_can_begin_on_hold(self, stage: Stage) -> None:
        number = stage.feature()
        stage.merge(number)
        stage.say(number, "/canary 25")
        start = stage.step().number
        assert press(stage, start, "hold").code == "applied"
        assert buttons(stage, start) == ["Resume"]
        stage.merge(start)
        stage.later(minutes=31)
        assert "On hold by mona" in stage.check(stage.step().number, "canary / gate")[1]


class TestPressed:
    """The same outcome, the same records and the same one reply as for a comment."""

    def test_promote_while_it_bakes_is_remembered(self, rolling: Stage) -> None:
        sent = push_button(rolling, 2, "promote")
        rolling.settle()
        reply = reply_to_press(rolling, sent)
        assert reply.text.startswith("@mona pressed **Promote**: Remembered: #2")
        assert (reply.number, reply.decision, reply.code) == (2, "pending", "remembered")
        assert "asked for by `mona`" in run_of(rolling, 2, "canary / approvals").output["summary"]
        rolling.later(minutes=31)
        later = reply_to_press(rolling, sent)
        assert later.text.startswith("@mona pressed **Promote**: Merged #2")
        assert later.decision == "done"
        merge = next(m for m in rolling.log() if "Canary-Promoted-By: mona" in m)
        assert f"Canary-Comment: {press_id(sent.payload())}" in merge
        assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_promote_after_the_bake_time_merges(self, rolling: Stage) -> None:
        rolling.later(minutes=31)
        assert press(rolling, 2, "promote", by="kim").text.startswith("@kim pressed **Promote**: Merged #2")
        assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
        assert rolling.step().title == "customer: 50 % → 100 %"

    def test_two_wishes_by_buttons_are_both_told(self, rolling: Stage) -> None:
        first = push_button(rolling, 2, "promote", by="mona")
        rolling.settle()
        second = push_button(rolling, 2, "promote", by="kim")
        rolling.settle()
        rolling.later(minutes=31)
        assert reply_to_press(rolling, first).text.startswith("@mona pressed **Promote**: Merged")
        assert reply_to_press(rolling, second).text.startswith("@kim pressed **Promote**: Merged")

    def test_hold_and_resume(self, rolling: Stage) -> None:
        held = press(rolling, 2, "hold", by="kim")
        assert held.text.startswith("@kim pressed **Hold**: `customer` is **on hold** at 25 %")
        rolling.later(minutes=31)
        assert rolling.check(2, "canary / gate") == (None, "On hold by kim.")
        resumed = press(rolling, 2, "resume", by="mona")
        assert resumed.text.startswith("@mona pressed **Resume**: `customer` goes on.")
        assert rolling.check(2, "canary / gate") == ("success", "50 % may be merged")

    def test_roll_back(self, rolling: Stage) -> None:
        sent = push_button(rolling, 2, "rollback", by="kim")
        rolling.settle()
        reply = reply_to_press(rolling, sent)
        assert reply.text.startswith("@kim pressed **Roll back**: Proposed in #3: all traffic of `customer`")
        rolling.notice(2, "closed-rollback")
        back = rolling.step()
        assert rolling.split(back.head_ref) == {"customer-v3": 100}
        message = rolling.log(back.head_ref)[0]
        assert "Canary-Requested-By: kim" in message
        assert f"Canary-Comment: {press_id(sent.payload())}" in message
        assert buttons(rolling, 2) == []  # closed: nothing is left to press

    def test_of_a_comment_and_a_button_the_first_one_acts(self, rolling: Stage) -> None:
        hooks = rolling.run.world.hooks
        hooks.pause()
        said = rolling.write(2, "/rollback", by="kim")
        sent = push_button(rolling, 2, "rollback")
        flush(rolling)
        assert {rolling.reply_to(said).code, reply_to_press(rolling, sent).code} == {"proposed", "already"}
        rolling.notice(2, "closed-rollback")

    def test_a_press_that_github_did_not_let_us_answer_at_once(self, rolling: Stage) -> None:
        rolling.run.server.faults.add("POST", f"/repos/{rolling.repo}/issues/2/comments", "before-502")
        sent = push_button(rolling, 2, "hold")
        rolling.settle()
        rolling.later(minutes=1)
        assert reply_to_press(rolling, sent).code == "applied"
        assert "On hold by `mona`" in run_of(rolling, 2).output["summary"]

    def test_an_answer_that_arrived_and_seemed_lost_is_not_given_twice(self, rolling: Stage) -> None:
        rolling.run.server.faults.add("POST", f"/repos/{rolling.repo}/issues/2/comments", "after-502")
        sent = push_button(rolling, 2, "rollback")
        rolling.settle()
        rolling.later(minutes=1)
        assert reply_to_press(rolling, sent).code == "proposed"
        rolling.notice(2, "closed-rollback")


class TestWhoMay:
    """The role is asked for when the press is worked off, by the same function as for comments."""

    def lowered(self, stage: Stage, verb: str, role: str, *, by: str = "kim") -> Sent:
        """Press, and lose the role before the press is worked off."""
        stage.role(by, "write")
        stage.run.world.hooks.pause()
        sent = push_button(stage, 2, verb, by=by)
        stage.role(by, role)
        flush(stage)
        return sent

    def test_promote_needs_write(self, rolling: Stage) -> None:
        reply = reply_to_press(rolling, self.lowered(rolling, "promote", "triage"))
        assert reply.text.startswith("@kim pressed **Promote**: **Not applied** · `not-allowed`")
        assert "`/promote` needs the role `write`" in reply.text
        rolling.later(minutes=31)
        assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}

    @pytest.mark.parametrize(("verb", "code"), [("hold", "applied"), ("rollback", "proposed")])
    def test_stopping_needs_triage(self, rolling: Stage, verb: str, code: str) -> None:
        assert reply_to_press(rolling, self.lowered(rolling, verb, "triage")).code == code
        if verb == "rollback":
            rolling.notice(2, "closed-rollback")

    def test_a_refusal_is_told_once_an_hour(self, rolling: Stage) -> None:
        first = self.lowered(rolling, "hold", "read")
        second = self.lowered(rolling, "hold", "read")
        reply = reply_to_press(rolling, first)
        assert reply.code == "not-allowed"
        assert reply.answer.also == (f"button/{press_id(second.payload())}",)
        rolling.later(hours=1, minutes=1)
        assert reply_to_press(rolling, self.lowered(rolling, "hold", "read")).code == "not-allowed"

    def test_who_got_the_role_presses_again(self, rolling: Stage) -> None:
        """Nothing but the role has changed, and yet it is another press."""
        first = self.lowered(rolling, "hold", "read")
        rolling.role("kim", "write")
        second = push_button(rolling, 2, "hold", by="kim")
        rolling.settle()
        assert reply_to_press(rolling, first).code == "not-allowed"
        assert reply_to_press(rolling, second).code == "applied"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"sender": {"type": "Bot"}}, id="a bot"),
            pytest.param({"sender": {"type": "Organization"}}, id="no person"),
            pytest.param({"sender": {"login": "nobody/../mona"}}, id="no login"),
            pytest.param({"requested_action": {"identifier": "cancel"}}, id="no such button"),
            pytest.param({"check_run": {"name": "canary / plan"}}, id="another check"),
            pytest.param({"check_run": {"app": {"id": 1}}}, id="another App's check"),
            pytest.param({"repository": {"full_name": "acme/elsewhere"}}, id="another repository"),
            pytest.param({"action": "completed"}, id="no press"),
        ],
    )
    def test_what_is_no_press_has_no_effect(self, rolling: Stage, change: dict[str, Any]) -> None:
        rolling.run.world.hooks.pause()
        sent = push_button(rolling, 2, "rollback")
        rolling.run.world.hooks.drop(1)
        flush(rolling)
        body = sent.payload()
        for key, more in change.items():
            body[key] = {**body[key], **more} if isinstance(more, dict) else more
        send(rolling, sent, body)
        assert rolling.step().number == 2
        assert rolling.all_replies(2) == []


class TestOnceOnly:
    """The delivery's id is not signed: a body sent again is the same press, whatever it is called."""

    def test_the_same_body_again_and_again(self, rolling: Stage) -> None:
        sent = push_button(rolling, 2, "hold")
        rolling.settle()
        rolling.run.world.hooks.redeliver(sent.guid)
        send(rolling, sent)
        assert reply_to_press(rolling, sent).code == "applied"
        rolling.say(2, "/resume", by="kim")
        send(rolling, sent)
        assert rolling.check(2, "canary / gate")[0] is None
        rolling.later(minutes=31)
        assert rolling.check(2, "canary / gate") == ("success", "50 % may be merged")
        assert len(rolling.all_replies(2)) == 2

    def test_an_old_promotion_promotes_nothing_else(self, rolling: Stage) -> None:
        rolling.later(minutes=31)
        sent = push_button(rolling, 2, "promote")
        rolling.settle()
        assert reply_to_press(rolling, sent).code == "applied"
        rolling.later(minutes=31)
        send(rolling, sent)
        sweep(rolling)
        assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
        assert len(rolling.all_replies(2)) == 1

    def test_twice_before_it_is_worked_off(self, rolling: Stage) -> None:
        rolling.run.world.hooks.pause()
        sent = push_button(rolling, 2, "rollback")
        flush(rolling, copies=3, shuffle=5)
        assert reply_to_press(rolling, sent).code == "proposed"
        rolling.notice(2, "closed-rollback")

    def test_two_presses_by_one_person_are_two(self, rolling: Stage) -> None:
        """Nothing of GitHub's payload tells them apart, so the check itself has changed in between."""
        first, second = push_button(rolling, 2, "promote"), None
        rolling.settle()
        second = push_button(rolling, 2, "promote")
        rolling.settle()
        assert press_id(first.payload()) != press_id(second.payload())
        assert [reply_to_press(rolling, s).code for s in (first, second)] == ["remembered"] * 2
        send(rolling, first)
        third = push_button(rolling, 2, "promote")
        rolling.settle()
        assert reply_to_press(rolling, third).code == "remembered"
        assert len(rolling.all_replies(2)) == 3

    def test_looks_in_between_leave_the_presses_apart(self, rolling: Stage) -> None:
        first = push_button(rolling, 2, "hold")
        rolling.settle()
        reply_to_press(rolling, first)
        rolling.say(2, "/resume")
        rolling.later(minutes=31)
        stamp = run_of(rolling, 2).external_id.rpartition("~")[2]
        sweep(rolling)
        assert run_of(rolling, 2).external_id.rpartition("~")[2] == stamp
        assert len(stamp) == 8


class TestStale:
    """A button belongs to what was shown with it."""

    def test_merged_meanwhile(self, rolling: Stage) -> None:
        rolling.later(minutes=31)
        rolling.run.world.hooks.pause()
        sent = push_button(rolling, 2, "promote", by="kim")
        rolling.run.world.merge(rolling.repo, 2, by="mona")
        flush(rolling)
        reply = reply_to_press(rolling, sent)
        assert (reply.decision, reply.code) == ("declined", "wrong-place")
        assert "#2 is merged already" in reply.text
        rolling.later(minutes=31)
        assert rolling.split() == {"customer-v3": 50, "customer-v4": 50}
        assert buttons(rolling, 2) == []

    def test_pressed_on_a_merged_step(self, rolling: Stage) -> None:
        """GitHub names no pull request that is closed; the check itself does."""
        rolling.later(minutes=31)
        rolling.merge(2)
        sent = push_button(rolling, 2, "rollback")
        rolling.settle()
        assert sent.payload()["check_run"]["pull_requests"] == []
        assert reply_to_press(rolling, sent).code == "proposed"
        rolling.notice(3, "closed-rollback")

    def test_closed_meanwhile(self, rolling: Stage) -> None:
        rolling.run.world.hooks.pause()
        sent = push_button(rolling, 2, "promote", by="kim")
        rolling.run.world.close_pull(rolling.repo, 2, by="mona")
        flush(rolling)
        reply = reply_to_press(rolling, sent)
        assert reply.code == "held"
        assert "#2 was closed" in reply.text
        rolling.notice(2, "step-closed")
        assert rolling.no_step()

    def test_the_step_was_built_anew(self, rolling: Stage) -> None:
        rolling.run.world.hooks.pause()
        sent = push_button(rolling, 2, "promote")
        held = push_button(rolling, 2, "hold", by="kim")
        edited = rolling.read().replace(b"team-shop", b"team-store")
        rolling.run.world.commit(rolling.repo, "main", {PATH: edited}, "Owners", by="ada")
        rolling.later(minutes=31)
        flush(rolling)
        reply = reply_to_press(rolling, sent)
        assert (reply.decision, reply.code) == ("declined", "wrong-head")
        assert reply_to_press(rolling, held).code == "applied"  # stopping waits for no reload
        assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}
        assert press(rolling, 2, "resume").code == "applied"

    def test_of_another_rollout(self, rolling: Stage) -> None:
        rolling.run.world.hooks.pause()
        sent = push_button(rolling, 2, "rollback")
        rolling.run.world.hooks.drop(1)
        flush(rolling)
        newer = VERSION_4.replace(b"customer-v4", b"customer-v5").replace(b"4.0.0", b"5.0.0")
        other = rolling.feature(newer, name="v5")
        assert rolling.say(other, "/canary 25").code == "applied"
        rolling.run.world.merge(rolling.repo, other, by="mona")
        rolling.settle()
        rolling.notice(2, "closed-superseded")
        send(rolling, sent)
        reply = reply_to_press(rolling, sent)
        assert (reply.decision, reply.code) == ("declined", "no-rollout")
        assert rolling.split()["customer-v5"] == 25

    def test_too_late_to_go_on(self, rolling: Stage) -> None:
        faults = rolling.run.server.faults
        faults.add("GET", f"/repos/{rolling.repo}/pulls/2", "before-502", times=1000)
        sent = push_button(rolling, 2, "promote")
        rolling.settle()
        rolling.later(hours=2)
        for _ in range(10):
            rolling.later(minutes=6)
        faults.clear()
        rolling.later(minutes=6)
        assert reply_to_press(rolling, sent).code == "too-late"
        assert rolling.split() == {"customer-v3": 75, "customer-v4": 25}

    def test_after_days_it_is_history(self, rolling: Stage) -> None:
        faults = rolling.run.server.faults
        faults.add("GET", f"/repos/{rolling.repo}/pulls/2", "before-502", times=100_000)
        push_button(rolling, 2, "rollback")
        rolling.settle()
        rolling.later(hours=73)
        faults.clear()
        rolling.later(minutes=10)
        assert not [r for r in rolling.all_replies(2) if r.answer.to.startswith("button/")]
        assert rolling.step().number == 2


def test_a_button_is_answered_beside_comments(rolling: Stage) -> None:
    rolling.run.world.hooks.pause()
    said = rolling.write(2, "/canary status", by="rita")
    sent = push_button(rolling, 2, "hold")
    flush(rolling, shuffle=2, copies=2)
    assert delivery_of(rolling, said).status == 202
    assert rolling.reply_to(said).code == "shown"
    assert reply_to_press(rolling, sent).code == "applied"
