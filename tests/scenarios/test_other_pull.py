"""A branch outlives its pull request: what counts is what reaches the base branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage


def test_a_rollout_goes_on_when_another_pull_request_merges_the_branch(stage: Stage) -> None:
    first = stage.feature()
    assert stage.say(first, "/canary 25").code == "applied"
    stage.close(first)
    second = stage.run.world.open_pull(stage.repo, "v4", "main", "Once more", by="kim").number
    stage.settle()
    stage.merge(second)
    assert stage.split() == {"customer-v3": 75, "customer-v4": 25}
    assert (stage.step().title, stage.step().base_ref) == ("customer: 25 % → 50 %", "main")


def test_a_pull_request_that_only_passes_by_starts_nothing(stage: Stage) -> None:
    first = stage.feature()
    assert stage.say(first, "/canary 25").code == "applied"
    stage.merge(first)
    step = stage.step().number
    stage.branch("note", {"apps/customer.yaml": b"# A remark.\n" + stage.read()}, by="kim")
    other = stage.run.world.open_pull(stage.repo, "note", "main", "A remark", by="kim").number
    stage.settle()
    stage.merge(other)
    assert stage.step().number == step
    assert stage.read().startswith(b"# A remark.\n")
