"""Services that a pull request does not touch, rules that must be named, and files that are not the bot's to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4
from tests.scenarios.test_targets import CASES, ISTIO

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

MESH = "mesh/storefront.yaml"
DEPLOYMENT = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: storefront-v2}
spec: {template: {spec: {containers: [{name: app, image: "shop/storefront:2"}]}}}
"""
TWO_RULES = ISTIO.replace(
    b"    - destination: {host: storefront, subset: v2}\n",
    b"    - {destination: {host: storefront, subset: v1}, weight: 100}\n"
    b"    - {destination: {host: storefront, subset: v2}, weight: 0}\n",
)


def add(stage: Stage, files: dict[str, bytes]) -> None:
    stage.run.world.commit(stage.repo, "main", files, "Add files", by="mona")
    stage.settle()


def deployed(stage: Stage, files: dict[str, bytes]) -> int:
    """Open a pull request that changes a Deployment beside those files."""
    add(stage, files)
    return stage.feature(DEPLOYMENT, name="feature", path="deploy/storefront.yaml")


class TestElsewhere:
    def test_a_route_is_found_by_its_name_and_goes_the_whole_way(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ISTIO})
        reply = stage.say(number, "/canary storefront 25")
        assert (reply.code, reply.answer.service) == ("applied", "storefront"), reply.text
        case = CASES["VirtualService"]
        assert case.new_lines(stage.read("feature", path=MESH))[-2:] == case.lines(25)
        assert stage.check(number, "canary / plan") == ("success", "Canary: storefront at 25 %")
        assert stage.say(number, "/canary storefront 50").code == "applied"
        assert stage.say(number, "/canary 25").code == "applied"  # it is in the pull request now
        stage.merge(number)
        for _ in range(2):
            stage.later(minutes=31)
            assert stage.say(stage.step().number, "/promote").code == "applied"
        stage.notice(number, "done")

    def test_after_the_merge(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ISTIO})
        stage.merge(number)
        assert stage.say(number, "/canary storefront 25").code == "proposed"
        stage.merge(stage.step().number)
        assert stage.say(number, "/canary storefront 50").code in {"already", "proposed", "step-order"}

    def test_several_of_a_name_are_asked_about(self, stage: Stage) -> None:
        knative = CUSTOMER.replace(b"name: customer\n", b"name: storefront\n")
        number = deployed(stage, {MESH: ISTIO, "apps/storefront.yaml": knative})
        reply = stage.say(number, "/canary storefront 25")
        assert reply.code == "which-service"
        assert f"`{MESH}:" in reply.text
        assert "`apps/storefront.yaml:" in reply.text
        for name in ("VirtualService/storefront", "vs/storefront", "virtualservice/shop/storefront"):
            assert stage.say(number, f"/canary plan {name} 25").code == "shown", name
        assert stage.say(number, "/canary vs/storefront 25").code == "applied"
        assert stage.read("feature", path="apps/storefront.yaml") == knative

    def test_the_configuration_names_the_file(self, stage: Stage) -> None:
        config = b"version: 1\nservices:\n  storefront: {file: mesh/storefront.yaml}\n"
        files = {MESH: ISTIO, "other/storefront.yaml": ISTIO, ".github/canary.yaml": config}
        number = deployed(stage, files)
        assert stage.say(number, "/canary storefront 25").code == "applied"
        assert stage.read("feature", path="other/storefront.yaml") == ISTIO

    @pytest.mark.parametrize("name", ["nobody", "shop/nobody", "vs/customer", "other/storefront"])
    def test_nothing_of_that_name(self, stage: Stage, name: str) -> None:
        number = deployed(stage, {MESH: ISTIO})
        reply = stage.say(number, f"/canary {name} 25")
        assert reply.code == "unknown-service"
        assert stage.read("feature", path=MESH) == ISTIO

    def test_without_a_name_nothing_is_searched(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: ISTIO})
        reply = stage.say(number, "/canary 25")
        assert reply.code == "no-service"
        assert "`/canary NAME 25`" in reply.text


class TestRules:
    def test_several_are_asked_about_and_named(self, stage: Stage) -> None:
        number = deployed(stage, {MESH: TWO_RULES})
        reply = stage.say(number, "/canary storefront 25")
        assert reply.code == "which-route"
        assert "`http[0]`" in reply.text
        assert "`primary`" in reply.text
        assert stage.say(number, "/canary storefront 25 route=http[7]").code == "which-route"
        assert stage.say(number, "/canary storefront 25 route=http[0]").code == "applied"
        content = stage.read("feature", path=MESH)
        assert b"subset: v1}, weight: 75}" in content
        assert b"weight: 100   # stable" in content
        assert stage.say(number, "/canary storefront 10").code == "applied"  # the rollout knows its rule
        assert b"subset: v1}, weight: 90}" in stage.read("feature", path=MESH)
        assert stage.check(number, "canary / plan")[0] == "success"
        stage.merge(number)
        step = stage.step()
        assert b"subset: v1}, weight: 75}" in stage.read(step.head_ref, path=MESH)
        stage.later(minutes=31)
        assert stage.say(step.number, "/promote").code == "applied"
        assert b"weight: 100   # stable" in stage.read(path=MESH)
        last = stage.step()
        assert stage.say(number, "/rollback").code == "proposed"
        stage.notice(last.number, "closed-rollback")
        stage.merge(stage.step().number)
        stage.notice(number, "rolled-back")
        assert stage.read(path=MESH) == TWO_RULES

    def test_the_configuration_names_one(self, stage: Stage) -> None:
        config = b"version: 1\nservices:\n  storefront: {route: primary}\n"
        number = deployed(stage, {MESH: TWO_RULES, ".github/canary.yaml": config})
        assert stage.say(number, "/canary storefront 25").code == "applied"
        assert b"weight: 75   # stable" in stage.read("feature", path=MESH)

    def test_equal_weights_do_not_say_which_is_stable(self, stage: Stage) -> None:
        equal = ISTIO.replace(b"weight: 100 ", b"weight: 50 ").replace(b"weight: 0 ", b"weight: 50 ")
        number = deployed(stage, {MESH: equal})
        assert stage.say(number, "/canary storefront 25").code == "which-destination"
        names = "stable=v1 candidate=storefront/v2"
        assert stage.say(number, f"/canary storefront 25 {names}").code == "applied"
        assert b"weight: 25 " in stage.read("feature", path=MESH)

    def test_a_third_destination_with_weight_is_neither_kept_nor_taken(self, stage: Stage) -> None:
        third = ISTIO.rstrip() + b"\n    - destination: {host: storefront, subset: v3}\n      weight: 10\n"
        number = deployed(stage, {MESH: third})
        reply = stage.say(number, "/canary storefront 25 stable=v1 candidate=v2")
        assert reply.code == "which-destination"
        assert "`storefront/v3`" in reply.text


