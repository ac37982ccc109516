"""The end of a rollout: branches, tags, what stays, and the summary."""

from __future__ import annotations

import pytest

from tests.scenarios.moves import begin
from tests.scenarios.stage import CUSTOMER, VERSION_4, Stage


def branches(stage: Stage) -> list[str]:
    return sorted(b for b in stage.run.world.branches(stage.repo) if b.startswith("canary/"))


def configure(stage: Stage, text: str) -> None:
    content = f"version: 1\n{text}".encode()
    stage.run.world.commit(stage.repo, "main", {".github/canary.yaml": content}, "Rules", by="ada")


def to_the_end(stage: Stage) -> None:
    while not stage.no_step():
        stage.later(minutes=31)
        stage.merge(stage.step().number, by="kim")


@pytest.fixture
def rolling(stage: Stage) -> Stage:
    begin(stage)
    return stage


class TestBranches:
    """Branches ``canary/...`` of merged and closed step pull requests are deleted when the rollout ends."""

    def test_after_the_last_step(self, rolling: Stage) -> None:
        rolling.later(minutes=31)
        rolling.merge(2)
        assert len(branches(rolling)) == 2
        to_the_end(rolling)
        rolling.notice(1, "done-")
        assert branches(rolling) == []

    def test_after_a_rollback(self, rolling: Stage) -> None:
        rolling.say(1, "/rollback")
        rolling.notice(2, "closed-rollback")
        assert len(branches(rolling)) == 2
        rolling.merge(3)
        rolling.notice(1, "rolled-back-")
        assert branches(rolling) == []

    def test_after_a_cancellation_and_there_is_still_a_way_back(self, rolling: Stage) -> None:
        rolling.say(1, "/canary cancel")
        rolling.notice(2, "closed-cancelled")
        assert branches(rolling) == []
        assert rolling.say(1, "/canary cancel").code == "already"
        assert rolling.say(1, "/rollback").code == "proposed"

    def test_of_a_rollout_that_was_superseded(self, rolling: Stage) -> None:
        old = rolling.step().head_ref
        newer = rolling.read().replace(b"customer-v4   #", b"customer-v5   #").replace(b":4.0.0", b":5.0.0")
        number = rolling.feature(newer, name="v5")
        rolling.say(number, "/canary 25")
        rolling.merge(number)
        rolling.notice(2, "closed-superseded")
        assert old not in branches(rolling)
        assert branches(rolling) == [rolling.step().head_ref]

    def test_not_with_a_persons_commits(self, rolling: Stage) -> None:
        step = rolling.step()
        rolling.push(step.head_ref, b"more\n", path="README.md")
        to_the_end(rolling)
        rolling.notice(1, "done-")
        assert branches(rolling) == [step.head_ref]

    def test_not_with_commits_that_came_after_the_merge(self, rolling: Stage) -> None:
        step = rolling.step()
        rolling.later(minutes=31)
        rolling.merge(2)
        rolling.push(step.head_ref, b"more\n", path="README.md")
        to_the_end(rolling)
        rolling.notice(1, "done-")
        assert branches(rolling) == [step.head_ref]

    def test_not_while_somebodys_pull_request_needs_it(self, rolling: Stage) -> None:
        step = rolling.step()
        rolling.run.world.create_branch(rolling.repo, "more", at=step.head_sha)
        rolling.run.world.commit(rolling.repo, "more", {"README.md": b"more\n"}, "More", by="kim")
        rolling.run.world.open_pull(rolling.repo, "more", step.head_ref, "More", by="kim")
        to_the_end(rolling)
        rolling.notice(1, "done-")
        assert branches(rolling) == [step.head_ref]

    def test_those_that_github_deleted_itself(self, rolling: Stage) -> None:
        rolling.run.world.configure(rolling.repo, delete_branch_on_merge=True)
        to_the_end(rolling)
        rolling.notice(1, "done-")
        assert branches(rolling) == []


