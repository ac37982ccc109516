"""Whether a path of Argo CD covers a weight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.doctor.weights import FIELDS, Covers, jq_covers, kinds_of, pointer_covers

KNATIVE = kinds_of("serving.knative.dev", "Service")
ISTIO = kinds_of("networking.istio.io", "VirtualService")
GATEWAY = kinds_of("gateway.networking.k8s.io", "HTTPRoute")


class TestKinds:
    """Group and kind select the kinds that carry weights; both take ``*``."""

    @pytest.mark.parametrize(
        ("group", "kind", "count"),
        [
            pytest.param("serving.knative.dev", "Service", 1, id="a kind"),
            pytest.param("", "Service", 0, id="a Service of the core group is another thing"),
            pytest.param("*", "Service", 1, id="any group"),
            pytest.param("gateway.networking.k8s.io", "*", 5, id="any kind of a group"),
            pytest.param("*", "*", len(FIELDS), id="everything"),
            pytest.param("apps", "Deployment", 0, id="a kind without weights"),
        ],
    )
    def test_table(self, group: str, kind: str, count: int) -> None:
        assert len(kinds_of(group, kind)) == count


class TestPointers:
    """A JSON pointer covers a weight when it names it or something that holds it."""

    @pytest.mark.parametrize(
        ("pointer", "keys", "covers"),
        [
            pytest.param("/spec/traffic", KNATIVE, True, id="the block"),
            pytest.param("/spec", KNATIVE, True, id="what holds the block"),
            pytest.param("", KNATIVE, True, id="the whole object"),
            pytest.param("/spec/traffic/0/percent", KNATIVE, True, id="one percent"),
            pytest.param("/spec/traffic/0/revisionName", KNATIVE, True, id="whose percent it is"),
            pytest.param("/spec/traffic/0/tag", KNATIVE, False, id="a tag is no weight"),
            pytest.param("/spec/traffic/0/percent/x", KNATIVE, False, id="below a number is nothing"),
            pytest.param("/spec/release/rolloutPercent", KNATIVE, True, id="legacy"),
            pytest.param("/spec/template", KNATIVE, False, id="the template"),
            pytest.param("/metadata/annotations/a~1b", KNATIVE, False, id="an annotation"),
            pytest.param("/spec/trafficPolicy", ISTIO, False, id="a longer name"),
            pytest.param("spec/traffic", KNATIVE, False, id="no pointer at all"),
            pytest.param("/spec/http/0/route/1/weight", ISTIO, True, id="Istio"),
            pytest.param("/spec/http/0/match", ISTIO, False, id="a match of Istio"),
            pytest.param("/spec/tls", ISTIO, True, id="Istio, TLS"),
            pytest.param("/spec/rules/0/backendRefs", GATEWAY, True, id="Gateway API"),
            pytest.param("/spec/rules/0/filters", GATEWAY, False, id="a filter of Gateway API"),
            pytest.param("/spec/http", KNATIVE, False, id="another kind's field"),
        ],
    )
    def test_table(self, pointer: str, keys: tuple[tuple[str, str], ...], *, covers: bool) -> None:
        assert pointer_covers(pointer, keys) is (Covers.YES if covers else Covers.NO)


class TestExpressions:
    """A jq path covers a weight as a pointer does; what is no plain path may."""

    @pytest.mark.parametrize(
        ("expression", "keys", "covers"),
        [
            pytest.param(".spec.traffic", KNATIVE, Covers.YES, id="the block"),
            pytest.param(".spec.traffic[].percent", KNATIVE, Covers.YES, id="each percent"),
            pytest.param(".spec.traffic[]?.percent?", KNATIVE, Covers.YES, id="question marks"),
            pytest.param('.spec["traffic"][0]', KNATIVE, Covers.YES, id="brackets"),
            pytest.param('."spec"."traffic"', KNATIVE, Covers.YES, id="quoted names"),
            pytest.param(".spec | .traffic | .[] | .percent", KNATIVE, Covers.YES, id="pipes"),
            pytest.param("(.spec.traffic)", KNATIVE, Covers.YES, id="parentheses"),
            pytest.param(".", KNATIVE, Covers.YES, id="everything"),
            pytest.param(".spec[]", KNATIVE, Covers.YES, id="all fields"),
            pytest.param(".metadata.labels, .spec.traffic", KNATIVE, Covers.YES, id="the second of two"),
            pytest.param('.spec.traffic[] | select(.tag == "a,b(")', KNATIVE, Covers.YES, id="narrowed"),
            pytest.param(".spec.template.spec.containers[].image", KNATIVE, Covers.NO, id="an image"),
            pytest.param(".spec.traffic[].tag", KNATIVE, Covers.NO, id="tags"),
            pytest.param(".spec.http[].route[].weight", ISTIO, Covers.YES, id="Istio"),
            pytest.param(".spec.rules[].backendRefs[1:].weight", GATEWAY, Covers.YES, id="a slice"),
            pytest.param('.spec.rules[].filters[] | select(.type=="x")', GATEWAY, Covers.NO, id="filters"),
            pytest.param(".. | .weight?", ISTIO, Covers.MAYBE, id="anywhere"),
            pytest.param(
                '.spec | to_entries[] | select(.key=="traffic")',
                KNATIVE,
                Covers.MAYBE,
                id="a field picked by condition",
            ),
            pytest.param("paths(.traffic)", KNATIVE, Covers.MAYBE, id="a function"),
            pytest.param("del(.status)", KNATIVE, Covers.NO, id="a function of something else"),
            pytest.param(".spec" + ".a" * 2000, KNATIVE, Covers.MAYBE, id="too long to read"),
        ],
    )
    def test_table(self, expression: str, keys: tuple[tuple[str, str], ...], covers: Covers) -> None:
        assert jq_covers(expression, keys) is covers

    @given(st.text(alphabet='.[]()|"?,*select \\ab0:-{}', max_size=60))
    def test_anything_has_an_answer(self, expression: str) -> None:
        assert jq_covers(expression, KNATIVE) in Covers

    def test_a_hostile_one_is_read_quickly(self) -> None:
        # Each of the calls of ``select`` would be looked through to the end of the text.
        assert jq_covers("select(" * 30_000, KNATIVE) is Covers.MAYBE
