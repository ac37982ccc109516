"""Rollouts of services that the pull request does not change: which verbs are heard there, and what names lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.scenarios.moves import begin, silent
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4
from tests.scenarios.test_cost import Till
from tests.scenarios.test_finding import DEPLOYMENT, MESH, ROLLOUT, TWO_RULES, add, deployed
from tests.scenarios.test_targets import ISTIO

if TYPE_CHECKING:
    from bot.entry.rehearsal import Rehearsal
    from tests.scenarios.stage import Stage

# A gateway's route as most are: one destination a rule, and nothing to shift.
SINGLE = b"""\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: front, namespace: shop}
spec:
  rules:
  - timeouts: {request: 3s}
    backendRefs:
    - {name: front, port: 8080}
"""
PAIR = SINGLE.replace(
    b"port: 8080}\n", b"port: 8080, weight: 1}\n    - {name: front-v2, port: 8080, weight: 0}\n"
)
FRONT = "gateway/front.yaml"


def merged(stage: Stage, files: dict[str, bytes] | None = None) -> int:
    """Give a merged pull request of a Deployment; the mesh's file lies elsewhere."""
    number = deployed(stage, files or {MESH: ISTIO})
    stage.merge(number)
    return number


def rolling(stage: Stage) -> int:
    """Begin a rollout of the mesh on such a pull request, and merge its start."""
    number = merged(stage)
    assert stage.say(number, "/canary storefront 25").code == "proposed"
    stage.merge(stage.step().number)
    return number


class TestVerbsAreHeardWhereTheRolloutBegan:
    """``/rollback`` on any of these pull requests; silence only where no rollout belongs to it."""

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            pytest.param("/hold", "applied", id="hold"),
            pytest.param("/hold storefront", "applied", id="hold by name"),
            pytest.param("/promote", "remembered", id="promote"),
            pytest.param("/promote VirtualService/storefront", "remembered", id="promote by kind and name"),
            pytest.param("/canary status", "shown", id="status"),
        ],
    )
    def test_while_it_rolls(self, stage: Stage, text: str, code: str) -> None:
        assert stage.say(rolling(stage), text).code == code

    @pytest.mark.parametrize("text", ["/rollback", "/rollback storefront -- errors"])
    def test_back_and_afterwards(self, stage: Stage, text: str) -> None:
        number = rolling(stage)
        step = stage.step().number
        assert stage.say(number, text).code == "proposed"
        stage.notice(step, "closed-rollback")
        stage.merge(stage.step().number)
        stage.notice(number, "rolled-back")
        assert stage.read(path=MESH) == ISTIO
        assert stage.say(number, text).code == "already"

    def test_while_the_start_is_open(self, stage: Stage) -> None:
        number = merged(stage)
        stage.say(number, "/canary storefront 25")
        assert stage.say(number, "/hold").code == "applied"
        assert stage.say(number, "/promote").code == "no-rollout"

    def test_after_the_end(self, stage: Stage) -> None:
        number = rolling(stage)
        for _ in range(2):
            stage.later(minutes=31)
            stage.say(number, "/promote")
        stage.notice(number, "done")
        assert stage.say(number, "/promote").code == "no-rollout"
        assert stage.say(number, "/rollback").code == "proposed"

    def test_the_command_is_gone(self, stage: Stage) -> None:
        number = merged(stage)
        asked = stage.write(number, "/canary storefront 25")
        stage.settle()
        assert stage.reply_to(asked).code == "proposed"
        stage.run.world.delete_comment(stage.repo, asked.id, by="mona")
        stage.merge(stage.step().number)
        assert stage.say(number, "/hold").code == "applied"

    def test_beside_a_service_of_the_pull_request_itself(self, stage: Stage) -> None:
        add(stage, {MESH: ISTIO})
        number = stage.feature()
        stage.merge(number)
        stage.say(number, "/canary storefront 25")
        stage.merge(stage.step().number)
        step = stage.step().number
        reply = stage.say(number, "/rollback")
        assert reply.code == "which-service"
        assert "`customer`, `storefront`" in reply.text
        assert stage.say(number, "/rollback storefront").code == "proposed"
        stage.notice(step, "closed-rollback")


