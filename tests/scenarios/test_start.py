"""A rollout begins: on an open, a merged and a forked pull request."""

from __future__ import annotations

import pytest

from bot.core import naming, trailers
from bot.manifests.knative import find_services
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4, Stage

NEW_IMAGE_ONLY = CUSTOMER.replace(b"customer:3.4.1", b"customer:4.0.0")
UNNAMED = NEW_IMAGE_ONLY.replace(
    b"    metadata:\n      name: customer-v3   # bump with every change of the template\n", b""
)
CART = CUSTOMER.replace(b"customer", b"cart")


def generated(content: bytes) -> str:
    manifest = find_services(content, PATH).manifests[0]
    return naming.revision_name(manifest.name, manifest.template)


def test_open_pull_request_gets_one_commit(stage: Stage) -> None:
    number = stage.feature()
    reply = stage.say(number, "/canary 25")

    assert (reply.decision, reply.code) == ("done", "applied")
    assert "customer-v4" in reply.text
    assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    assert stage.split("main") == {"customer-v3": 100}
    before = VERSION_4.decode().splitlines()
    after = stage.read("v4").decode().splitlines()
    assert [line for line in after if line not in before] == [
        "    percent: 75",
        "  - tag: candidate",
        "    revisionName: customer-v4",
        "    percent: 25",
    ]
    assert stage.check(number, "canary / plan") == ("success", "Canary: customer at 25 %")
    assert stage.no_step()


def test_the_commit_is_the_apps_own_and_carries_its_trailers(stage: Stage) -> None:
    number = stage.feature()
    comment = stage.write(number, "/canary 25")
    stage.settle()
    stage.reply_to(comment)

    commit = stage.run.world.log(stage.repo, "v4")[0]
    (record,) = trailers.records(commit.message)
    assert (record.service, record.weight, record.steps) == (f"{PATH}#shop/customer", 25, (25, 50, 100))
    assert (record.stable, record.candidate) == ("customer-v3", "customer-v4")
    assert (record.requested_by, record.comment, record.pull) == ("mona", comment.id, number)
    assert commit.author_name == "canary-bot[bot]"
    assert stage.reactions(comment) == ["eyes", "rocket"]


