"""Who may do what: one decision for every door, by the configuration of the default branch (T11, T12, T13)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.core.markers import Proposal, Wish
from tests.scenarios.moves import begin, press, push_button, reply_to_press, sweep, untouched
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, VERSION_4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.stage import Reply, Stage

CONFIG = ".github/canary.yaml"
TEAM = "acme/sre"


def configure(stage: Stage, text: str, *, branch: str = "main", **files: bytes) -> None:
    """Write a configuration, and other files of ``.github``, on the default branch."""
    more = {f".github/{name}": content for name, content in files.items()}
    content = {CONFIG: f"version: 1\n{text}".encode(), **more}
    stage.run.world.commit(stage.repo, branch, content, "Configure", by="ada")
    stage.settle()


def codes(reply: Reply) -> tuple[str, str]:
    return reply.decision, reply.code


@pytest.fixture
def teams(stage: Stage) -> Iterator[None]:
    """The App may read who is in a team; kim is in one."""
    stage.run.app.permissions["members"] = "read"
    stage.run.world.add_team(TEAM).members.clear()
    stage.run.world.add_team(TEAM, "kim")
    yield
    stage.settle()
    del stage.run.app.permissions["members"]
    stage.run.world.revoke_tokens()


class TestWho:
    """One need of several is enough; what is said for a service replaces what is said for all."""

    WHO = """\
permissions:
  status: [maintain]
  why: ['@Rita', admin]
  plan: [acme/sre]
services:
  customer:
    permissions: {why: [triage]}
  other:
    permissions: {status: [read]}
