"""Objects of other files that set the split of an object."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.doctor.documents import objects, read_all
from bot.core.owners import Holder, holder_of, may_name_owner, named_by
from bot.core.problems import Place
from tests.core.test_owners import GRPC, HTTP, SERVICE, VIRTUAL, holder
from tests.shared import shared


def rollout(routing: str, *, namespace: str = "") -> str:
    where = f"\n  namespace: {namespace}" if namespace else ""
    head = f"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n  name: r{where}\n"
    return f"{head}spec: {{strategy: {{canary: {{trafficRouting: {routing}}}}}}}\n"


def canary(spec: str, *, namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: {{name: c{where}}}\nspec: {spec}\n"


def named(which: Holder, *texts: str) -> list[str]:
    files = [(f"other/{number}.yaml", read_all(text) or ()) for number, text in enumerate(texts)]
    return [f"{problem.message.partition(' sets ')[0]} {problem.place}" for problem in named_by(which, files)]


PLUGIN = "{plugins: {argoproj-labs/gatewayAPI: %s}}"
KNATIVE_TARGET = "{apiVersion: serving.knative.dev/v1, kind: Service, name: shop}"
DEPLOYMENT = "{apiVersion: apps/v1, kind: Deployment, name: shop}"


class TestNamedBy:
    """Refuse when a Rollout or Canary that names the object is seen."""

    @pytest.mark.parametrize(
        ("which", "text", "who"),
        [
            pytest.param(
                holder(VIRTUAL), rollout("{istio: {virtualService: {name: shop}}}"), "Argo Rollouts", id="one"
            ),
            pytest.param(
                holder(VIRTUAL),
                rollout("{istio: {virtualServices: [{name: a}, {name: shop, routes: [x]}]}}"),
                "Argo Rollouts",
                id="several",
            ),
            pytest.param(
                holder(VIRTUAL), rollout("{istio: {virtualService: {name: shops}}}"), None, id="another"
            ),
            pytest.param(
                holder(VIRTUAL, namespace="live"),
                rollout("{istio: {virtualService: {name: shop.live}}}", namespace="test"),
                "Argo Rollouts",
                id="a namespace behind the name",
            ),
            pytest.param(
                holder(VIRTUAL, namespace="live"),
                rollout("{istio: {virtualService: {name: shop}}}", namespace="test"),
                None,
                id="another namespace",
            ),
            pytest.param(
                holder(VIRTUAL),
                rollout("{istio: {virtualService: {name: shop}}}", namespace="test"),
                "Argo Rollouts",
                id="a namespace that an overlay fills in",
            ),
            pytest.param(
                holder(HTTP), rollout(PLUGIN % "{httpRoute: shop}"), "Argo Rollouts", id="Gateway plugin"
            ),
            pytest.param(
                holder(HTTP, namespace="live"),
                rollout(PLUGIN % "{httpRoutes: [{name: shop}], namespace: live}", namespace="test"),
                "Argo Rollouts",
                id="Gateway plugin, list and namespace",
            ),
            pytest.param(
                holder(HTTP, namespace="live"),
                rollout(PLUGIN % "{httpRoutes: [{name: shop}], namespace: test}"),
                None,
                id="Gateway plugin, another namespace",
            ),
            pytest.param(
                holder(GRPC),
                rollout(PLUGIN % "{grpcRoutes: [{name: shop}]}"),
                "Argo Rollouts",
                id="GRPCRoute",
            ),
            pytest.param(
                holder(GRPC), rollout(PLUGIN % "{httpRoute: shop}"), None, id="another kind of route"
            ),
            pytest.param(
                holder(HTTP),
                rollout("{plugins: {solo-io/glooedge: {httpRoute: shop}}}"),
                None,
                id="another plugin",
            ),
            pytest.param(
                holder(HTTP), rollout("{istio: {virtualService: {name: shop}}}"), None, id="another kind"
            ),
            pytest.param(
                holder(SERVICE),
                canary(f"{{provider: knative, targetRef: {KNATIVE_TARGET}}}"),
                "Flagger",
                id="provider knative",
            ),
            pytest.param(
                holder(SERVICE, namespace="live"),
                canary(f"{{targetRef: {KNATIVE_TARGET}}}", namespace="test"),
                None,
                id="a Canary of another namespace",
            ),
            pytest.param(
                holder(SERVICE),
                canary(f"{{targetRef: {DEPLOYMENT}}}"),
                None,
                id="a Deployment of the same name",
            ),
            pytest.param(
                holder(VIRTUAL),
                canary(f"{{provider: istio, targetRef: {DEPLOYMENT}}}"),
                "Flagger",
                id="apex name",
            ),
            pytest.param(
                holder(VIRTUAL),
                canary(f"{{targetRef: {DEPLOYMENT}, service: {{name: front}}}}"),
                None,
                id="the service's name wins",
            ),
            pytest.param(
                holder(VIRTUAL, "front"),
                canary(f"{{targetRef: {DEPLOYMENT}, service: {{name: front}}}}"),
                "Flagger",
                id="the service's name",
            ),
            pytest.param(
                holder(HTTP),
                canary(f"{{provider: 'gatewayapi:v1', targetRef: {DEPLOYMENT}}}"),
                "Flagger",
                id="provider gatewayapi",
            ),
            pytest.param(
                holder(HTTP),
                canary(f"{{provider: istio, targetRef: {DEPLOYMENT}}}"),
                None,
                id="another provider",
            ),
            pytest.param(holder(VIRTUAL), "kind: Rollout\nmetadata: 7\n", None, id="something else"),
            pytest.param(holder(VIRTUAL), rollout("[1]"), None, id="no mapping"),
        ],
    )
    def test_table(self, which: Holder, text: str, who: str | None) -> None:
        assert named(which, text) == ([f"{who} other/0.yaml:1:1"] if who else [])
        if who:
            assert may_name_owner(text.encode())

    def test_inside_of_a_list_and_behind_another_document(self) -> None:
        inner = rollout("{istio: {virtualService: {name: shop}}}").replace("\n", "\n    ").rstrip()
        text = f"a: 1\n---\napiVersion: v1\nkind: List\nitems:\n  - {inner}\n"
        assert named(holder(VIRTUAL), text) == ["Argo Rollouts other/0.yaml:6:5"]

    def test_says_which_object_and_where(self) -> None:
        (problem,) = named_by(
            holder(VIRTUAL), [("r.yaml", read_all(rollout("{istio: {virtualService: {name: shop}}}")) or ())]
        )
        assert "the Rollout `r` in `r.yaml:1:1`" in problem.message
        assert problem.remedy == "Roll out with Argo Rollouts, or take the route away from it first."

    SKAFFOLD = dedent("""\
        apiVersion: skaffold/v4beta7
        kind: Config
        manifests: {rawYaml: [base.yaml]}
        profiles: [{name: p, manifests: {rawYaml: ['run/*.yaml']}}]
        """)
    PIPELINE = dedent("""\
        apiVersion: deploy.cloud.google.com/v1
        kind: DeliveryPipeline
        serialPipeline: {stages: [{strategy: {canary: {runtimeConfig: {cloudRun: {automaticTrafficControl: true}}}}}]}
        """)

    @pytest.mark.parametrize(
        ("path", "pipeline", "owned"),
        [
            pytest.param("deploy/base.yaml", PIPELINE, True, id="listed"),
            pytest.param("deploy/run/shop.yaml", PIPELINE, True, id="a pattern of a profile"),
            pytest.param("base.yaml", PIPELINE, False, id="paths begin at the Skaffold file"),
            pytest.param("deploy/other.yaml", PIPELINE, False, id="not listed"),
            pytest.param(
                "deploy/base.yaml", PIPELINE.replace("true", "false"), False, id="no traffic control"
            ),
            pytest.param("deploy/base.yaml", "a: 1\n", False, id="Skaffold alone sets no traffic"),
        ],
    )
    def test_cloud_deploy(self, path: str, pipeline: str, *, owned: bool) -> None:
        which = holder_of(*SERVICE, {"name": "shop"}, Place(path, 3))
        files = [
            ("deploy/skaffold.yaml", read_all(self.SKAFFOLD) or ()),
            ("deploy/pipeline.yaml", read_all(pipeline) or ()),
        ]
        found = named_by(which, files)
        assert [problem.place for problem in found] == (
            [Place("deploy/skaffold.yaml", 1, 1)] if owned else []
        )
        assert may_name_owner(self.SKAFFOLD.encode())
        assert may_name_owner(self.PIPELINE.encode())

    @given(
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=5),
            lambda v: (
                st.lists(v, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["spec", "strategy", "canary", "trafficRouting", "istio", "plugins", "targetRef"]
                    ),
                    v,
                )
            ),
        )
    )
    def test_any_document_is_read(self, spec: Any) -> None:
        for version, kind in [
            ("argoproj.io/v1", "Rollout"),
            ("flagger.app/v1", "Canary"),
            ("skaffold/v1", "Config"),
        ]:
            document = {
                "apiVersion": version,
                "kind": kind,
                "spec": spec,
                "metadata": spec,
                "manifests": spec,
            }
            for which in (SERVICE, VIRTUAL, HTTP):
                assert named_by(holder(which), [("a", (document, spec))]) == ()


class TestPreFilter:
    """Only candidate files are parsed."""

    @pytest.mark.parametrize(
        ("content", "may"),
        [
            pytest.param(b"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n", True, id="Rollout"),
            pytest.param("apiVersion: flagger.app/v1\nkind: Canary".encode("utf-16"), True, id="UTF-16"),
            pytest.param(b"apiVersion: argoproj.io/v1alpha1\nkind: Application\n", False, id="Application"),
            pytest.param(b"kind: Canary\n", False, id="no group"),
            pytest.param(b"", False, id="empty"),
        ],
    )
    def test_table(self, content: bytes, *, may: bool) -> None:
        assert may_name_owner(content) is may


class TestCorpus:
    """Rollouts of Argo's own examples name the VirtualServices beside them."""

    def test_virtual_services_of_argo_rollouts(self) -> None:
        owned: list[str] = []
        free: list[str] = []
        for path in sorted((shared("corpus") / "multi-doc").glob("argoproj__argo-rollouts__*")):
            text = path.read_text("utf-8")
            documents = read_all(text) or ()
            for found in objects(documents):
                if found.get("kind") == "VirtualService":
                    which = holder_of(found["apiVersion"], "VirtualService", found["metadata"])
                    (owned if named_by(which, [(path.name, documents)]) else free).append(text)
        assert len(owned) >= 12
        assert all(may_name_owner(text.encode()) for text in owned)
        assert free, "some of them have a Rollout that routes otherwise, or none"
        assert not [text for text in free if "istio:\n" in text and "kind: Rollout" in text]
