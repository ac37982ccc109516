"""Weighted routes that are declined with their line, and those that another controller sets."""

from __future__ import annotations

import pytest

from bot.manifests.source import LARGEST_DOCUMENT
from bot.manifests.weighted import find_routes
from tests.manifests.weighted_examples import HTTP_ROUTE, route_of, routes
from tests.manifests.weighted_examples import VIRTUAL_SERVICE_HEAD as VS


def problems(text: str) -> list[tuple[str, int | None]]:
    return [
        (problem.code, problem.place.line if problem.place else None)
        for problem in find_routes(text.encode(), "route.yaml").problems
    ]


class TestDeclined:
    """What cannot be edited is declined with its line, and its neighbours stay."""

    @pytest.mark.parametrize(
        ("text", "code", "line"),
        [
            pytest.param(
                route_of("destination: {host: a}\n      weight: 1000000000000"),
                "not-a-plain-number",
                9,
                id="huge",
            ),
            pytest.param(
                HTTP_ROUTE.replace("weight: 9", "weight: 1000001"),
                "split-invalid",
                17,
                id="more than a million",
            ),
            pytest.param(route_of("weight: 1"), "split-invalid", 8, id="no destination"),
            pytest.param(route_of("destination: {host: 7}"), "split-invalid", 8, id="a host that is no text"),
            pytest.param(
                route_of("destination: {host: '{{ x }}'}"),
                "template-language",
                8,
                id="a host filled in later",
            ),
            pytest.param(route_of("reviews"), "traffic-block-unusual", 8, id="no mapping"),
            pytest.param(VS + "  - route: {}\n", "traffic-block-unusual", 7, id="no list"),
            pytest.param(VS.replace("http:", "http: {}"), "traffic-block-unusual", 6, id="rules are no list"),
            pytest.param(
                VS + "  - &r {route: [{destination: {host: a}}]}\n",
                "alias-in-block",
                7,
                id="anchor at a rule",
            ),
            pytest.param(
                VS.replace("http:", "http: &h") + "  - route: []\n",
                "alias-in-block",
                6,
                id="anchor at the rules",
            ),
            pytest.param(
                VS.replace("http:", "http: !x") + "  - route: []\n", "tag-in-block", 6, id="tag at the rules"
            ),
            pytest.param(VS + "  - <<: {a: 1}\n    route: []\n", "alias-in-block", 7, id="merge key"),
            pytest.param(
                route_of("destination: {host: a} # \u200b"), "hidden-character-in-block", 8, id="invisible"
            ),
            pytest.param(
                route_of("destination: {host: a}\n      weight: 1\n      weight: 2"),
                "duplicate-key",
                10,
                id="twice",
            ),
            pytest.param(VS.replace("{name: reviews}", "{}"), "split-invalid", 3, id="no name"),
            pytest.param(
                VS.replace("name: reviews", "name: $(X)"), "template-language", 3, id="a name filled in later"
            ),
            pytest.param(VS + "{{ if .Values.canary }}\n", "template-language", 7, id="Helm"),
            pytest.param(VS + "  - route: [\n", "yaml-invalid", 7, id="not YAML"),
            pytest.param(
                "apiVersion: networking.x-k8s.io/v1alpha1\nkind: HTTPRoute\nmetadata: {name: a}\n",
                "unsupported-api",
                1,
                id="the former group",
            ),
            pytest.param(
                "apiVersion: v1\nkind: List\nitems: &i\n"
                + "".join(
                    f"  {x}\n"
                    for x in [
                        "- apiVersion: networking.istio.io/v1",
                        "  kind: VirtualService",
                        "  metadata: {name: a}",
                    ]
                ),
                "alias-in-block",
                3,
                id="anchor at a list",
            ),
            pytest.param(VS + "# " + "x" * LARGEST_DOCUMENT, "file-too-large", 1, id="too large"),
        ],
    )
    def test_with_a_line(self, text: str, code: str, line: int) -> None:
        assert problems(text) == [(code, line)]

    def test_neighbours_stay(self) -> None:
        text = HTTP_ROUTE.replace("weight: 9", "weight: '9'")
        found = find_routes(text.encode(), "a.yaml")
        assert [r.where for r in found.routes] == ["rules[1]"]
        assert [p.code for p in found.problems] == ["not-a-plain-number"]

    def test_all_destinations_are_told_of(self) -> None:
        text = HTTP_ROUTE.replace("weight: 9", "weight: 09").replace("weight: 1\n", "weight: 1_0\n")
        assert problems(text) == [("not-a-plain-number", 17), ("not-a-plain-number", 20)]


class TestForeign:
    """A route that another controller writes to is told of."""

    @pytest.mark.parametrize(
        ("metadata", "who"),
        [
            pytest.param(
                "labels: {rollouts.argoproj.io/gatewayapi-canary: in-progress}", "Argo Rollouts", id="plugin"
            ),
            pytest.param(
                "annotations: {argo-rollouts.argoproj.io/managed-by-rollouts: r}",
                "Argo Rollouts",
                id="managed by",
            ),
            pytest.param(
                "annotations: {flagger.app/primary-revision: r}", "Flagger", id="Flagger's annotation"
            ),
            pytest.param("labels: {app.kubernetes.io/managed-by: flagger}", "Flagger", id="Flagger's label"),
            pytest.param(
                "ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, name: a}]",
                "Flagger",
                id="owner",
            ),
            pytest.param(
                "ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: a}]",
                "Argo Rollouts",
                id="Rollout",
            ),
            pytest.param(
                "annotations: {argocd.argoproj.io/sync-wave: '1'}", None, id="Argo CD sets no weights"
            ),
            pytest.param("labels: {app.kubernetes.io/managed-by: Helm}", None, id="Helm"),
            pytest.param(
                "ownerReferences: [{apiVersion: apps/v1, kind: Deployment}]", None, id="another owner"
            ),
        ],
    )
    def test_marks(self, metadata: str, who: str | None) -> None:
        text = HTTP_ROUTE.replace("  name: store\n", f"  name: store\n  {metadata}\n", 1)
        found = routes(text.encode())
        assert len(found) == 2
        for route in found:
            problem = route.foreign
            assert (problem is None) == (who is None)
            if problem and who:
                assert problem.code == "foreign-controller"
                assert problem.message.startswith(f"{who} sets the weights")
                assert problem.place
                assert problem.place.line == 3