def test_same_command_twice_changes_nothing(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 25")
    commits = len(stage.log("v4"))
    again = stage.write(number, "/canary 25")
    stage.settle()
    assert stage.reply_to(again).code == "already"
    assert len(stage.log("v4")) == commits
    assert stage.reactions(again) == ["eyes", "+1"]


def test_another_share_before_the_merge_keeps_the_rollout(stage: Stage) -> None:
    number = stage.feature()
    first = stage.say(number, "/canary 25")
    second = stage.say(number, "/canary 10")
    assert first.answer.rollout == second.answer.rollout
    assert stage.split("v4") == {"customer-v3": 90, "customer-v4": 10}


def test_steps_of_the_command_replace_those_of_the_rules(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 10 40 100")
    stage.merge(number)
    assert stage.step().title == "customer: 10 % → 40 %"


def test_tag_only_at_0_percent(stage: Stage) -> None:
    number = stage.feature()
    stage.say(number, "/canary 0")
    assert stage.split("v4") == {"customer-v3": 100}
    assert b"tag: candidate" in stage.read("v4")
    stage.merge(number)
    assert stage.step().title == "customer: 0 % → 5 %"


def test_an_old_revision_name_is_replaced_in_the_same_commit(stage: Stage) -> None:
    number = stage.feature(NEW_IMAGE_ONLY)
    assert stage.check(number, "canary / plan")[0] == "failure"  # the API server would refuse it
    stage.say(number, "/canary 25")
    name = generated(NEW_IMAGE_ONLY)
    assert stage.split("v4") == {"customer-v3": 75, name: 25}
    assert f"      name: {name}   # bump with every change of the template\n".encode() in stage.read("v4")
    assert stage.check(number, "canary / plan")[0] == "success"


def test_a_missing_revision_name_is_written(stage: Stage) -> None:
    number = stage.feature(UNNAMED)
    stage.say(number, "/canary 25")
    assert stage.split("v4") == {"customer-v3": 75, generated(UNNAMED): 25}


def test_a_push_after_the_command_turns_the_check_red_and_says_how(stage: Stage) -> None:
    number = stage.feature(NEW_IMAGE_ONLY)
    stage.say(number, "/canary 25")
    newer = stage.read("v4").replace(b"customer:4.0.0", b"customer:4.0.1")
    stage.push("v4", newer)
    conclusion, _ = stage.check(number, "canary / plan")
    assert conclusion == "failure"
    stage.say(number, "/canary 25")
    assert stage.check(number, "canary / plan")[0] == "success"
    assert stage.split("v4") == {"customer-v3": 75, generated(newer): 25}


def test_no_new_revision(stage: Stage) -> None:
    number = stage.feature(CUSTOMER.replace(b"team-shop", b"team-store"))
    stage.say_unheard(number, "looks good")
    reply = stage.say(number, "/canary 25")
    assert reply.code == "no-service"


def test_a_template_that_is_what_it_was(stage: Stage) -> None:
    moved = CUSTOMER.replace(b"percent: 100", b"percent: 60").replace(b"percent: 0", b"percent: 40")
    number = stage.feature(moved)
    assert stage.say(number, "/canary 25").code == "no-new-revision"


NAME_LINES = b"    metadata:\n      name: customer-v3   # bump with every change of the template\n"
FLOATING = (
    CUSTOMER.partition(b"  - tag: current")[0] + b"  - latestRevision: true\n    percent: 100\n"
).replace(NAME_LINES, b"")


@pytest.fixture
def floating(stage: Stage) -> Stage:
    stage.run.world.commit(stage.repo, "main", {PATH: FLOATING}, "Float", by="ada")
    return stage


def test_unknown_stable_name_is_asked_for(floating: Stage) -> None:
    number = floating.feature(FLOATING.replace(b"customer:3.4.1", b"customer:4.0.0"))
    reply = floating.say(number, "/canary 25")
    assert reply.code == "unknown-stable"
    assert "stable=REVISION" in reply.text


def test_named_stable_replaces_the_floating_target(floating: Stage) -> None:
    content = FLOATING.replace(b"customer:3.4.1", b"customer:4.0.0")
    number = floating.feature(content)
    floating.say(number, "/canary 25 stable=customer-00007")
    assert floating.split("v4") == {"customer-00007": 75, generated(content): 25}


def test_a_file_without_traffic_block(stage: Stage) -> None:
    bare = CUSTOMER.partition(b"  # Who gets")[0]
    stage.run.world.commit(stage.repo, "main", {PATH: bare}, "Bare", by="ada")
    number = stage.feature(VERSION_4.partition(b"  # Who gets")[0])
    stage.say(number, "/canary 25")
    assert stage.split("v4") == {"customer-v3": 75, "customer-v4": 25}


def test_merged_pull_request_opens_a_start_pull_request(stage: Stage) -> None:
    number = stage.feature()
    stage.merge(number)
    reply = stage.say(number, "/canary 25")
    start = stage.step()
    assert (reply.code, f"#{start.number}" in reply.text) == ("proposed", True)
    assert start.base_ref == "main"
    assert start.head_ref.startswith("canary/customer/")
    assert stage.split(start.head_ref) == {"customer-v3": 75, "customer-v4": 25}
    assert stage.split("main") == {"customer-v3": 100}
    stage.merge(start.number)
    assert stage.step().title == "customer: 25 % → 50 %"


def test_same_command_twice_opens_one_start_pull_request(stage: Stage) -> None:
    number = stage.feature()
    stage.merge(number)
    stage.say(number, "/canary 25")
    stage.say(number, "/canary 25")
    assert len(stage.open_branches()) == 1


def test_fork_gets_the_change_as_text(stage: Stage) -> None:
    world = stage.run.world
    fork = world.fork(stage.repo, by="kim")
    world.create_branch(fork.full_name, "v4")
    world.commit(fork.full_name, "v4", {PATH: VERSION_4}, "Four", by="kim")
    number = world.open_pull(stage.repo, "v4", "main", "Four", by="kim", fork=fork.full_name).number
    reply = stage.say(number, "/canary 25")
    assert reply.code == "fork"
    assert "+    percent: 75" in reply.text
    assert world.read(fork.full_name, "v4", PATH) == VERSION_4
    stage.merge(number)
    assert stage.say(number, "/canary 25").code == "proposed"
    assert stage.split(stage.step().head_ref) == {"customer-v3": 75, "customer-v4": 25}


def test_closed_pull_request(stage: Stage) -> None:
    number = stage.feature()
    stage.close(number)
    assert stage.say(number, "/canary 25").code == "pull-closed"


def test_draft_pull_request_takes_commands(stage: Stage) -> None:
    stage.branch("v4", {PATH: VERSION_4})
    number = stage.run.world.open_pull(stage.repo, "v4", "main", "Draft", by="mona", draft=True).number
    stage.settle()
    assert stage.say(number, "/canary 25").code == "applied"


def test_new_service_has_nothing_to_shift_from(stage: Stage) -> None:
    number = stage.feature(CART, path="apps/cart.yaml")
    assert stage.say(number, "/canary 25").code == "unknown-stable"


@pytest.fixture
def two(stage: Stage) -> int:
    """A pull request that changes two services in two files."""
    stage.run.world.commit(stage.repo, "main", {"apps/cart.yaml": CART}, "Cart", by="ada")
    new_cart = CART.replace(b"cart-v3   #", b"cart-v4   #").replace(b"cart:3.4.1", b"cart:4.0.0")
    stage.branch("both", {PATH: VERSION_4, "apps/cart.yaml": new_cart})
    number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
    stage.settle()
    return number


def test_several_services_need_a_name(stage: Stage, two: int) -> None:
    reply = stage.say(two, "/canary 25")
    assert reply.code == "which-service"
    assert "cart" in reply.text


def test_one_of_several_services(stage: Stage, two: int) -> None:
    stage.say(two, "/canary cart 25")
    assert stage.split("both") == {"customer-v3": 100}
    assert stage.split("both", path="apps/cart.yaml", name="cart") == {"cart-v3": 75, "cart-v4": 25}


def test_all_services(stage: Stage, two: int) -> None:
    stage.say(two, "/canary all 25")
    assert stage.split("both") == {"customer-v3": 75, "customer-v4": 25}
    assert stage.split("both", path="apps/cart.yaml", name="cart") == {"cart-v3": 75, "cart-v4": 25}
    stage.merge(two)
    assert sorted(b.split("/")[1] for b in stage.open_branches()) == ["cart", "customer"]


def test_two_services_in_one_file(stage: Stage) -> None:
    both = CUSTOMER + b"---\n" + CART
    stage.run.world.commit(stage.repo, "main", {PATH: both}, "Both in one", by="ada")
    new_cart = CART.replace(b"cart-v3   #", b"cart-v4   #").replace(b"cart:3.4.1", b"cart:4.0.0")
    number = stage.feature(CUSTOMER + b"---\n" + new_cart)
    stage.say(number, "/canary 25")
    assert stage.split("v4") == {"customer-v3": 100}
    assert stage.split("v4", name="cart") == {"cart-v3": 75, "cart-v4": 25}
    assert stage.read("v4").startswith(CUSTOMER)


def test_a_service_that_is_not_changed_here(stage: Stage, two: int) -> None:
    assert stage.say(two, "/canary payments 25").code == "unknown-service"


def test_plan_writes_nothing(stage: Stage) -> None:
    number = stage.feature()
    reply = stage.say(number, "/canary plan 25", by="rita")
    assert (reply.decision, reply.code) == ("answered", "shown")
    assert "+    percent: 75" in reply.text
    assert "| 3 | 100 %" in reply.text
    assert stage.read("v4") == VERSION_4


def test_a_manifest_that_cannot_be_edited_says_where(stage: Stage) -> None:
    odd = CUSTOMER.replace(b"percent: 100", b"percent: 0100")
    stage.run.world.commit(stage.repo, "main", {PATH: odd}, "Odd", by="ada")
    number = stage.feature(VERSION_4.replace(b"percent: 100", b"percent: 0100"))
    reply = stage.say(number, "/canary 25")
    assert reply.code == "not-a-plain-number"
    assert f"{PATH}:21" in reply.text
    assert stage.check(number, "canary / plan")[0] == "failure"


def test_a_wrong_sha_option(stage: Stage) -> None:
    number = stage.feature()
    reply = stage.say(number, "/canary 25 sha=deadbeef")
    assert reply.code == "wrong-head"
    head = stage.pull(number).head_sha
    assert stage.say(number, f"/canary 25 sha={head[:10]}").code == "applied"


def test_configuration_comes_from_the_default_branch_only(stage: Stage) -> None:
    stage.branch("v4", {PATH: VERSION_4, ".github/canary.yaml": b"version: 1\nrules: fast\n"})
    number = stage.run.world.open_pull(stage.repo, "v4", "main", "With config", by="mona").number
    stage.say(number, "/canary 25")
    assert "Canary-Rules: standard" in stage.log("v4")[0]


def test_a_broken_configuration_stops_the_start_with_all_its_problems(stage: Stage) -> None:
    broken = {".github/canary.yaml": b"version: 1\nruls: fast\noverlap: never\n"}
    stage.run.world.commit(stage.repo, "main", broken, "Break", by="ada")
    number = stage.feature()
    reply = stage.say(number, "/canary 25")
    assert reply.code == "config-invalid"
    assert ".github/canary.yaml:2" in reply.text
    assert ".github/canary.yaml:3" in reply.text
