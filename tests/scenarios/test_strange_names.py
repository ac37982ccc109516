"""Names that YAML holds and no cluster takes, names that are as long as they may be, and shares without effect.

All of them are answered before anything is written: what is written calls nobody and can be read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import report
from tests.scenarios.moves import sweep
from tests.scenarios.test_finding import MESH, add, deployed
from tests.scenarios.test_targets import GATEWAY, ISTIO, LEGACY, RELEASE

if TYPE_CHECKING:
    from tests.scenarios.stage import Reply, Stage

ALONE = ISTIO.partition(b"---\n")[2]
LONG_NAME = ".".join(["x" * 40] * 5)


def feature(stage: Stage, content: bytes, path: str = MESH) -> int:
    """Open a pull request that changes something else of an object."""
    add(stage, {path: content})
    return stage.feature(content.replace(b"3s", b"5s"), name="f1", path=path)


def nothing_written(stage: Stage, reply: Reply, content: bytes) -> bool:
    same = stage.read("f1", path=MESH) == content.replace(b"3s", b"5s")
    return reply.decision == "declined" and same and stage.no_step()


def body(stage: Stage) -> str:
    """Give the text of the bot's open pull request."""
    return stage.step().body or ""


class TestObjects:
    """``metadata.name`` is a DNS-1123 subdomain."""

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param(b'"@acme/sre"', id="it would call a team"),
            pytest.param(b'"a/b"', id="slash"),
            pytest.param(b'"a#b"', id="hash"),
            pytest.param(b'"a\\nCanary-Service: x#/y"', id="line feed"),
            pytest.param(b'"a b"', id="space"),
            pytest.param(b"Storefront", id="capital"),
            pytest.param(b"a..b", id="empty label"),
            pytest.param(b"-a", id="dash in front"),
            pytest.param(b"x" * 254, id="254 characters"),
        ],
    )
    @pytest.mark.parametrize("command", ["/canary 25", "/canary plan 25"])
    def test_no_such_name(self, stage: Stage, name: bytes, command: str) -> None:
        content = ALONE.replace(b"  name: storefront\n", b"  name: " + name + b"\n")
        number = feature(stage, content)
        before = stage.log("f1")
        reply = stage.say(number, command)
        assert reply.code == "split-invalid", reply.text
        assert "is no name of a VirtualService" in reply.text
        assert nothing_written(stage, reply, content)
        assert stage.log("f1") == before

    @pytest.mark.parametrize("name", [b"a.b-c.d", b"0a", b"x" * 253], ids=["dots", "digit", "253 characters"])
    def test_such_a_name(self, stage: Stage, name: bytes) -> None:
        content = ALONE.replace(b"  name: storefront\n", b"  name: " + name + b"\n")
        assert stage.say(feature(stage, content), "/canary 25").code == "applied"


class TestDestinations:
    """What a commit message cannot hold is told in words, before anything is written."""

    @pytest.mark.parametrize(
        ("host", "code"),
        [
            pytest.param(b'"@acme/sre"', "split-invalid", id="it would call a team"),
            pytest.param(b'"a b"', "split-invalid", id="space"),
            pytest.param(b'"a\\nCanary-Step: rollback"', "split-invalid", id="line feed"),
            pytest.param("bücher".encode(), "split-invalid", id="not ASCII"),
            pytest.param(b"x." * 300 + b"x", "name-too-long", id="600 characters"),
        ],
    )
    def test_no_such_host(self, stage: Stage, host: bytes, code: str) -> None:
        content = ALONE.replace(b"host: storefront", b"host: " + host)
        reply = stage.say(feature(stage, content), "/canary 25")
        assert reply.code == code, reply.text
        assert nothing_written(stage, reply, content)

    def test_after_the_merge(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ALONE.replace(b"host: storefront", b'host: "a b"')})
        stage.merge(number)
        assert stage.say(number, "/canary storefront 25").code == "split-invalid"
        assert stage.no_step()

    def test_a_path_that_no_trailer_holds(self, stage: Stage) -> None:
        path = "/".join(["d" * 100] * 6) + "/m.yaml"
        number = feature(stage, ALONE, path)
        assert stage.say(number, "/canary 25").code == "path-refused"


class TestTitles:
    """GitHub takes titles of 256 characters; the share at the end stays."""

    @given(text=st.text(max_size=600))
    def test_length(self, text: str) -> None:
        title = report.title(text)
        assert len(title) <= 256
        assert title == text if len(text) <= 256 else title[-50:] == text[-50:]
        assert report.title(title) == title

    def test_long_names_go_the_whole_way(self, stage: Stage) -> None:
        backend = b"namespace: platform-team, name: " + b"y" * 50 + b"-v"
        content = GATEWAY.replace(b"storefront.shop", LONG_NAME.encode()).replace(
            b"name: storefront-v", backend
        )
        add(stage, {MESH: content})
        number = stage.feature(content.replace(b"3s", b"5s"), name="f1", path=MESH)
        stage.merge(number)
        assert stage.say(number, "/canary 25").code == "proposed"
        start = stage.step()
        assert (len(start.title), start.title[-8:]) == (256, " at 25 %")
        stage.merge(start.number)
        step = stage.step()
        assert step.title.endswith(": 25 % → 50 %")
        assert stage.say(number, "/rollback").code == "proposed"
        stage.notice(step.number, "closed-rollback")
        back = stage.step().title
        assert back.startswith("x" * 40)
        assert back.endswith(f": roll back to {'y' * 50}-v1")