class TestTags:
    """At 100 % the candidate is the one target with weight, the old target is dropped."""

    def test_the_old_target_is_gone(self, rolling: Stage) -> None:
        to_the_end(rolling)
        rolling.notice(1, "done-")
        assert rolling.read() == VERSION_4.replace(b"revisionName: customer-v3", b"revisionName: customer-v4")

    def test_unless_its_tag_is_somebodys(self, stage: Stage) -> None:
        own = b"  - tag: mine\n    revisionName: customer-v3\n    percent: 0\n"
        stage.push("main", CUSTOMER + own, by="ada")
        number = stage.feature(VERSION_4 + own)
        stage.say(number, "/canary 25")
        stage.merge(number)
        to_the_end(stage)
        stage.notice(number, "done-")
        assert stage.read().endswith(own)
        assert stage.split() == {"customer-v4": 100}


class TestPrevious:
    """``keep-previous``: the old stable revision stays at 0 %, so that no garbage collection takes the way back."""

    @pytest.fixture
    def kept(self, stage: Stage) -> Stage:
        configure(stage, "keep-previous: true\n")
        begin(stage)
        to_the_end(stage)
        stage.notice(1, "done-")
        return stage

    def test_it_stays_tagged(self, kept: Stage) -> None:
        assert kept.split() == {"customer-v4": 100}
        assert b"  - revisionName: customer-v3\n    percent: 0\n    tag: previous\n" in kept.read() or (
            b"tag: previous\n    revisionName: customer-v3\n    percent: 0\n" in kept.read()
        )

    def test_the_way_back_takes_it_out_again(self, kept: Stage) -> None:
        kept.say(1, "/rollback")
        kept.merge(kept.step().number)
        kept.notice(1, "rolled-back-")
        assert kept.read() == VERSION_4

    def test_the_next_rollout_takes_its_place(self, kept: Stage) -> None:
        newer = kept.read().replace(b"customer-v4   #", b"customer-v5   #").replace(b":4.0.0", b":5.0.0")
        number = kept.feature(newer, name="v5")
        kept.say(number, "/canary 25")
        kept.merge(number)
        assert kept.split() == {"customer-v4": 75, "customer-v5": 25}
        to_the_end(kept)
        kept.notice(number, "done-")
        assert kept.split() == {"customer-v5": 100}
        assert kept.read().count(b"tag: previous") == 1
        assert b"customer-v3" not in kept.read()
        assert b"revisionName: customer-v4" in kept.read()


class TestSummary:
    """A table of all steps on the feature pull request: when, who merged, percent, pull request."""

    def test_of_all_steps(self, rolling: Stage) -> None:
        rolling.later(minutes=31)
        rolling.say(2, "/promote", by="ada")
        to_the_end(rolling)
        rows = [line for line in rolling.notice(1, "done-").text.splitlines() if line.startswith("| ")]
        assert [row.split(" | ")[0::3] for row in rows[1:]] == [
            ["| 25 %", "#1 |"],
            ["| 50 %", "#2 |"],
            ["| 100 %", "#3 |"],
        ]
        assert "`mona`" in rows[1]
        assert "promoted by `ada`" in rows[2]
        assert "`kim`" in rows[3]
        assert "UTC" in rows[3]

    def test_of_a_rollback(self, rolling: Stage) -> None:
        rolling.say(1, "/rollback")
        rolling.notice(2, "closed-rollback")
        rolling.merge(3, by="kim")
        text = rolling.notice(1, "rolled-back-").text
        assert "| 25 % |" in text
        assert "| 0 % |" in text
        assert "#2" not in text

    def test_a_step_by_hand(self, rolling: Stage) -> None:
        content = (
            rolling.read().replace(b"percent: 75", b"percent: 70").replace(b"percent: 25", b"percent: 30")
        )
        rolling.push("main", content, by="ada")
        rolling.say(2, "/canary adopt", by="kim")
        to_the_end(rolling)
        text = rolling.notice(1, "done-").text
        assert "| 30 % |" in text
        assert "| by hand |" in text
        assert text.index("| 25 % |") < text.index("| 30 % |") < text.index("| 50 % |")