class TestSilence:
    def test_nothing_began_here(self, stage: Stage) -> None:
        number = merged(stage)
        assert stage.say(number, "/canary nobody 25").code == "unknown-service"
        assert stage.say(number, "/canary plan storefront 25").code == "shown"
        for text in ("/hold", "/rollback", "/promote", "/resume"):
            stage.say_unheard(number, text)

    def test_a_question_about_another_one_s_rollout(self, stage: Stage) -> None:
        begin(stage)
        other = stage.feature(DEPLOYMENT, name="other", path="deploy/storefront.yaml")
        stage.merge(other)
        assert stage.say(other, "/canary status customer").answer.rollout
        stage.say_unheard(other, "/hold")

    @pytest.mark.parametrize("text", ["/hold", "/rollback", "/promote"])
    def test_a_route_without_a_split(self, stage: Stage, text: str) -> None:
        add(stage, {FRONT: SINGLE})
        number = stage.feature(SINGLE.replace(b"3s", b"5s"), name="f1", path=FRONT)
        assert stage.check(number, "canary / plan")[0] == "neutral"
        comment = stage.write(number, text)
        stage.settle()
        assert silent(stage, comment)
        stage.merge(number)
        stage.say_unheard(number, text)


class TestOnlyWhatHasASplitIsAService:
    def test_a_route_without_one_does_not_make_the_name_necessary(self, stage: Stage) -> None:
        add(stage, {FRONT: SINGLE})
        stage.branch("both", {FRONT: SINGLE.replace(b"3s", b"5s"), PATH: VERSION_4})
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        assert stage.say(number, "/canary 25").answer.service == "customer"

    @pytest.mark.parametrize(
        ("base", "head"), [(SINGLE, PAIR), (PAIR, SINGLE)], ids=["it gets one", "it loses one"]
    )
    def test_a_split_on_either_side_counts(self, stage: Stage, base: bytes, head: bytes) -> None:
        add(stage, {FRONT: base})
        number = stage.feature(head, name="f1", path=FRONT)
        assert stage.say(number, "/canary status").answer.service == "front"

    def test_of_a_single_one_the_reason_is_told_by_name(self, stage: Stage) -> None:
        add(stage, {FRONT: SINGLE})
        number = stage.feature(SINGLE.replace(b"3s", b"5s"), name="f1", path=FRONT)
        assert stage.say(number, "/canary 25").code == "no-service"
        reply = stage.say(number, "/canary front 25")
        assert reply.decision == "declined"
        assert "No rule has several destinations" in reply.text

    def test_a_rollout_that_is_to_begin_is_found_without_its_destinations(self, stage: Stage) -> None:
        add(stage, {FRONT: SINGLE})
        number = stage.feature(PAIR, name="f1", path=FRONT)
        assert stage.say(number, "/canary 25").code == "applied"
        stage.push("f1", SINGLE.replace(b"3s", b"5s"), path=FRONT)
        assert stage.say(number, "/hold").answer.service == "front"


class TestNames:
    def test_the_repository_is_searched_before_the_spelling_is_guessed(self, stage: Stage) -> None:
        web, api = (CUSTOMER.replace(b"customer", name) for name in (b"shop-web", b"shop-api"))
        add(stage, {"web.yaml": web, "api.yaml": api})
        number = stage.feature(api.replace(b":3.4.1", b":4.0.0"), name="f1", path="api.yaml")
        assert stage.say(number, "/canary status shop-web").answer.service == "shop-web"
        reply = stage.say(number, "/canary shop-apj 25")
        assert reply.code == "unknown-service"
        assert "known: `shop-api`." in reply.text
        assert "Did you mean `shop-api`?" in reply.text

    def test_two_kinds_of_a_name_are_told_apart(self, stage: Stage) -> None:
        knative = CUSTOMER.replace(b"name: customer\n", b"name: storefront\n")
        add(stage, {MESH: ISTIO, "k.yaml": knative})
        stage.branch("both", {MESH: ISTIO.replace(b"3s", b"5s"), "k.yaml": knative.replace(b":3.4.1", b":4")})
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        reply = stage.say(number, "/canary 25")
        assert reply.code == "which-service"
        for name in ("Service/storefront", "VirtualService/storefront"):
            assert f"`{name}`" in reply.text
            assert (
                stage.say(number, f"/canary plan {name} 25 stable=storefront/v1").decision != "not-understood"
            )
        assert "`/canary storefront 25`" not in reply.text

    def test_two_files_with_the_same_object_have_no_name_of_their_own(self, stage: Stage) -> None:
        files = {"a.yaml": CUSTOMER, "b.yaml": CUSTOMER}
        add(stage, files)
        stage.branch("both", {path: content.replace(b":3.4.1", b":4") for path, content in files.items()})
        number = stage.run.world.open_pull(stage.repo, "both", "main", "Both", by="mona").number
        stage.settle()
        reply = stage.say(number, "/canary 25")
        assert reply.code == "which-service"
        assert "`/canary customer 25`" not in reply.text
        assert "Write `all`" in reply.text

    @pytest.mark.parametrize(
        "asked",
        [
            "/canary storefront 25 route=primary",
            "/canary storefront 10 60 100 stable=v1 candidate=v2 route=primary",
        ],
    )
    def test_what_is_to_be_typed_after_a_fork_is_merged(self, stage: Stage, asked: str) -> None:
        add(stage, {MESH: TWO_RULES})
        world = stage.run.world
        fork = world.fork(stage.repo, by="kim").full_name
        world.create_branch(fork, "v4")
        world.commit(fork, "v4", {"deploy/x.yaml": DEPLOYMENT}, "Four", by="kim")
        number = world.open_pull(stage.repo, "v4", "main", "Four", by="kim", fork=fork).number
        stage.settle()
        reply = stage.say(number, asked)
        assert reply.code == "fork"
        assert f"comment `{asked}` then" in reply.text
        stage.merge(number)
        assert stage.say(number, asked).code == "proposed"


