"""``/canary freeze`` and ``/canary unfreeze``: nothing is promoted or started, everything stops as ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.core.frozen import BRANCH, FILE, State, Typed
from bot.core.rollout import clock
from bot.core.trailers import FreezeChange, freezes
from tests.scenarios.moves import begin, flush, run_of, sweep
from tests.scenarios.stage import CUSTOMER, PATH

if TYPE_CHECKING:
    from tests.scenarios.stage import Reply, Stage

CONFIG = ".github/canary.yaml"
GATE = "canary / gate"


def freeze(stage: Stage, number: int, rest: str = "", *, by: str = "ada") -> Reply:
    reply = stage.say(number, f"/canary freeze {rest}".rstrip(), by=by)
    assert (reply.decision, reply.code) == ("done", "applied"), reply.text
    return reply


def unfreeze(stage: Stage, number: int, rest: str = "", *, by: str = "ada") -> Reply:
    reply = stage.say(number, f"/canary unfreeze {rest}".rstrip(), by=by)
    assert (reply.decision, reply.code) == ("done", "applied"), reply.text
    return reply


def wait(stage: Stage) -> None:
    """Let the bake time of the first step pass."""
    stage.later(minutes=31)


def test_a_wish_is_remembered_and_done_after_unfreeze(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    comment = stage.write(number, "/canary freeze -- disk is | full <!-- @mona", by="ada")
    stage.settle()
    said = stage.reply_to(comment)
    assert "**Frozen**: nothing is promoted or started in this repository" in said.text
    wait(stage)
    conclusion, title = stage.check(step.number, GATE)
    assert conclusion is None
    assert title.startswith("The whole repository is frozen by ada (#1)")
    summary = run_of(stage, step.number).output["summary"]
    assert f"/{stage.repo}/pull/1#issuecomment-{comment.id})" in summary
    reply = stage.say(step.number, "/promote")
    assert (reply.decision, reply.code) == ("pending", "remembered")
    assert "frozen by `ada`" in reply.text
    stage.later(hours=30)
    assert stage.pull(step.number).state == "open"
    unfreeze(stage, number)
    assert stage.pull(step.number).merged
    assert stage.split()["customer-v4"] == 50


def test_it_expires_by_itself_and_writes_nothing_then(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    ends = stage.run.clock.now() + timedelta(hours=2)
    reply = freeze(stage, number, "for 2h")
    assert f"until {clock(ends)}" in reply.text
    tip = stage.run.world.repository(stage.repo).git.resolve(BRANCH)
    wait(stage)
    assert clock(ends) in stage.say(step.number, "/promote").text
    stage.later(minutes=80)
    assert stage.pull(step.number).state == "open"
    assert clock(ends) in stage.check(step.number, GATE)[1]
    stage.later(minutes=10)
    assert stage.pull(step.number).merged
    assert stage.run.world.repository(stage.repo).git.resolve(BRANCH) == tip


def test_rollback_and_hold_pass(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    freeze(stage, number)
    assert stage.say(step.number, "/hold", by="tess").code == "applied"
    assert stage.say(number, "/rollback", by="tess").code == "proposed"
    stage.notice(step.number, "closed-rollback")
    stage.merge(stage.step().number)
    assert stage.split() == {"customer-v3": 100}
    stage.notice(number, "rolled-back")


def test_no_start_pull_request_is_opened(stage: Stage) -> None:
    number = stage.feature()
    stage.merge(number)
    freeze(stage, number, "for 1h")
    reply = stage.say(number, "/canary 25")
    assert (reply.decision, reply.code) == ("declined", "frozen")
    assert "frozen by `ada` until" in reply.text
    assert stage.no_step()
    stage.later(minutes=61)
    assert stage.say(number, "/canary 25").code == "proposed"


def test_a_start_that_was_proposed_before_waits(stage: Stage) -> None:
    number = stage.feature()
    stage.merge(number)
    stage.say(number, "/canary 25")
    start = stage.step()
    assert stage.check(start.number, GATE)[0] == "neutral"
    freeze(stage, start.number, "for 2h -- incident")
    conclusion, title = stage.check(start.number, GATE)
    assert conclusion is None
    assert title.startswith("The whole repository is frozen by ada")
    unfreeze(stage, start.number)
    assert stage.check(start.number, GATE)[0] == "neutral"


def test_an_open_pull_request_can_be_armed_and_merged_by_people(stage: Stage) -> None:
    number = stage.feature()
    freeze(stage, number)
    assert stage.say(number, "/canary 25").code == "applied"
    stage.merge(number)
    assert stage.split()["customer-v4"] == 25
    wait(stage)
    assert stage.check(stage.step().number, GATE)[1].startswith("The whole repository is frozen")


def test_of_one_service_only(stage: Stage) -> None:
    stage.run.world.commit(
        stage.repo,
        "main",
        {"apps/cart.yaml": CUSTOMER.replace(b"customer", b"cart")},
        "Add a cart",
        by="mona",
    )
    number = begin(stage)
    step = stage.step()
    assert stage.say(number, "/canary freeze nobody", by="ada").code == "unknown-service"
    assert "of `cart`" in freeze(stage, step.number, "cart for 3h").text
    wait(stage)
    assert stage.check(step.number, GATE)[0] == "success"
    freeze(stage, number, "customer")
    assert stage.check(step.number, GATE)[1].startswith("Frozen by ada")
    both = unfreeze(stage, number, "customer")
    assert "of `customer` is over" in both.text
    assert stage.check(step.number, GATE)[0] == "success"
    gone = stage.say(number, "/canary unfreeze customer", by="ada")
    assert (gone.decision, gone.code) == ("already", "already")
    left = stage.say(number, "/canary unfreeze", by="ada")
    assert left.code == "already"
    assert "Still frozen: `cart` (`/canary unfreeze cart`)" in left.text


MOVED = "services/customer.yaml"


def move(stage: Stage) -> None:
    """Move the manifest to another path, by an edit of the base branch."""
    files = {PATH: None, MOVED: stage.read()}
    stage.run.world.commit(stage.repo, "main", files, "Move", by="ada")
    stage.settle()


@pytest.mark.parametrize("first", ["the move", "the freeze"])
def test_of_a_service_whose_file_is_moved(stage: Stage, first: str) -> None:
    begin(stage)
    step = stage.step()
    if first == "the move":
        move(stage)
    freeze(stage, step.number, "customer -- incident")
    if first == "the freeze":
        move(stage)
    stage.say(step.number, "/promote")
    wait(stage)
    stage.later(minutes=10)
    assert stage.split(path=MOVED) == {"customer-v3": 75, "customer-v4": 25}
    assert stage.check(step.number, GATE)[1].startswith("Frozen by ada")
    unfreeze(stage, step.number, "customer")
    assert stage.split(path=MOVED)["customer-v4"] == 50


def test_what_was_frozen_before_and_after_the_move_ends_with_one_word(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    freeze(stage, step.number, "customer for 5h")
    move(stage)
    stage.role("kim", "admin")
    freeze(stage, step.number, "customer", by="kim")
    wait(stage)
    unfreeze(stage, step.number, "customer")
    assert stage.check(step.number, GATE)[0] == "success"


def test_that_of_everything_is_not_lifted_for_one_service(stage: Stage) -> None:
    number = begin(stage)
    freeze(stage, number)
    freeze(stage, number, "customer")
    wait(stage)
    reply = unfreeze(stage, number, "customer")
    assert "Still frozen: the whole repository (`/canary unfreeze`)" in reply.text
    assert stage.check(stage.step().number, GATE)[1].startswith("The whole repository is frozen")


def test_two_people_freeze_and_the_longer_one_counts(stage: Stage) -> None:
    stage.role("kim", "admin")
    number = begin(stage)
    step = stage.step()
    freeze(stage, number, "for 3h")
    freeze(stage, number, "for 1h", by="kim")
    wait(stage)
    stage.say(step.number, "/promote")
    stage.later(minutes=60)
    assert stage.check(step.number, GATE)[1].startswith("The whole repository is frozen by ada until")
    freeze(stage, number, "for 30m")  # a later word of the same person counts
    stage.later(minutes=31)
    assert stage.pull(step.number).merged


@pytest.mark.parametrize("login", ["rita", "tess", "mona"])
@pytest.mark.parametrize("verb", ["freeze", "unfreeze"])
def test_only_admins(stage: Stage, login: str, verb: str) -> None:
    number = stage.feature()
    reply = stage.say(number, f"/canary {verb}", by=login)
    assert (reply.decision, reply.code) == ("declined", "not-allowed")
    assert stage.run.world.repository(stage.repo).git.resolve(BRANCH) is None


def test_a_person_who_merges_in_it_merges_early(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    wait(stage)
    freeze(stage, step.number)
    stage.merge(step.number, by="mona")
    unfreeze(stage, number)
    assert "`mona` merged the last step before its rules passed" in stage.say(number, "/canary why").text


def test_it_passes_a_broken_configuration(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    stage.configure("rules: [\n")
    freeze(stage, step.number, "customer -- incident")
    stage.configure("rules: standard\n")
    wait(stage)
    assert stage.check(step.number, GATE)[1].startswith("Frozen by ada")


def test_why_and_status_name_it_beside_a_window_of_the_configuration(stage: Stage) -> None:
    number = begin(stage)
    now = stage.run.clock.now()
    window = f"deny: 'FREQ=DAILY;BYHOUR={now.hour};BYMINUTE={now.minute}', for: 2h"
    text = f"version: 1\nfreezes:\n- {{name: week, {window}}}\n"
    stage.run.world.commit(stage.repo, "main", {CONFIG: text.encode()}, "Freeze", by="ada")
    freeze(stage, number, "for 1h -- a | b")
    (row,) = [x for x in stage.say(number, "/canary why").text.splitlines() if x.startswith("| freeze")]
    assert f"Freeze `week` (`{CONFIG}:3" in row
    assert "frozen by `ada` until" in row
    assert row.count("|") == 6
    assert "Freeze `week`" in stage.say(number, "/canary status").text
    wait(stage)
    stage.say(stage.step().number, "/promote")
    stage.later(minutes=60)
    assert stage.check(stage.step().number, GATE)[1].startswith("Freeze week")
    stage.later(minutes=31)
    assert stage.split()["customer-v4"] == 50


def test_a_branch_with_somebody_elses_commit_is_not_believed(stage: Stage) -> None:
    number = begin(stage)
    step = stage.step()
    freeze(stage, number, "for 1h")
    nothing = State().content()
    stage.run.world.commit(stage.repo, BRANCH, {FILE: nothing}, "Nothing is frozen", by="mona")
    wait(stage)
    assert stage.say(step.number, "/promote").code == "remembered"
    stage.later(hours=3)
    assert "not one of the bot's" in stage.check(step.number, GATE)[1]
    refused = stage.say(number, "/canary unfreeze", by="ada")
    assert refused.code == "freezes-not-believed"
    assert "Delete the branch `canary/freezes`" in refused.text
    stage.run.world.delete_branch(stage.repo, BRANCH, by="mona")
    sweep(stage)
    stage.later(minutes=61)
    assert stage.pull(step.number).merged


def test_while_nobody_knows_what_is_frozen_no_look_writes_the_body_again(stage: Stage) -> None:
    begin(stage)
    step = stage.step().number
    stage.run.world.create_branch(stage.repo, BRANCH)
    stage.run.world.commit(stage.repo, BRANCH, {FILE: b"{}"}, "Mine", by="mona")
    stage.later(minutes=40)
    assert "not one of the bot's" in stage.check(step, GATE)[1]
    shown = {stage.pull(step).body}
    for _ in range(3):
        stage.later(minutes=10)
        shown.add(stage.pull(step).body)
    assert len(shown) == 1
    stage.run.world.hooks.drop(1)
    stage.run.world.delete_branch(stage.repo, BRANCH, by="mona")
    stage.later(minutes=10)
    assert stage.check(step, GATE)[0] == "success"


@pytest.mark.parametrize("what", ["a step of the bot", "another file", "the default branch"])
def test_a_branch_moved_elsewhere_is_not_believed(stage: Stage, what: str) -> None:
    number = begin(stage)
    step = stage.step()
    if what == "another file":
        freeze(stage, number, "for 1h")
        stage.run.world.commit(stage.repo, BRANCH, {"more": b"x"}, "More", by="mona")
    else:
        base = step.head_ref if what == "a step of the bot" else "main"
        stage.run.world.create_branch(stage.repo, BRANCH, at=base)
    wait(stage)
    reply = stage.say(step.number, "/promote")
    assert reply.code == "remembered"
    assert "not one of the bot's" in reply.text


def test_the_branch_holds_one_file_and_a_commit_for_each_change(stage: Stage) -> None:
    number = stage.feature()
    now = stage.run.clock.now().replace(microsecond=0)
    first = stage.write(number, "/canary freeze for 2h -- fixes #1 @mona", by="ada")
    stage.settle()
    stage.reply_to(first)
    unfreeze(stage, number)
    git = stage.run.world.repository(stage.repo).git
    assert [entry.path for entry in git.tree(git.commit(git.resolve(BRANCH) or "").tree)] == [FILE]
    said = [freezes(message) for message in stage.log(BRANCH)]
    until = (now + timedelta(hours=2)).isoformat()
    assert said[-1] == (FreezeChange(True, "all", "ada", first.id, until),)
    assert [one.on for (one,) in said] == [False, True]
    assert not [message for message in stage.log(BRANCH) if "fixes" in message or "@" in message]


def test_worked_off_twice_it_is_one_freeze(stage: Stage) -> None:
    number = stage.feature()
    stage.run.world.hooks.pause()
    comment = stage.write(number, "/canary freeze", by="ada")
    flush(stage, copies=3)
    assert stage.reply_to(comment).code == "applied"
    assert len(stage.log(BRANCH)) == 1


def test_with_promote_in_one_comment_only_the_freeze_is_done(stage: Stage) -> None:
    begin(stage)
    step = stage.step()
    wait(stage)
    reply = stage.say(step.number, "/promote\n/canary freeze", by="ada")
    assert reply.code == "applied"
    assert "stopping wins" in reply.text
    assert stage.pull(step.number).state == "open"


def test_promotions_after_a_long_freeze_go_step_by_step(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 10 20 30 100")
    stage.merge(number)
    freeze(stage, number, "for 48h")
    stage.say(stage.step().number, "/promote")
    stage.later(hours=49)
    assert stage.split()["customer-v4"] == 20  # one step for one wish; the next one bakes anew
    assert stage.check(stage.step().number, GATE)[0] is None


def test_the_file_says_what_was_put() -> None:
    one = Typed(
        "all", "ada", "comment/7", 1, "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "\u202e|"
    )
    kept = State((one,), ("comment/7",))
    assert State.read(kept.content()) == kept
    assert kept.content().isascii()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"version": 2}', b'{"version":1,"freezes":[{}],"seen":[]}', b"\xff", b"[" * 9999],
)
def test_another_file_is_none_of_ours(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any words will do
        State.read(content)