ROLLOUT = b"""\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: x, namespace: shop}
spec: {strategy: {canary: {trafficRouting: {istio: {virtualService: {name: storefront}}}}}}
"""


def with_metadata(content: bytes, line: bytes) -> bytes:
    return content.replace(b"  namespace: shop\n", b"  namespace: shop\n  " + line + b"\n")


OWNED: dict[str, tuple[bytes, dict[str, bytes]]] = {
    "a label": (with_metadata(ISTIO, b"labels: {app.kubernetes.io/managed-by: flagger}"), {}),
    "a Rollout in the folder": (ISTIO, {"mesh/rollout.yaml": ROLLOUT}),
    "a Rollout in the file": (ISTIO + b"---\n" + ROLLOUT, {}),
}
GENERATED = b"# Code generated by a program. DO NOT EDIT.\n" + ISTIO


class TestNotOurs:
    @pytest.mark.parametrize("name", OWNED)
    def test_somebody_else_sets_the_weights(self, stage: Stage, name: str) -> None:
        content, more = OWNED[name]
        number = deployed(stage, {MESH: content, **more})
        reply = stage.say(number, "/canary storefront 25")
        assert reply.code == "foreign-controller", reply.text
        assert stage.read("feature", path=MESH) == content

    def test_cloud_deploy_sets_the_traffic_of_a_service(self, stage: Stage) -> None:
        labelled = with_metadata(VERSION_4, b"labels: {deploy.cloud.google.com/release-id: r1}")
        number = stage.feature(labelled)
        assert stage.say(number, "/canary 25").code == "foreign-controller"
        assert stage.read("v4") == labelled

    @pytest.mark.parametrize(
        ("path", "content", "code"),
        [
            pytest.param("mesh/gen.yaml", GENERATED, "generated-file", id="header"),
            pytest.param("chart/templates/x.yaml", ISTIO, "helm-template", id="chart"),
        ],
    )
    def test_a_program_writes_the_file(self, stage: Stage, path: str, content: bytes, code: str) -> None:
        add(stage, {"chart/Chart.yaml": b"name: x\n", path: content})
        number = stage.feature(content.replace(b"3s", b"5s"), name="feature", path=path)
        assert stage.say(number, "/canary 25").code == code

    def test_a_folder_called_templates_without_a_chart_is_a_folder(self, stage: Stage) -> None:
        path = "deploy/templates/x.yaml"
        add(stage, {path: ISTIO})
        number = stage.feature(ISTIO.replace(b"3s", b"5s"), name="feature", path=path)
        assert stage.say(number, "/canary 25").code == "applied"


class TestCloudRun:
    RUN = CUSTOMER.replace(b"  namespace: shop\n", b"  annotations: {run.googleapis.com/ingress: all}\n")

    def feature(self, stage: Stage, content: bytes) -> int:
        add(stage, {PATH: content})
        new = content.replace(b"customer-v3   #", b"customer-v4   #").replace(b":3.4.1", b":4.0.0")
        return stage.feature(new)

    def test_what_it_does_otherwise_is_told(self, stage: Stage) -> None:
        number = self.feature(stage, self.RUN)
        reply = stage.say(number, "/canary 25")
        assert reply.code == "applied"
        assert "**Note** · `cloud-run-differs`" in reply.text

    def test_a_tag_that_is_too_long_beside_the_name(self, stage: Stage) -> None:
        long = "customer-" + "x" * 30
        number = self.feature(stage, self.RUN.replace(b"customer", long.encode()))
        reply = stage.say(number, f"/canary 25 stable={long}-v3")
        assert reply.code == "name-too-long"
        assert "46" in reply.text


def test_a_duration_of_knative_s_own_is_told(stage: Stage) -> None:
    content = with_metadata(CUSTOMER, b"annotations: {serving.knative.dev/rollout-duration: 600s}")
    add(stage, {PATH: content})
    number = stage.feature(
        content.replace(b"customer-v3   #", b"customer-v4   #").replace(b":3.4.1", b":4.0.0")
    )
    reply = stage.say(number, "/canary 25")
    assert reply.code == "applied"
    assert "**Note** · `rollout-duration`" in reply.text


@pytest.mark.parametrize("name", [name for name in CASES if name != "a patch without a template"])
def test_kn_s_operations_are_for_services(stage: Stage, name: str) -> None:
    case = CASES[name]
    add(stage, {case.path: case.content})
    number = stage.feature(case.changed, name="feature", path=case.path)
    reply = stage.say(number, "/traffic a=100")
    assert reply.code == "kn-refused"
    assert "the traffic block of a Knative Service" in reply.text
    assert stage.read("feature", path=case.path) == case.changed
