"""Turning back, holding, cancelling: at every stage, and never more than once."""

from __future__ import annotations

from tests.scenarios.stage import CUSTOMER, VERSION_4, Stage


def begin(stage: Stage) -> int:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.merge(number)
    return number


def test_rollback_in_the_middle(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    reply = stage.say(step.number, "/rollback -- errors on @everyone", by="tess")
    assert (reply.decision, reply.code) == ("done", "proposed")
    assert step.state == "closed"
    stage.notice(step.number, "closed-rollback")
    back = stage.step()
    assert back.head_ref.endswith("/rollback")
    assert stage.split(back.head_ref) == {"customer-v3": 100}
    stage.merge(back.number)
    assert stage.split() == {"customer-v3": 100}
    assert b"tag: candidate\n    revisionName: customer-v4\n    percent: 0" in stage.read()
    stage.notice(number, "rolled-back-")
    stage.later(hours=2)
    assert stage.no_step()


def test_rollback_at_the_second_step_and_from_the_feature_pull_request(stage: Stage) -> None:
    number = begin(stage)
    stage.later(minutes=31)
    stage.merge(stage.step().number)
    step = stage.step()
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    stage.merge(stage.step().number)
    assert stage.split() == {"customer-v3": 100}
    stage.notice(number, "rolled-back-")


def test_rollback_after_the_end(stage: Stage) -> None:
    number = begin(stage)
    for _ in range(2):
        stage.later(minutes=31)
        stage.merge(stage.step().number)
    stage.notice(number, "done-")
    stage.say(number, "/rollback")
    stage.merge(stage.step().number)
    assert stage.split() == {"customer-v3": 100}
    assert stage.read() == VERSION_4
    stage.notice(number, "rolled-back-")


def test_rollback_twice_links_the_first(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    again = stage.say(number, "/rollback", by="kim")
    assert again.code == "already"
    assert f"#{stage.step().number}" in again.text
    stage.merge(stage.step().number)
    stage.notice(number, "rolled-back-")
    assert stage.say(number, "/rollback").code == "already"


def test_rollback_of_drift(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    drifted = stage.read().replace(b"percent: 75", b"percent: 10").replace(b"percent: 25", b"percent: 90")
    stage.push("main", drifted, by="ada")
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    stage.merge(stage.step().number)
    assert stage.split() == {"customer-v3": 100}
    stage.notice(number, "rolled-back-")


def test_nothing_to_roll_back(stage: Stage) -> None:
    number = stage.feature()
    assert stage.say(number, "/rollback").code == "nothing-to-roll-back"
    stage.say(number, "/canary 25")
    assert stage.say(number, "/rollback").code == "nothing-to-roll-back"


def test_rollback_with_a_broken_configuration(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.run.world.commit(stage.repo, "main", {".github/canary.yaml": b"]["}, "Break", by="ada")
    assert stage.say(number, "/rollback").code == "proposed"
    stage.notice(step.number, "closed-rollback")


def test_nothing_moves_forward_while_a_rollback_is_open_or_was_closed(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    assert stage.say(number, "/promote").code == "rollback-open"
    back = stage.step()
    stage.close(back.number)
    stage.later(hours=1)
    assert stage.no_step()
    stage.say(number, "/resume")
    assert stage.step().title == "customer: 25 % → 50 %"


def test_resume_opens_nothing_while_a_rollback_is_open(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    before = stage.numbers()
    for where in (number, step.number):
        reply = stage.say(where, "/resume")
        assert (reply.decision, reply.code) == ("declined", "rollback-open")
    assert stage.numbers() == before
    assert stage.say(stage.step().number, "/resume").code == "wrong-place"


def test_promote_on_a_rollback(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    assert stage.say(stage.step().number, "/promote").code == "wrong-place"
    assert stage.say(stage.step().number, "/hold").code == "wrong-place"


def test_hold_and_resume(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    assert stage.say(step.number, "/hold -- look at the logs", by="tess").code == "applied"
    stage.later(minutes=45)
    conclusion, title = stage.check(step.number, "canary / gate")
    assert conclusion is None
    assert "On hold by tess" in title
    assert stage.say(step.number, "/promote").code == "remembered"
    assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
    stage.say(step.number, "/resume")
    assert stage.split() == {"customer-v3": 50, "customer-v4": 50}


def test_hold_expires(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    stage.say(step.number, "/hold for 2h")
    stage.later(minutes=60)
    assert stage.check(step.number, "canary / gate")[0] is None
    stage.later(minutes=61)
    assert stage.check(step.number, "canary / gate")[0] == "success"


def test_a_shorter_hold_ends_no_longer_one(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/hold -- incident, ask me first", by="ada")  # without an end
    stage.say(step.number, "/promote", by="kim")
    assert stage.say(step.number, "/resume", by="tess").code == "not-allowed"
    reply = stage.say(step.number, "/hold for 1m", by="tess")
    assert "that of `ada`, does not end by itself: it stays" in reply.text
    stage.later(minutes=40)
    assert not stage.pull(step.number).merged
    assert "On hold by ada" in stage.check(step.number, "canary / gate")[1]
    stage.say(step.number, "/resume", by="ada")
    assert stage.pull(step.number).merged


def test_a_hold_with_an_end_does_not_end_that_of_a_failed_gate(stage: Stage) -> None:
    stage.configure("rules: cautious\non-fail: hold\n")
    stage.measure(error_rate=0.5)
    begin(stage)
    step = stage.step()
    stage.later(minutes=31)
    stage.notice(step.number, "gate-failed-0")
    stage.say(step.number, "/promote", by="kim")
    stage.measure(error_rate=0.0)
    assert "does not end by itself" in stage.say(step.number, "/hold for 1m", by="tess").text
    stage.later(minutes=40)
    assert not stage.pull(step.number).merged


def test_nor_one_that_was_asked_for_before_the_merge(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.say(number, "/hold -- ask me first", by="ada")
    assert "it stays" in stage.say(number, "/hold for 1m", by="tess").text
    stage.merge(number)
    stage.say(stage.step().number, "/promote")
    stage.later(minutes=40)
    assert stage.split()["customer-v4"] == 25


def test_a_longer_hold_replaces_a_shorter_one(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    stage.say(step.number, "/promote")
    stage.say(step.number, "/hold for 40m", by="tess")
    assert "stays" not in stage.say(step.number, "/hold for 2h", by="ada").text
    stage.later(minutes=60)
    assert not stage.pull(step.number).merged
    stage.later(minutes=61)
    assert stage.pull(step.number).merged


def test_resume_without_hold(stage: Stage) -> None:
    number = begin(stage)
    assert stage.say(number, "/resume").code == "already"


def test_hold_before_the_merge(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.say(number, "/hold")
    stage.merge(number)
    step = stage.step()
    stage.later(minutes=31)
    assert stage.check(step.number, "canary / gate")[0] is None
    stage.say(step.number, "/resume")
    assert stage.check(step.number, "canary / gate")[0] == "success"


def test_cancel_before_the_merge_gives_the_bytes_back(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.say(number, "/canary 50")
    assert stage.say(number, "/canary cancel").code == "applied"
    assert stage.read("v4") == VERSION_4
    stage.merge(number)
    assert stage.no_step()
    assert "No rollout is running" in stage.say(number, "/canary status").text


def test_cancel_before_the_merge_after_a_push(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    stage.push("v4", stage.read("v4").replace(b"team-shop", b"team-store"))
    assert stage.say(number, "/canary cancel").code == "head-moved"


def test_cancel_in_the_middle_leaves_traffic_as_it_is(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/canary cancel")
    stage.notice(step.number, "closed-cancelled")
    stage.later(hours=2)
    assert stage.no_step()
    assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
    assert stage.say(number, "/canary cancel").code == "already"
    assert stage.say(number, "/promote").code == "no-rollout"
    assert stage.say(number, "/rollback").code == "proposed"
    stage.merge(stage.step().number)
    assert stage.split() == {"customer-v3": 100}
    stage.notice(number, "rolled-back-")


def test_a_canary_again_after_a_rollback(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/rollback")
    stage.notice(step.number, "closed-rollback")
    stage.merge(stage.step().number)
    stage.notice(number, "rolled-back-")
    first = stage.say(number, "/canary 10 --again")
    assert first.code == "proposed"
    start = stage.step()
    assert stage.split(start.head_ref) == {"customer-v3": 90, "customer-v4": 10}
    stage.merge(start.number)
    assert stage.step().title == "customer: 10 % → 25 %"


def test_the_untouched_lines_never_change(stage: Stage) -> None:
    begin(stage)
    for _ in range(2):
        stage.later(minutes=31)
        stage.merge(stage.step().number)
    stage.notice(1, "done-")
    head, _, tail = stage.read().partition(b"  traffic:\n")
    assert head == VERSION_4.partition(b"  traffic:\n")[0]
    assert tail == CUSTOMER.partition(b"  traffic:\n")[2].replace(b"customer-v3", b"customer-v4")


def test_cancel_of_drift(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    drifted = stage.read().replace(b"percent: 75", b"percent: 10").replace(b"percent: 25", b"percent: 90")
    stage.push("main", drifted, by="ada")
    assert stage.say(number, "/canary cancel").code == "applied"
    stage.notice(step.number, "closed-cancelled")
    stage.later(hours=1)
    assert stage.no_step()
    assert stage.split() == {"customer-v3": 10, "customer-v4": 90}
    assert stage.say(number, "/canary cancel").code == "drifted"


def test_a_step_of_a_cancelled_rollout_that_is_opened_again(stage: Stage) -> None:
    """``/canary 25`` begins a rollout; a button of GitHub's does not go on with one that was ended."""
    number = begin(stage)
    step = stage.step()
    stage.say(number, "/canary cancel")
    stage.notice(step.number, "closed-cancelled")
    head = stage.pull(step.number).head_sha
    stage.run.world.create_branch(
        stage.repo, step.head_ref, at=head, by="mona"
    )  # as GitHub's button restores it
    stage.run.world.reopen(stage.repo, step.number, by="mona")
    stage.settle()
    assert stage.pull(step.number).state == "closed"
    stage.later(hours=1)
    assert stage.no_step()
    assert stage.say(number, "/resume").code == "no-rollout"
