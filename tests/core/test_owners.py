"""Who else sets the split of an object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.owners import (
    Holder,
    cautions,
    holder_of,
    image_marker,
    verdict,
)
from bot.core.problems import Place

HERE = Place("apps/shop.yaml", 1)
SERVICE = ("serving.knative.dev/v1", "Service")
ROUTE = ("serving.knative.dev/v1", "Route")
VIRTUAL = ("networking.istio.io/v1beta1", "VirtualService")
HTTP = ("gateway.networking.k8s.io/v1", "HTTPRoute")
GRPC = ("gateway.networking.k8s.io/v1", "GRPCRoute")


def holder(
    which: tuple[str, str], name: str = "shop", namespace: str | None = None, **metadata: Any
) -> Holder:
    return holder_of(*which, {"name": name, "namespace": namespace, **metadata}, HERE)


def owner(api_version: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": "x", **more}]}


def label(key: str, value: str = "x") -> dict[str, Any]:
    return {"labels": {key: value}}


def note(key: str, value: str = "x") -> dict[str, Any]:
    return {"annotations": {key: value}}


class TestMarks:
    """Refuse when such an annotation or the Gateway plugin's in-progress label is seen."""

    @pytest.mark.parametrize(
        ("which", "metadata", "who"),
        [
            pytest.param(
                HTTP,
                label("rollouts.argoproj.io/gatewayapi-canary", "in-progress"),
                "Argo Rollouts",
                id="in-progress label",
            ),
            pytest.param(
                VIRTUAL,
                note("argo-rollouts.argoproj.io/managed-by-rollouts"),
                "Argo Rollouts",
                id="managed by",
            ),
            pytest.param(
                SERVICE, note("flagger.app/primary-revision"), "Flagger", id="Flagger's Knative provider"
            ),
            pytest.param(
                HTTP, label("app.kubernetes.io/managed-by", "flagger"), "Flagger", id="made by Flagger"
            ),
            pytest.param(
                SERVICE,
                label("deploy.cloud.google.com/delivery-pipeline-id"),
                "Cloud Deploy",
                id="Cloud Deploy manages the stanza itself",
            ),
            pytest.param(
                SERVICE,
                note("deploy.cloud.google.com/release-id"),
                "Cloud Deploy",
                id="Cloud Deploy, annotation",
            ),
            pytest.param(
                HTTP, label("app.kubernetes.io/managed-by", "Flagger"), "Flagger", id="a capital letter"
            ),
            pytest.param(
                HTTP,
                label("app.kubernetes.io/managed-by", "google-cloud-deploy"),
                "Cloud Deploy",
                id="Cloud Deploy, Gateway API",
            ),
            pytest.param(
                VIRTUAL,
                label("deploy.cloud.google.com/target-id"),
                None,
                id="Cloud Deploy labels all, and sets no weights of Istio",
            ),
            pytest.param(VIRTUAL, owner("flagger.app/v1beta1", "Canary"), "Flagger", id="owned by a Canary"),
            pytest.param(
                HTTP, owner("argoproj.io/v1alpha1", "Rollout"), "Argo Rollouts", id="owned by a Rollout"
            ),
            pytest.param(
                ROUTE,
                owner("serving.knative.dev/v1", "Service", controller=True),
                "The controller of the `Service` `x`",
                id="a Route that a Service owns",
            ),
            pytest.param(
                SERVICE,
                owner("serving.kserve.io/v1beta1", "InferenceService", controller=True),
                "The controller of the `InferenceService` `x`",
                id="a Service that an operator owns",
            ),
            pytest.param(
                SERVICE, owner("apps.example.com/v1", "App"), None, id="an owner for garbage collection only"
            ),
            pytest.param(
                SERVICE,
                owner("a/v1", "App", controller="true"),
                None,
                id="a controller that is text, not true",
            ),
            pytest.param(
                SERVICE, note("argocd.argoproj.io/sync-wave", "1"), None, id="Argo CD sets no weights"
            ),
            pytest.param(SERVICE, label("app.kubernetes.io/managed-by", "Helm"), None, id="Helm"),
            pytest.param(SERVICE, note("note", "flagger.app/x"), None, id="a value is no key"),
            pytest.param(SERVICE, note("notflagger.app/x"), None, id="another domain that ends alike"),
            pytest.param(SERVICE, {}, None, id="nothing"),
        ],
    )
    def test_who(self, which: tuple[str, str], metadata: dict[str, Any], who: str | None) -> None:
        problems = verdict(holder(which, **metadata))
        assert len(problems) == (who is not None)
        for problem in problems:
            assert problem.code == "foreign-controller"
            assert problem.message.startswith(f"{who} sets the ")
            assert problem.remedy
            assert problem.place == HERE

    def test_each_owner_is_told_of_once(self) -> None:
        marks: dict[str, Any] = {
            "labels": {"deploy.cloud.google.com/target-id": "a", "deploy.cloud.google.com/location": "b"},
            "annotations": {"flagger.app/primary-revision": "c", "flagger.app/other": "d"},
        }
        found = verdict(holder(SERVICE, **marks))
        assert [p.message.partition(" sets ")[0] for p in found] == ["Cloud Deploy", "Flagger"]

    @pytest.mark.parametrize(
        ("which", "words"),
        [
            pytest.param(SERVICE, "the traffic of this service", id="service"),
            pytest.param(ROUTE, "the traffic of this route", id="Knative's route"),
            pytest.param(VIRTUAL, "the weights of this route", id="Istio"),
        ],
    )
    def test_says_what_is_set(self, which: tuple[str, str], words: str) -> None:
        (problem,) = verdict(holder(which, **note("flagger.app/x")))
        assert words in problem.message

    def test_text_of_the_file_is_inert(self) -> None:
        marks = owner("a/v1", "@team [x](http://y)", controller=True)
        (problem,) = verdict(holder(SERVICE, **marks))
        assert "`@team [x](http://y)`" in problem.message

    @given(
        st.recursive(
            st.none() | st.booleans() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
        )
    )
    def test_any_metadata_is_read(self, metadata: Any) -> None:
        found = holder_of(*SERVICE, metadata)
        assert isinstance(verdict(found) + cautions(found), tuple)


