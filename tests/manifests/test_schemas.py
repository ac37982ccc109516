"""Whatever the bot writes, the platforms' own CustomResourceDefinitions accept it, if they did before.

The corpus is judged so in ``test_corpus_rollouts``, generated manifests in ``test_every_kind``; the
scenarios by a fixture of theirs. Here is what the schemas are worth, and the manifests of the project.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bot.manifests.workload import find
from tests.contract.lane import FIGURES
from tests.manifests import weighted_examples
from tests.manifests.crds import FILES, Watch, errors, validators
from tests.manifests.every_rollout import Walk, pair_of, refusal, rules_of
from tests.scenarios.test_targets import CASES
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (5, 25, 50, 99)
KNATIVE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: shop}
spec:
  template: {spec: {containers: [{image: shop}]}}
  traffic:
  - {revisionName: shop-00041, percent: 90}
  - {revisionName: shop-00042, percent: 10, tag: candidate}
"""
ROUTE = KNATIVE.replace("kind: Service", "kind: Route").replace(
    "  template: {spec: {containers: [{image: shop}]}}\n", ""
)
MESH = weighted_examples.route_of(
    "destination: {host: a, subset: v1}\n      weight: 90",
    "destination: {host: a, subset: v2}\n      weight: 10",
)
GATEWAY = """\
apiVersion: gateway.networking.k8s.io/VERSION
kind: KIND
metadata: {name: shop}
spec:
  HOSTS
  rules:
  - backendRefs:
    - {name: a, port: 80, weight: 90}
    - {name: b, port: 80, weight: 10}
"""


def gateway(kind: str, version: str) -> str:
    # The last two kinds route by server name or port: a host is needed for the one and unknown to the other.
    hosts = {"TLSRoute": "hostnames: [shop.example]", "TCPRoute": ""}.get(kind, "hostnames: [shop.example]")
    return (
        GATEWAY.replace("KIND", kind)
        .replace("VERSION", version)
        .replace("  HOSTS\n", hosts and f"  {hosts}\n")
    )


TEXTS: dict[tuple[str, str], str] = {
    ("serving.knative.dev/v1", "Service"): KNATIVE,
    ("serving.knative.dev/v1", "Route"): ROUTE,
    **{
        (f"networking.istio.io/{version}", "VirtualService"): MESH.replace(
            "istio.io/v1", f"istio.io/{version}"
        )
        for version in ("v1", "v1beta1", "v1alpha3")
    },
    **{
        (f"gateway.networking.k8s.io/{version}", kind): gateway(kind, version)
        for kind, versions in {
            "HTTPRoute": ("v1", "v1beta1"),
            "GRPCRoute": ("v1",),
            "TCPRoute": ("v1", "v1alpha2"),
            "TLSRoute": ("v1", "v1alpha2", "v1alpha3"),
        }.items()
        for version in versions
    },
}
EVERY = pytest.mark.parametrize("key", TEXTS, ids=" ".join)


def walked(content: bytes, path: str, watch: Watch) -> int:
    """Start, step, finish and roll back everything in a file; gives the number of rollouts."""
    count = 0
    for workload in find(content, path).workloads:
        for one in rules_of(workload):
            if refusal(content, one) is not None:
                continue
            others = [t.effective_percent for t in one.split.targets[2:]]
            if one.rule is not None and any(others):
                continue  # declined: a third destination has weight
            first = Walk(content, one, pair_of(one), watch)
            walk = started = first.start(STEPS[0])
            started.back()
            for weight in STEPS[1:]:
                walk = walk.to(weight)
            walk.to(100).back()
            count += 1
    return count


def data_of(key: tuple[str, str]) -> Any:
    return yaml.load(TEXTS[key], Loader=yaml.CSafeLoader)


def entries(data: Any) -> Any:
    """Give the list whose entries get the traffic."""
    spec = data["spec"]
    if "traffic" in spec:
        return spec["traffic"]
    return spec["http"][0]["route"] if "http" in spec else spec["rules"][0]["backendRefs"]


