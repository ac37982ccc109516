"""``naming``: how a candidate is called that has no name of its own, and that a changed template is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.stage import CUSTOMER, VERSION_4
from tests.scenarios.test_configuration import configure, record

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

PLAN = "canary / plan"
UNNAMED = VERSION_4.replace(b"customer-v4   #", b"customer-v3   #")


@pytest.mark.parametrize(
    ("way", "name"),
    [
        pytest.param("commit-sha", "customer-{sha}", id="commit-sha"),
        pytest.param("image-tag", "customer-4-0-0", id="image-tag"),
        pytest.param('"{service}-{tag}-{sha7}"', "customer-4-0-0-{sha}", id="a template"),
    ],
)
def test_the_name_is_made_so_and_stays(stage: Stage, way: str, name: str) -> None:
    configure(stage, f"version: 1\nnaming: {way}\n")
    number = stage.feature(UNNAMED)
    name = name.format(sha=stage.pull(number).head_sha[:7])
    assert stage.say(number, "/canary 25").code == "applied"
    assert f"name: {name}   #".encode() in stage.read("v4")
    assert stage.check(number, PLAN) == ("success", "Canary: customer at 25 %")
    assert stage.say(number, "/canary 10").code == "applied"
    assert f"name: {name}   #".encode() in stage.read("v4")
    stage.merge(number)
    assert stage.split() == {"customer-v3": 90, name: 10}
    assert record(stage).candidate == name


def test_a_template_that_changes_under_it_is_told_and_named_anew(stage: Stage) -> None:
    configure(stage, "version: 1\nnaming: commit-sha\n")
    number = stage.feature(UNNAMED)
    stage.say(number, "/canary 25")
    first = record_in(stage, "v4")
    sha = stage.push("v4", stage.read("v4").replace(b'value: "v3"', b'value: "v4"'))
    assert stage.check(number, PLAN) == ("failure", "1 problem")
    assert stage.say(number, "/canary 25").code == "applied"
    assert stage.check(number, PLAN)[0] == "success"
    assert record_in(stage, "v4") == f"customer-{sha[:7]}" != first


def test_a_push_that_leaves_the_template_alone_leaves_the_name(stage: Stage) -> None:
    configure(stage, "version: 1\nnaming: commit-sha\n")
    number = stage.feature(UNNAMED)
    stage.say(number, "/canary 25")
    first = record_in(stage, "v4")
    stage.push("v4", b"More\n", path="README.md")
    assert stage.check(number, PLAN)[0] == "success"
    assert stage.say(number, "/canary 10").code == "applied"
    assert record_in(stage, "v4") == first


def test_the_same_tag_for_another_template_is_refused_in_words(stage: Stage) -> None:
    configure(stage, "version: 1\nnaming: image-tag\n")
    number = stage.feature(UNNAMED)
    stage.say(number, "/canary 25")
    stage.push("v4", stage.read("v4").replace(b'value: "v3"', b'value: "v4"'))
    assert stage.check(number, PLAN)[0] == "failure"
    reply = stage.say(number, "/canary 25")
    assert reply.code == "name-unchanged"
    assert (
        "`naming: image-tag` names this template `customer-4-0-0`, which is the name of another one."
        in reply.text
    )


def test_after_the_merge(stage: Stage) -> None:
    configure(stage, "version: 1\nnaming: image-tag\n")
    number = stage.feature(
        CUSTOMER.replace(b"customer-v3   #", b"customer-v4   #").replace(b":3.4.1", b":4.0.0")
    )
    stage.merge(number)
    assert stage.say(number, "/canary 25").code == "proposed"
    assert stage.split(stage.step().head_ref) == {"customer-v3": 75, "customer-v4": 25}


def test_without_a_tag_it_is_refused_in_words(stage: Stage) -> None:
    configure(stage, "version: 1\nnaming: image-tag\n")
    number = stage.feature(UNNAMED.replace(b"customer:4.0.0", b"customer"))
    reply = stage.say(number, "/canary 25")
    assert reply.code == "naming-impossible"
    assert "the image `quay.io/shop/customer` has no tag" in reply.text


def record_in(stage: Stage, branch: str) -> str:
    """Give the candidate's name as the newest record of a branch has it."""
    return next(
        line.removeprefix("Canary-Candidate: ")
        for message in stage.log(branch)
        for line in message.splitlines()
        if line.startswith("Canary-Candidate: ")
    )