class TestCautions:
    """What disturbs a rollout is said, and forbids nothing."""

    @pytest.mark.parametrize(
        ("which", "metadata", "codes"),
        [
            pytest.param(
                SERVICE,
                note("serving.knative.dev/rollout-duration", "240s"),
                ["rollout-duration"],
                id="one spelling",
            ),
            pytest.param(
                SERVICE,
                note("serving.knative.dev/rolloutDuration", "4m"),
                ["rollout-duration"],
                id="the other spelling",
            ),
            pytest.param(SERVICE, note("serving.knative.dev/rollout-duration", "0s"), [], id="switched off"),
            pytest.param(
                VIRTUAL, note("serving.knative.dev/rollout-duration", "240s"), [], id="no Knative object"
            ),
            pytest.param(
                SERVICE,
                note("argocd-image-updater.argoproj.io/image-list", "a=b"),
                ["image-updater"],
                id="Argo CD Image Updater",
            ),
            pytest.param(SERVICE, note("argocd.argoproj.io/sync-wave", "1"), [], id="Argo CD"),
        ],
    )
    def test_table(self, which: tuple[str, str], metadata: dict[str, Any], codes: list[str]) -> None:
        found = cautions(holder(which, **metadata))
        assert [problem.code for problem in found] == codes
        assert all(problem.place == HERE and problem.remedy for problem in found)
        assert not verdict(holder(which, **metadata))

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            pytest.param('image: a:1 # {"$imagepolicy": "flux-system:a"}\n', 1, id="whole image"),
            pytest.param(
                'a: 1\r\nnewTag: "1" # {"$imagepolicy": "flux-system:a:tag"}\r\n', 2, id="tag, CRLF"
            ),
            pytest.param("#{'$imagepolicy':'a:b'}", 1, id="written closely"),
            pytest.param('text: {"$imagepolicy": "no comment"}', None, id="no comment"),
            pytest.param("# about $imagepolicy", None, id="a comment about it"),
        ],
    )
    def test_flux_markers(self, text: str, line: int | None) -> None:
        found = image_marker(text.encode(), "a.yaml")
        assert (found.place if found else None) == (Place("a.yaml", line) if line else None)
        assert found is None or found.code == "image-updater"