class TestTheSchemas:
    """What a schema refuses, and what it leaves to a webhook."""

    def test_all_versions_have_an_example(self) -> None:
        assert set(TEXTS) == set(validators())

    @EVERY
    def test_accepted(self, key: tuple[str, str]) -> None:
        assert errors(data_of(key)) == []

    @EVERY
    @pytest.mark.parametrize(
        ("value", "why"),
        [
            pytest.param("10", "is not of type", id="a percent as text"),
            pytest.param(10.5, "is not of type", id="a fraction"),
            pytest.param(True, "is not of type", id="true"),
            pytest.param(2**63, "is greater than the maximum", id="more than a machine word"),
            pytest.param({}, "is not of type", id="a mapping"),
        ],
    )
    def test_another_weight_is_refused(self, key: tuple[str, str], value: object, why: str) -> None:
        data = data_of(key)
        field = "percent" if "knative" in key[0] else "weight"
        assert field in entries(data)[0]
        entries(data)[0][field] = value
        (error,) = errors(data) or [""]
        assert why in error
        assert error.split(":")[0].endswith(f".0.{field}")

    @EVERY
    @pytest.mark.parametrize("where", ["object", "metadata", "spec", "entry"])
    def test_an_unknown_field_is_refused(self, key: tuple[str, str], where: str) -> None:
        data = data_of(key)
        holder = {
            "object": data,
            "metadata": data["metadata"],
            "spec": data["spec"],
            "entry": entries(data)[0],
        }[where]
        holder["wieght"] = 5
        (error,) = errors(data) or [""]
        assert "'wieght' was unexpected" in error

    @EVERY
    def test_a_range_is_the_gateways_only(self, key: tuple[str, str]) -> None:
        """Knative's and Istio's schemas take -1: their webhooks say no. The bot's reader lets it in nowhere."""
        data = data_of(key)
        field = "percent" if "knative" in key[0] else "weight"
        entries(data)[0][field] = -1
        assert bool(errors(data)) == ("gateway" in key[0])
        found = find(TEXTS[key].replace(f"{field}: 90", f"{field}: -1").encode(), "a.yaml")
        assert [problem.code for problem in found.problems] == ["not-a-plain-number"]

    @EVERY
    def test_a_null_counts_as_absent(self, key: tuple[str, str]) -> None:
        data = data_of(key)
        entries(data)[0]["weight" if "knative" not in key[0] else "percent"] = None
        data["metadata"]["creationTimestamp"] = None
        assert errors(data) == []

    def test_a_service_keeps_what_its_schema_does_not_look_into(self) -> None:
        """So nothing is proven of ``template.metadata`` but the types of the few fields that it names."""
        data = data_of(("serving.knative.dev/v1", "Service"))
        data["spec"]["template"]["metadata"] = {"name": "shop-00042", "unknown": 1}
        assert errors(data) == []
        data["spec"]["template"]["metadata"] = {"name": 42}
        assert errors(data)

    def test_a_cpu_is_a_number_or_text(self) -> None:
        data = data_of(("serving.knative.dev/v1", "Service"))
        container = data["spec"]["template"]["spec"]["containers"][0]
        for value, accepted in ((1, True), ("500m", True), ("much", False), ([], False)):
            container["resources"] = {"limits": {"cpu": value}}
            assert (errors(data) == []) == accepted

    def test_what_has_no_schema(self) -> None:
        data = data_of(("serving.knative.dev/v1", "Service"))
        assert errors(data | {"apiVersion": "serving.knative.dev/v1alpha1"}) is None
        assert errors({"kind": "ConfigMap", "apiVersion": "v1"}) is None
        assert errors(None) is None


class TestTheWatch:
    """The hook that other tests hang in where files are written."""

    def test_wrong(self) -> None:
        watch = Watch()
        before = (KNATIVE + "---\n" + MESH).encode()
        watch.written(before, before.replace(b"weight: 90", b"weight: '90'"), "here")
        (line,) = watch.wrong
        assert line.startswith("here VirtualService/networking.istio.io/v1: spec.http.0.route.0.weight: ")
        assert not watch.seen

    def test_refused_before(self) -> None:
        watch = Watch()
        before = KNATIVE.replace("  template", "  temp: 1\n  template").encode()
        watch.written(before, before.replace(b"percent: 90", b"percent: 80"))
        assert (watch.wrong, watch.seen) == ([], {"Service/serving.knative.dev/v1: refused before": 1})

    def test_an_entry_of_a_list(self) -> None:
        watch = Watch()
        items = [data_of(key) for key in TEXTS]
        changed = copy.deepcopy(items)
        entries(changed[-1])[1]["weight"] = -1
        head = {"apiVersion": "v1", "kind": "List"}
        before, after = (json.dumps(head | {"items": one}).encode() for one in (items, changed))
        watch.written(before, after)
        assert len(watch.wrong) == 1

    def test_what_is_the_same_is_not_counted(self) -> None:
        watch = Watch()
        watch.written(KNATIVE.encode(), KNATIVE.encode())
        assert (watch.accepted, watch.seen) == (0, {})


class TestWhatIsWritten:
    @EVERY
    def test_every_kind_and_version(self, key: tuple[str, str]) -> None:
        watch = Watch()
        assert walked(TEXTS[key].encode(), "a.yaml", watch) == 1
        assert watch.wrong == []
        assert watch.seen == {f"{key[1]}/{key[0]}: accepted": 2 + len(STEPS) + 1}

    @pytest.mark.parametrize("name", ["customer", "dumpy-legacy", "dumpy-release", "sentence-virtualservice"])
    def test_the_shared_examples(self, name: str) -> None:
        watch = Watch()
        assert walked((shared("examples") / f"{name}.yaml").read_bytes(), name, watch) == 1
        assert watch.wrong == []
        # There is no schema of v1alpha1: the rules of its server were asked at every edit.
        assert all(label.endswith((": accepted", "v1alpha1: no schema")) for label in watch.seen)
        assert watch.seen.total() >= len(STEPS) + 1

    def test_the_examples_of_the_tests(self, record_property: Callable[[str, object], None]) -> None:
        watch = Watch()
        texts = {name: case.content for name, case in CASES.items()}
        texts |= {name: text.encode() for name, text in weighted_examples.EXAMPLES.items()}
        for name, content in texts.items():
            walked(content, name, watch)
        assert watch.wrong == []
        assert not [label for label in watch.seen if label.endswith("refused before")], watch.seen
        kinds = {label.split("/")[0] for label in watch.seen if label.endswith(": accepted")}
        # The example of a GRPCRoute has a third destination with weight.
        assert kinds == {kind for _, kind in FILES} - {"GRPCRoute"}
        record_property(FIGURES, f"written in the examples, accepted by the schemas: {watch.accepted}")