class TestScale:
    """Weights that get another scale are told wherever that is to be merged."""

    SMALL = ISTIO.replace(b"weight: 100 ", b"weight: 10 ")

    def test_a_start(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: self.SMALL})
        stage.merge(number)
        stage.say(number, "/canary storefront 25")
        assert "The weights sum to 100 now" in body(stage)

    def test_a_step_also_when_it_is_rebuilt(self, stage: Stage) -> None:
        number = feature(stage, self.SMALL)
        stage.say(number, "/canary 10 25 100")
        stage.merge(number)
        assert "The weights sum to 100 now" in body(stage)
        stage.push("main", b"# A remark.\n" + stage.read(path=MESH), path=MESH)
        sweep(stage)
        assert "The weights sum to 100 now" in body(stage)

    def test_a_rollback_from_weights_that_serve_nobody(self, stage: Stage) -> None:
        number = feature(stage, GATEWAY)
        stage.say(number, "/canary 25")
        stage.merge(number)
        step = stage.step().number
        nobody = (
            stage.read(path=MESH).replace(b"weight: 750", b"weight: 0").replace(b"weight: 250", b"weight: 0")
        )
        stage.push("main", nobody, path=MESH)
        stage.say(number, "/rollback")
        stage.notice(step, "closed-rollback")
        assert "The weights sum to 100 now; before, none of them had any." in body(stage)

    def test_nothing_is_said_where_the_scale_stays(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ISTIO})
        stage.merge(number)
        stage.say(number, "/canary storefront 25")
        assert "The weights sum to" not in body(stage)


class TestZero:
    """0 % is the tag only. A file that stays as it is has no commit that a rollout could begin with."""

    @pytest.mark.parametrize(
        ("text", "instead"),
        [
            ("/canary 0", "/canary 1"),
            ("/canary 0 5 100", "/canary 5 100"),
            ("/canary 0 route=primary", "/canary 1 route=primary"),
        ],
    )
    def test_weights(self, stage: Stage, text: str, instead: str) -> None:
        number = feature(stage, ISTIO)
        reply = stage.say(number, text)
        assert reply.code == "weight-out-of-range"
        assert "no tag" in reply.text
        assert f"`{instead}`" in reply.text
        assert nothing_written(stage, reply, ISTIO)
        assert stage.say(number, instead).code == "applied"

    def test_weights_after_the_merge(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ISTIO})
        stage.merge(number)
        reply = stage.say(number, "/canary storefront 0")
        assert reply.code == "weight-out-of-range"
        assert "`/canary storefront 1`" in reply.text
        assert stage.no_step()

    def test_a_release_that_names_both_already(self, stage: Stage) -> None:
        reply = stage.say(feature(stage, RELEASE), "/canary 0")
        assert reply.code == "weight-out-of-range"
        assert "The file says so already" in reply.text

    def test_a_release_that_gets_a_candidate(self, stage: Stage) -> None:
        number = feature(stage, LEGACY)
        assert stage.say(number, "/canary 0 stable=dumpy-00001 candidate=dumpy-00002").code == "applied"
        stage.merge(number)
        assert stage.step().title == "dumpy: 0 % → 5 %"

    def test_a_share_that_is_set_may_fall_to_0_and_rises_again(self, stage: Stage) -> None:
        number = feature(stage, ISTIO)
        stage.say(number, "/canary 25")
        assert stage.say(number, "/canary 0").code == "applied"
        assert stage.say(number, "/canary 0").code == "already"
        stage.merge(number)
        assert stage.step().title == "storefront: 0 % → 5 %"

    def test_not_where_the_pull_request_would_leave_the_file_alone(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ISTIO})
        stage.say(number, "/canary storefront 25")
        reply = stage.say(number, "/canary storefront 0")
        assert reply.code == "weight-out-of-range"
        assert "`/canary cancel`" in reply.text
        assert stage.say(number, "/canary cancel").code == "applied"

    def test_a_share_that_a_person_wrote_begins_nothing_either(self, stage: Stage) -> None:
        add(stage, {MESH: ISTIO})
        mine = ISTIO.replace(b"weight: 100 ", b"weight: 75 ").replace(b"weight: 0 ", b"weight: 25 ")
        number = stage.feature(mine, name="f1", path=MESH)
        reply = stage.say(number, "/canary 25")
        assert reply.code == "already"
        assert "no rollout begins with it" in reply.text
        stage.merge(number)
        assert stage.no_step()
