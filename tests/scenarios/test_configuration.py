"""Rules as data: of which commit they are, whose they are, and that a running rollout keeps those it began with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.core import trailers
from tests.scenarios.moves import begin, run_of, sweep
from tests.scenarios.stage import VERSION_4

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

CONFIG = ".github/canary.yaml"
CAREFUL = "deploy/rules/careful.yaml"
RULES = """\
id: careful
summary: Two steps for the customers.
why: One look at a quarter of them tells enough.
steps:
  - {weight: 25, bake: %s}
  - {weight: 60, bake: 1h}
  - {weight: 100}
"""


def configure(stage: Stage, text: str | None, **files: str | None) -> str:
    """Write the configuration and other files on the default branch; give the commit."""
    paths = {CONFIG: text} | {CAREFUL if key == "careful" else key: value for key, value in files.items()}
    content = {path: None if said is None else said.encode() for path, said in paths.items()}
    sha = stage.run.world.commit(stage.repo, "main", content, "Configure", by="ada")
    stage.settle()
    return sha


def why(stage: Stage) -> str:
    return stage.say(stage.step().number, "/canary why").text


def record(stage: Stage) -> trailers.Record:
    """Give the newest record on the default branch."""
    return next(found[0] for message in stage.log() if (found := trailers.records(message)))


def forget(stage: Stage) -> None:
    """Take from the bot what it has read, as if it were started again."""
    memory = stage.run.bot.parts.forge._memory  # type: ignore[attr-defined]
    for kept in (memory.files, memory.absent, memory.read_from, memory.trees, memory.blobs):
        kept._values.clear()
        kept._weight = 0


class TestPinned:
    """A rollout keeps the rules that it began with: those of a commit that its records name."""

    def test_the_commit_stands_in_the_trailers_of_every_step(self, stage: Stage) -> None:
        sha = configure(stage, "version: 1\nrules: fast\n")
        begin(stage)
        assert record(stage).config == sha
        stage.later(minutes=6)
        assert stage.split() == {"customer-v3": 50, "customer-v4": 50}
        assert (record(stage).config, record(stage).weight) == (sha, 50)
        stage.later(minutes=6)
        stage.notice(1, "done")

    def test_without_a_file_there_is_no_trailer(self, stage: Stage) -> None:
        begin(stage)
        assert record(stage).config == ""
        assert not any("Canary-Config" in message for message in stage.log())

    def test_another_rule_set_is_for_the_next_rollout(self, stage: Stage) -> None:
        sha = configure(stage, "version: 1\nrules: standard\n")
        begin(stage)
        configure(stage, "version: 1\nrules: fast\n")
        stage.later(minutes=6)
        assert stage.split()["customer-v4"] == 25
        said = why(stage)
        assert "| bake time | ⏳ wait | 6 min since" in said
        assert "| 30 min | `rules/standard.yaml:" in said
        assert record(stage).config == sha

    def test_a_file_that_came_later_is_for_the_next_rollout(self, stage: Stage) -> None:
        begin(stage)
        configure(stage, "version: 1\nrules: fast\nauto: true\n")
        stage.later(minutes=31)
        assert stage.split()["customer-v4"] == 25
        assert stage.say(stage.step().number, "/promote").code == "applied"

    def test_auto_that_came_later_merges_nothing_of_a_running_rollout(self, stage: Stage) -> None:
        configure(stage, "version: 1\n")
        begin(stage)
        configure(stage, "version: 1\nauto: true\n")
        stage.later(minutes=31)
        sweep(stage)
        assert stage.split()["customer-v4"] == 25
        assert "| promotion | ⏳ wait | nobody asked |" in why(stage)

    def test_auto_that_is_gone_still_merges(self, stage: Stage) -> None:
        sha = configure(stage, "version: 1\nauto: true\n")
        begin(stage)
        assert (
            f"| promotion | ✅ pass | by the rules | a merge, `/promote` or `auto` | `{CONFIG}@{sha[:7]}:2`"
            in why(stage)
        )
        configure(stage, "version: 1\n")
        stage.later(minutes=31)
        assert stage.split()["customer-v4"] == 50

    def test_a_configuration_that_is_broken_later_stops_and_comes_back(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: fast\n")
        begin(stage)
        configure(stage, "version: 1\nrules: faster\n")
        stage.later(minutes=6)
        assert stage.split()["customer-v4"] == 25
        assert (
            f"There is no rule set `faster`. Nothing is promoted before that is mended. | none | `{CONFIG}:2:1`"
            in (why(stage))
        )
        configure(stage, "version: 1\nrules: standard\n")
        sweep(stage)
        assert stage.split()["customer-v4"] == 50

    def test_a_later_share_on_the_open_pull_request_follows_the_rules_of_then(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: standard\n")
        number = stage.feature()
        assert "Next: 50 %, after 30 min" in stage.say(number, "/canary 25").text
        sha = configure(stage, "version: 1\nrules: fast\n")
        assert "Next: 25 %, after 5 min" in stage.say(number, "/canary 10").text
        stage.merge(number)
        assert record(stage).config == sha

    def test_canary_plan_names_the_rules_of_then(self, stage: Stage) -> None:
        configure(stage, "version: 1\nrules: standard\n")
        begin(stage)
        for later in ("fast", "faster"):
            configure(stage, f"version: 1\nrules: {later}\n")
            sweep(stage)
            summary = str(run_of(stage, stage.step().number, "canary / plan").output["summary"])
            assert "Rules: `standard`" in summary


class TestGone:
    """A commit that cannot be read any more: nothing is promoted, the words say what to do, rollback passes."""

    @pytest.fixture
    def step(self, stage: Stage) -> int:
        configure(stage, "version: 1\nrules: fast\n")
        begin(stage)
        number = stage.step().number
        forget(stage)
        path = f"/repos/{stage.repo}/contents/{re.escape(CONFIG)}"
        stage.run.server.faults.add("GET", path, "404", times=10_000)
        return number

    @pytest.fixture(autouse=True)
    def _mend(self, stage: Stage) -> object:
        yield
        stage.run.server.faults.clear()

    def test_nothing_is_promoted(self, stage: Stage, step: int) -> None:
        stage.later(minutes=6)
        assert stage.split()["customer-v4"] == 25
        assert stage.check(step, "canary / gate") == ("failure", "The configuration cannot be read")
        reply = stage.say(step, "/promote")
        assert reply.code == "config-unreadable"
        assert f"This rollout follows `{CONFIG}` of the commit `" in reply.text
        assert "`/rollback` turns back; `/canary cancel`" in reply.text

    def test_rollback_passes(self, stage: Stage, step: int) -> None:
        assert stage.say(step, "/rollback").code == "proposed"
        stage.notice(step, "closed-rollback")
        stage.merge(stage.step().number)
        assert stage.split() == {"customer-v3": 100}
        stage.notice(1, "rolled-back")

    def test_hold_passes(self, stage: Stage, step: int) -> None:
        assert stage.say(step, "/hold -- history was rewritten").code == "applied"
        stage.run.server.faults.clear()
        stage.later(minutes=6)
        assert stage.split()["customer-v4"] == 25
        assert stage.check(step, "canary / gate")[0] is None

    def test_cancel_passes(self, stage: Stage, step: int) -> None:
        assert stage.say(step, "/canary cancel").code == "applied"
        stage.notice(step, "closed-cancelled")


class TestByPath:
    """Rule sets of the repository, by their path."""

    def test_it_is_followed(self, stage: Stage) -> None:
        sha = configure(stage, f"version: 1\nrules: {CAREFUL}\n", careful=RULES % "10m")
        begin(stage)
        assert (record(stage).rules, record(stage).steps) == (CAREFUL, (25, 60, 100))
        assert f"| 10 min | `{CAREFUL}@{sha[:7]}:5` |" in why(stage)
        stage.later(minutes=11)
        assert stage.say(stage.step().number, "/promote").code == "applied"
        assert stage.split()["customer-v4"] == 60

    def test_a_change_of_its_file_is_for_the_next_rollout(self, stage: Stage) -> None:
        text = f"version: 1\nservices: {{customer: {{rules: {CAREFUL}}}}}\n"
        configure(stage, text, careful=RULES % "10m")
        begin(stage)
        configure(stage, text, careful=RULES % "3h")
        stage.later(minutes=11)
        assert stage.say(stage.step().number, "/promote").code == "applied"

    def test_one_that_is_gone_later_is_for_the_next_rollout(self, stage: Stage) -> None:
        text = f"version: 1\nrules: {CAREFUL}\n"
        configure(stage, text, careful=RULES % "10m")
        number = begin(stage)
        configure(stage, "version: 1\n", careful=None)
        stage.later(minutes=11)
        assert stage.say(number, "/promote").code == "applied"

    @pytest.mark.parametrize(
        ("careful", "said"),
        [
            pytest.param(None, f"There is no file `{CAREFUL}`. (`{CONFIG}:2:1`)", id="not there"),
            pytest.param(
                "id: careful\n", f"`steps` is missing: a rule set needs it. (`{CAREFUL}:1:1`)", id="broken"
            ),
        ],
    )
    def test_one_that_cannot_be_followed_begins_nothing(
        self, stage: Stage, careful: str | None, said: str
    ) -> None:
        configure(stage, f"version: 1\nrules: {CAREFUL}\n", careful=careful)
        reply = stage.say(stage.feature(), "/canary 25")
        assert reply.decision == "declined"
        assert said in reply.text

    def test_one_of_the_pull_request_has_no_effect(self, stage: Stage) -> None:
        configure(stage, f"version: 1\nrules: {CAREFUL}\n", careful=RULES % "10m")
        stage.branch("v4", {"apps/customer.yaml": VERSION_4, CAREFUL: (RULES % "1m").encode()})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "Four", by="mona").number
        stage.settle()
        assert "after 10 min of bake time" in stage.say(number, "/canary 25").text