class TestNeighbours:
    """A controller beside a route is looked for where it is likeliest, and what was not looked at is told."""

    FILLERS: ClassVar = {f"mesh/a{i:02}.yaml": b"a: %d\n" % i for i in range(25)}

    @pytest.mark.parametrize("name", ["rollout.yaml", "zz-canary.yml", "storefront-delivery.yaml"])
    def test_a_telling_name_is_read_first(self, stage: Stage, name: str) -> None:
        add(stage, {MESH: ISTIO, **self.FILLERS, f"mesh/{name}": ROLLOUT})
        number = stage.feature(ISTIO.replace(b"3s", b"5s"), name="f1", path=MESH)
        assert stage.say(number, "/canary 25").code == "foreign-controller"

    def test_what_was_not_read_is_told(self, stage: Stage) -> None:
        add(stage, {MESH: ISTIO, **self.FILLERS})
        number = stage.feature(ISTIO.replace(b"3s", b"5s"), name="f1", path=MESH)
        reply = stage.say(number, "/canary 25")
        assert reply.code == "applied"
        assert "Of 25 other manifests in the folder 5 were not read" in reply.text

    def test_after_the_merge_as_well(self, stage: Stage) -> None:
        number = merged(stage, {MESH: ISTIO, **self.FILLERS})
        assert "5 were not read" in stage.say(number, "/canary storefront 25").text

    def test_a_small_folder_is_read_whole(self, stage: Stage) -> None:
        add(stage, {MESH: ISTIO, "mesh/a.yaml": b"a: 1\n"})
        number = stage.feature(ISTIO.replace(b"3s", b"5s"), name="f1", path=MESH)
        assert "not read" not in stage.say(number, "/canary 25").text


class TestCost:
    """A short verb asks for one list of pull requests more where an answer names a rollout, and for none elsewhere."""

    def heard(self, till: Till, stage: Stage, number: int) -> list[str]:
        cost = till.event("", lambda: stage.write(number, "/hold"))
        return [r.path.removeprefix(f"/repos/{stage.repo}") for r in cost.requests if r.method == "GET"]

    def test_where_nothing_began(self, running_bot: Rehearsal, stage: Stage) -> None:
        number = merged(stage)
        asked = self.heard(Till(running_bot, "elsewhere"), stage, number)
        assert "/pulls" not in asked, asked

    def test_where_something_began(self, running_bot: Rehearsal, stage: Stage) -> None:
        number = rolling(stage)
        asked = self.heard(Till(running_bot, "elsewhere-too"), stage, number)
        comment = next(r for r in stage.all_replies(number) if "hold" in r.answer.verbs)
        stage.notice(number, comment.answer.to)
        first = asked.index(f"/issues/{number}/comments")
        role = next(i for i, path in enumerate(asked) if path.startswith("/collaborators"))
        assert asked[first:role].count("/pulls") == 1, asked
