"""A rollout knows its rule, its pair and its file, whatever is edited around them; nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.moves import sweep
from tests.scenarios.test_finding import MESH, TWO_RULES, add
from tests.scenarios.test_targets import ISTIO, LEGACY, RELEASE, ROUTE

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

UNNAMED = ISTIO.replace(b"  - name: primary\n    timeout: 3s\n", b"  - timeout: 3s\n")
UNNAMED_TWO = TWO_RULES.replace(b"  - name: primary\n    timeout: 3s\n", b"  - timeout: 3s\n")
REDIRECT = b"  http:\n  - match: [{uri: {prefix: /old}}]\n    redirect: {uri: /new}\n"
THIRD = b"\n    - destination: {host: storefront, subset: v3}\n      weight: 0\n"
DUMPY = "apps/dumpy.yaml"


def rolling(stage: Stage, content: bytes = ISTIO, command: str = "/canary 25", path: str = MESH) -> int:
    """Bring a target to 25 %."""
    add(stage, {path: content})
    number = stage.feature(content.replace(b"3s", b"5s"), name="first", path=path)
    assert stage.say(number, command).code == "applied"
    stage.merge(number)
    return number


def opened(stage: Stage, content: bytes, path: str = MESH) -> int:
    return stage.feature(content, name="second", path=path)


def by_hand(stage: Stage, *pairs: tuple[bytes, bytes], path: str = MESH) -> None:
    """Edit the file on the base branch."""
    content = stage.read(path=path)
    for old, new in pairs:
        assert old in content
        content = content.replace(old, new)
    stage.push("main", content, path=path)
    sweep(stage)


class TestTheSameRule:
    @pytest.mark.parametrize(
        "command", ["/canary 25", "/canary 25 route=http[1]"], ids=["the only one", "by its place"]
    )
    def test_a_rule_in_front_moves_it_and_nothing_else(self, stage: Stage, command: str) -> None:
        number = rolling(stage, UNNAMED if command == "/canary 25" else UNNAMED_TWO, command)
        by_hand(stage, (b"  http:\n", REDIRECT))
        step = stage.step()
        assert b"weight: 50   # stable" in stage.read(step.head_ref, path=MESH)
        last = stage.say(number, "/rollback")
        assert last.code == "proposed"
        stage.notice(step.number, "closed-rollback")
        stage.merge(stage.step().number)
        assert b"weight: 100   # stable" in stage.read(path=MESH)
        stage.notice(number, "rolled-back")

    @pytest.mark.parametrize("new", [b"name: main", b"name: primary_route"])
    def test_another_name(self, stage: Stage, new: bytes) -> None:
        rolling(stage)
        by_hand(stage, (b"name: primary", new))
        stage.later(minutes=31)
        assert stage.say(stage.step().number, "/promote").code == "applied"
        assert b"weight: 50   # stable" in stage.read(path=MESH)

    def test_other_conditions(self, stage: Stage) -> None:
        rolling(stage, UNNAMED)
        by_hand(stage, (b"  - timeout: 5s\n", b"  - match: [{uri: {prefix: /}}]\n    timeout: 5s\n"))
        stage.later(minutes=31)
        assert stage.say(stage.step().number, "/promote").code == "applied"

    @pytest.mark.parametrize(
        ("edit", "code", "said"),
        [
            pytest.param((b"subset: v1", b"subset: v0"), "which-destination", "`storefront/v1`", id="stable gone"),
            pytest.param((b": 75 ", b": &w 75 "), "alias-in-block", "mesh/storefront.yaml:", id="unreadable"),
        ],
    )  # fmt: skip
    def test_no_way_on_or_back_is_said(
        self, stage: Stage, edit: tuple[bytes, bytes], code: str, said: str
    ) -> None:
        number = rolling(stage)
        by_hand(stage, edit)
        for command in ("/promote", "/rollback"):
            reply = stage.say(number, command)
            assert (reply.code, said in reply.text) == (code, True), reply.text
        assert "`/rollback` still turns back" not in stage.say(number, "/canary cancel").text
        stage.notice(2, "closed-cancelled")

    def test_another_rule_waits_for_the_end_of_the_first(self, stage: Stage) -> None:
        rolling(stage, TWO_RULES, "/canary 25 route=primary")
        second = opened(stage, stage.read(path=MESH).replace(b"use-v2", b"use-v3"))
        before = stage.read("second", path=MESH)
        reply = stage.say(second, "/canary 10 route=http[0]")
        assert reply.code == "rollout-running"
        assert "`primary`" in reply.text
        assert stage.read("second", path=MESH) == before

    def test_one_rule_in_one_pull_request(self, stage: Stage) -> None:
        add(stage, {MESH: TWO_RULES})
        number = stage.feature(TWO_RULES.replace(b"3s", b"5s"), name="first", path=MESH)
        assert stage.say(number, "/canary 25 route=primary").code == "applied"
        assert stage.say(number, "/canary 10 route=http[0]").code == "rollout-running"
        assert stage.say(number, "/canary cancel").code == "applied"
        assert stage.say(number, "/canary 10 route=http[0]").code == "applied"

    def test_an_unreadable_rule_is_not_passed_over(self, stage: Stage) -> None:
        content = TWO_RULES.replace(b"      weight: 100   # stable", b"      weight: &w 100   # stable")
        add(stage, {MESH: content})
        number = stage.feature(content.replace(b"3s", b"5s"), name="first", path=MESH)
        assert stage.say(number, "/canary 25").code == "alias-in-block"
        assert stage.say(number, "/canary 25 route=http[0]").code == "applied"


class TestTheSamePair:
    def test_most_weight_proves_nothing_after_drift(self, stage: Stage) -> None:
        rolling(stage)
        by_hand(stage, (b"weight: 75", b"weight: 20"), (b"weight: 25", b"weight: 80"))
        second = opened(stage, stage.read(path=MESH).replace(b"5s", b"7s"))
        assert "`storefront/v2` gets **10 %**" in stage.say(second, "/canary 10").text
        assert b"weight: 90   # stable" in stage.read("second", path=MESH)

    def test_a_newer_candidate_supersedes_the_unfinished_one(self, stage: Stage) -> None:
        rolling(stage, ISTIO.rstrip() + THIRD, "/canary 25 candidate=v2")
        second = opened(stage, stage.read(path=MESH).replace(b"5s", b"7s"))
        assert stage.say(second, "/canary 10").code == "which-destination"
        assert stage.say(second, "/canary 10 candidate=v3").code == "applied"
        content = stage.read("second", path=MESH)
        assert b"weight: 90   # stable" in content
        assert b"weight: 0     # canary" in content
        assert content.endswith(b"subset: v3}\n      weight: 10\n")
        assert stage.check(second, "canary / plan")[0] == "success"
        stage.merge(second)
        stage.notice(2, "closed-superseded")
        assert stage.read(stage.step().head_ref, path=MESH).endswith(b"weight: 25\n")

    def test_what_the_pull_request_brings_is_the_candidate(self, stage: Stage) -> None:
        rolling(stage)
        second = opened(stage, stage.read(path=MESH).rstrip() + THIRD)
        assert "`storefront/v3` gets **10 %**" in stage.say(second, "/canary 10").text

    def test_a_revision_that_it_brings(self, stage: Stage) -> None:
        rolling(stage, ROUTE, path=DUMPY)
        new = stage.read(path=DUMPY) + b"  - revisionName: dumpy-00003\n    tag: next\n    percent: 0\n"
        assert "`dumpy-00003` gets **10 %**" in stage.say(opened(stage, new, DUMPY), "/canary 10").text

    @pytest.mark.parametrize(
        "names", ["stable=dumpy-00001 candidate=dumpy-00002", "stable=a candidate=@latest"]
    )
    def test_names_hold_until_others_are_typed(self, stage: Stage, names: str) -> None:
        add(stage, {DUMPY: LEGACY})
        number = stage.feature(LEGACY.replace(b"3s", b"5s"), name="first", path=DUMPY)
        assert stage.say(number, f"/canary 25 {names}").code == "applied"
        assert stage.say(number, "/canary 10").code == "applied"
        assert b"rolloutPercent: 10" in stage.read("first", path=DUMPY)


class TestLatest:
    """``@latest`` is the newest code at once: it is a candidate for who says so, and never stable."""

    @pytest.mark.parametrize(
        ("revisions", "command", "code"),
        [
            pytest.param(b'["@latest"]', "/canary 25 candidate=dumpy-00002", "unknown-stable", id="stable in the file"),
            pytest.param(b'["dumpy-00001"]', "/canary 25 stable=@latest", "unknown-stable", id="stable as typed"),
            pytest.param(b'["dumpy-00001", "@latest"]', "/canary 25", "unknown-candidate", id="candidate in the file"),
        ],
    )  # fmt: skip
    def test_asked_about(self, stage: Stage, revisions: bytes, command: str, code: str) -> None:
        content = RELEASE.replace(b'["dumpy-00001", "dumpy-00002"]', revisions)
        add(stage, {DUMPY: content})
        number = stage.feature(content.replace(b"3s", b"5s"), name="first", path=DUMPY)
        assert stage.say(number, command).code == code
        assert stage.read("first", path=DUMPY) == content.replace(b"3s", b"5s")

    def test_candidate_as_typed(self, stage: Stage) -> None:
        add(stage, {DUMPY: LEGACY})
        number = stage.feature(LEGACY.replace(b"3s", b"5s"), name="first", path=DUMPY)
        reply = stage.say(number, "/canary 25 stable=dumpy-00001 candidate=@latest")
        assert "every change of the template is the candidate at once" in reply.text
        assert b'revisions: ["dumpy-00001", "@latest"]' in stage.read("first", path=DUMPY)


def test_a_file_that_is_moved_takes_its_rollout_along(stage: Stage) -> None:
    number = rolling(stage)
    stage.run.world.commit(
        stage.repo, "main", {"new/routes.yaml": stage.read(path=MESH), MESH: None}, "Move it", by="mona"
    )
    stage.settle()
    sweep(stage)
    stage.later(minutes=31)
    assert stage.say(number, "/promote").code == "applied"
    assert b"weight: 50   # stable" in stage.read(path="new/routes.yaml")
    step = stage.step()
    assert stage.say(number, "/rollback").code == "proposed"
    stage.notice(step.number, "closed-rollback")
    stage.merge(stage.step().number)
    assert b"weight: 100   # stable" in stage.read(path="new/routes.yaml")
    stage.notice(number, "rolled-back")