"""

    @pytest.mark.usefixtures("teams")
    def test_a_small_table(self, stage: Stage) -> None:
        number = stage.feature()
        configure(stage, self.WHO)
        stage.role("tess", "maintain")
        able = {
            "/canary status": {"tess", "ada"},
            "/canary why": {"mona", "kim", "tess", "ada"},
            "/canary plan": {"kim"},
        }
        answers = {text: {by: stage.say(number, text, by=by).code for by in PEOPLE} for text in able}
        assert {
            t: {by for by, code in said.items() if code == "shown"} for t, said in answers.items()
        } == able
        assert {code for said in answers.values() for code in said.values()} == {"shown", "not-allowed"}

    def test_the_reply_says_who_what_where_and_who_can(self, stage: Stage) -> None:
        number = stage.feature()
        configure(stage, "permissions:\n  canary: ['@kim', maintain]\n")
        reply = stage.say(number, "/canary 25")
        assert reply.text == (
            "@mona **Not applied** · `not-allowed`\n\n"
            "`/canary` needs to be `kim` or the role `maintain` (`.github/canary.yaml:3`); "
            "`mona` has the role `write`.\n\n"
            "Ask `kim` or people with the role `maintain` or more."
        )
        assert untouched(stage)
        assert codes(stage.say(number, "/canary 25", by="kim")) == ("done", "applied")

    def test_a_service_is_named_with_the_line_that_is_about_it(self, stage: Stage) -> None:
        number = stage.feature()
        configure(stage, "services:\n  customer:\n    permissions: {canary: [admin]}\n")
        reply = stage.say(number, "/canary 25")
        assert "`/canary` on `customer` needs the role `admin` (`.github/canary.yaml:4`)" in reply.text
        assert untouched(stage)

    def test_of_two_services_one_is_not_allowed(self, stage: Stage) -> None:
        """A comment is carried out as a whole, or not at all."""
        other = CUSTOMER.replace(b"name: customer\n", b"name: basket\n")
        stage.run.world.commit(stage.repo, "main", {"apps/basket.yaml": other}, "Another", by="ada")
        configure(stage, "services:\n  basket:\n    permissions: {canary: [admin]}\n")
        changed = VERSION_4.replace(b"name: customer\n", b"name: basket\n")
        stage.branch("v4", {PATH: VERSION_4, "apps/basket.yaml": changed})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "Both", by="mona").number
        stage.settle()
        reply = stage.say(number, "/canary all 25")
        assert codes(reply) == ("declined", "not-allowed")
        assert "on `basket`" in reply.text
        assert "on `customer`" not in reply.text
        assert untouched(stage)
        assert stage.say(number, "/canary customer 25").code == "applied"

    @pytest.mark.usefixtures("teams")
    def test_code_owners(self, stage: Stage) -> None:
        """Of the default branch, the last rule that matches, people and teams; without write nobody owns."""
        number = stage.feature()
        owned = b"* @ada\n/apps/ @mona @rita @acme/sre\n"
        configure(stage, "permissions:\n  status: [codeowners]\n", CODEOWNERS=owned)
        said = {by: stage.say(number, "/canary status", by=by) for by in PEOPLE}
        assert {by for by, reply in said.items() if reply.code == "shown"} == {"mona", "kim"}
        assert "Ask the code owners of the manifest (`mona`, `rita`, `acme/sre`)." in said["ada"].text

    @pytest.mark.parametrize("path", ["CODEOWNERS", "docs/CODEOWNERS"])
    def test_code_owners_from_other_places(self, stage: Stage, path: str) -> None:
        number = stage.feature()
        configure(stage, "permissions:\n  status: [codeowners]\n")
        assert stage.say(number, "/canary status").code == "not-allowed"
        stage.run.world.commit(stage.repo, "main", {path: b"*.yaml @mona\n"}, "Own", by="ada")
        assert stage.say(number, "/canary status").code == "shown"

    @pytest.mark.usefixtures("teams")
    def test_an_invitation_is_no_membership(self, stage: Stage) -> None:
        number = stage.feature()
        configure(stage, "permissions:\n  status: [acme/sre]\n")
        stage.run.world.set_member(TEAM, "mona", "pending")
        assert stage.say(number, "/canary status").code == "not-allowed"
        stage.run.world.set_member(TEAM, "mona", "active")
        assert stage.say(number, "/canary status").code == "shown"
        stage.run.world.set_member(TEAM, "mona", None)
        assert stage.say(number, "/canary status").code == "not-allowed"


class TestDoors:
    """Every door asks the same function: the decision does not depend on how the wish came in."""

    PROMOTE = "permissions:\n  promote: [maintain]\n"

    @pytest.fixture
    def baked(self, stage: Stage) -> Stage:
        begin(stage)
        stage.later(minutes=31)
        configure(stage, self.PROMOTE)
        return stage

    def ask(self, stage: Stage, door: str, by: str) -> Reply:
        step = stage.step().number
        if door == "button":
            return press(stage, step, "promote", by=by)
        if door == "review":
            review = stage.run.world.review(stage.repo, step, "/promote", "COMMENTED", by=by)
            stage.settle()
            return stage.notice(step, f"review/{review.id}")
        return stage.say(step, "/promote" if door == "comment" else "/canary promote", by=by)

    @pytest.mark.parametrize("door", ["comment", "long form", "review", "button"])
    def test_role(self, baked: Stage, door: str) -> None:
        assert codes(self.ask(baked, door, "kim")) == ("declined", "not-allowed")
        assert baked.split() == {"customer-v3": 75, "customer-v4": 25}
        baked.role("kim", "maintain")
        assert codes(self.ask(baked, door, "kim")) == ("done", "applied")
        assert baked.split() == {"customer-v3": 50, "customer-v4": 50}

    def test_a_remembered_wish_is_worth_what_its_owner_may_when_it_is_done(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        configure(stage, self.PROMOTE)
        stage.role("kim", "maintain")
        assert stage.say(step, "/promote", by="kim").code == "remembered"
        stage.role("kim", "write")
        stage.later(minutes=31)
        assert "`kim` may not promote any more" in stage.notice(step, "wish-dropped").text
        assert stage.pull(step).state == "open"
        assert stage.split() == {"customer-v3": 75, "customer-v4": 25}

    def test_a_rule_that_came_after_the_wish_counts(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        assert stage.say(step, "/promote", by="kim").code == "remembered"
        configure(stage, self.PROMOTE)
        stage.later(minutes=31)
        stage.notice(step, "wish-dropped")
        assert stage.pull(step).state == "open"

    def test_a_wish_that_nobody_made(self, stage: Stage) -> None:
        """Whoever may write may edit the text of a pull request, and with it what is remembered there."""
        begin(stage)
        step = stage.step().number
        configure(stage, self.PROMOTE)
        held = Proposal.read(stage.pull(step).body or "")
        assert held is not None
        ada = stage.run.world.account("ada")
        said = stage.write(step, "Thanks, all!", by="ada")
        forged = replace(held, wish=Wish("ada", f"comment/{said.id}", step, ada.id))
        stage.run.world.edit_pull(stage.repo, step, by="mona", body=forged.put(stage.pull(step).body or ""))
        stage.later(minutes=31)
        assert "The promotion of `ada` is not there any more" in stage.notice(step, "wish-dropped").text
        assert stage.pull(step).state == "open"

    def test_a_right_withdrawn_between_press_and_work(self, baked: Stage) -> None:
        baked.role("kim", "maintain")
        sent = push_button(baked, baked.step().number, "promote", by="kim")
        baked.role("kim", "write")
        baked.settle()
        assert reply_to_press(baked, sent).code in {"not-allowed", "applied"}  # whichever came first
        assert baked.say(1, "/canary status").code == "shown"


class TestWhereRulesComeFrom:
    """The default branch only: neither the pull request's head nor its base gives rights."""

    def test_a_configuration_in_the_head_has_no_effect(self, stage: Stage) -> None:
        loose = b"version: 1\npermissions:\n  canary: [read]\n"
        stage.branch("v4", {PATH: VERSION_4, CONFIG: loose, ".github/CODEOWNERS": b"* @rita\n"})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "Mine", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary 25", by="rita").code == "not-allowed"
        assert stage.say(number, "/canary 25", by="mona").code == "applied"

    def test_nor_one_on_another_base_branch(self, stage: Stage) -> None:
        configure(stage, "permissions:\n  canary: [codeowners]\n", CODEOWNERS=b"* @ada\n")
        stage.run.world.create_branch(stage.repo, "release")
        loose = b"version: 1\npermissions:\n  canary: [write]\n"
        files = {CONFIG: loose, ".github/CODEOWNERS": b"* @mona\n"}
        stage.run.world.commit(stage.repo, "release", files, "Mine", by="mona")
        stage.run.world.create_branch(stage.repo, "v4", at="release")
        stage.run.world.commit(stage.repo, "v4", {PATH: VERSION_4}, "Four", by="mona")
        number = stage.run.world.open_pull(stage.repo, "v4", "release", "Mine", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary 25").code == "not-allowed"
        assert stage.say(number, "/canary 25", by="ada").code == "applied"

    def test_owners_are_those_of_the_path_on_the_base_branch(self, stage: Stage) -> None:
        """Where a pull request moves a manifest to is for its author to choose."""
        owned = b"/apps/ @kim\n/mine/ @mona\n"
        configure(stage, "permissions:\n  canary: [codeowners]\n", CODEOWNERS=owned)
        stage.branch("v4", {PATH: None, "mine/customer.yaml": VERSION_4})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "Mine", by="mona").number
        stage.settle()
        reply = stage.say(number, "/canary 25")
        assert codes(reply) == ("declined", "not-allowed")
        assert "`kim`" in reply.text
        assert codes(stage.say(number, "/canary 25", by="kim")) == ("done", "applied")

    def test_owners_of_a_new_manifest_are_those_of_its_path(self, stage: Stage) -> None:
        owned = b"/apps/ @kim\n/mine/ @mona\n"
        configure(stage, "permissions:\n  plan: [codeowners]\n", CODEOWNERS=owned)
        stage.branch("v4", {"mine/basket.yaml": CUSTOMER.replace(b"name: customer\n", b"name: basket\n")})
        number = stage.run.world.open_pull(stage.repo, "v4", "main", "New", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary plan", by="kim").code == "not-allowed"
        assert stage.say(number, "/canary plan").code != "not-allowed"

    def test_a_broken_one_stops_what_goes_on_and_nothing_else(self, stage: Stage) -> None:
        number = begin(stage)
        step = stage.step().number
        configure(stage, "permissions:\n  promote: [admin\n")
        for text in ("/promote", "/resume"):
            assert codes(stage.say(step, text, by="ada")) == ("declined", "config-invalid")
        assert stage.say(step, "/canary status", by="rita").code == "shown"
        assert stage.say(step, "/canary why", by="rita").code == "shown"
        assert stage.say(step, "/hold", by="rita").code == "not-allowed"
        assert stage.say(step, "/hold", by="tess").code == "applied"
        assert stage.say(number, "/rollback", by="tess").code == "proposed"
        stage.notice(step, "closed-rollback")


class TestDenyOnError:
    """What cannot be looked up allows nothing, and the reply says what that was."""

    def broken(self, stage: Stage, path: str) -> None:
        stage.run.server.faults.add("GET", path, "403")

    def test_the_role(self, stage: Stage) -> None:
        number = stage.feature()
        self.broken(stage, "/collaborators/mona/permission")
        reply = stage.say(number, "/canary 25")
        assert codes(reply) == ("declined", "not-allowed")
        assert "GitHub did not let me look up the role" in reply.text
        assert untouched(stage)

    def test_a_team_that_the_app_may_not_ask_about(self, stage: Stage) -> None:
        stage.run.world.add_team("acme/unseen", "mona")
        number = stage.feature()
        configure(stage, "permissions:\n  canary: [acme/unseen]\n")
        reply = stage.say(number, "/canary 25")
        assert "GitHub did not let me look up membership of `acme/unseen`" in reply.text
        assert untouched(stage)

    def test_a_team_does_not_matter_to_who_has_the_role(self, stage: Stage) -> None:
        number = stage.feature()
        configure(stage, "permissions:\n  canary: [acme/sre, write]\n")
        assert stage.say(number, "/canary 25").code == "applied"

    def test_a_wish_waits_where_nobody_can_be_looked_up(self, stage: Stage) -> None:
        begin(stage)
        step = stage.step().number
        assert stage.say(step, "/promote", by="kim").code == "remembered"
        self.broken(stage, "/collaborators/kim/permission")
        stage.later(minutes=31)
        assert stage.pull(step).state == "open"
        stage.later(minutes=11)
        assert stage.pull(step).merged

    def test_a_login_that_went_over_to_somebody_else(self, stage: Stage) -> None:
        """A wish is its account's, not its login's."""
        begin(stage)
        step = stage.step().number
        assert stage.say(step, "/promote", by="kim").code == "remembered"
        kim = stage.run.world.account("kim")
        before, kim.id = kim.id, 99_999_999
        try:
            stage.later(minutes=31)
            stage.notice(step, "wish-dropped")
            assert stage.pull(step).state == "open"
        finally:
            kim.id = before


class TestRecorded:
    """Each write has been allowed before: by a person, or by the rules with their place."""

    def test_a_start_and_a_promotion(self, stage: Stage) -> None:
        with capture_logs() as logs:
            number = begin(stage)
            stage.later(minutes=31)
            stage.say(stage.step().number, "/promote", by="kim")
            stage.say(number, "/canary status")
        told = [(e["verb"], e["by"], e["needed"], e["origin"]) for e in logs if e["event"] == "authorised"]
        write = "the role `write`"
        assert told == [
            ("canary", "mona", write, "built in"),
            ("promote", "kim", write, "built in"),
            ("promote", "kim", write, "built in"),  # the merge itself
        ]

    def test_what_is_not_allowed_is_not_recorded(self, stage: Stage) -> None:
        number = stage.feature()
        with capture_logs() as logs:
            stage.say(number, "/canary 25", by="rita")
        assert [e for e in logs if e["event"] == "authorised"] == []
        sweep(stage)
