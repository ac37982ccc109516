"""Knative Routes: found, judged and edited with the promises that a Service has."""

from __future__ import annotations

import pytest

from bot.core.findings import Level
from bot.core.problems import Declined
from bot.core.traffic import Split, Target, shift
from bot.manifests.checking import check
from bot.manifests.judge import later_problems, server_refusal
from bot.manifests.knative import Manifest, edit_service, find_services, is_candidate

PATH = "apps/route.yaml"
HEAD = """\
apiVersion: serving.knative.dev/v1
kind: Route
metadata:
  name: shop
spec:
"""  # five lines
BLOCK = """\
  traffic:
  - configurationName: shop   # follows
    percent: 100
"""
PAIR = """\
  traffic:
    # the old one
    - revisionName: shop-v1
      percent: 90
      tag: current
    - configurationName: shop-next
      percent: 10
"""
SERVICE = (
    "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: shop\nspec:\n  template: {}\n"
)


def one(text: str | bytes) -> Manifest:
    found = find_services(text if isinstance(text, bytes) else text.encode(), PATH)
    assert not found.problems
    (manifest,) = found.manifests
    return manifest


def edited(text: str, *targets: Target) -> str:
    return edit_service(text.encode(), PATH, one(text), targets=targets).decode()


class TestFound:
    """A Route is found as a Service is, with its targets and without a template."""

    def test_what_is_read(self) -> None:
        manifest = one("a: 1\n---\n" + HEAD.replace("name: shop", "name: shop\n  namespace: eu") + PAIR)
        assert (manifest.kind, manifest.id, manifest.document, manifest.item) == (
            "Route",
            "Route:eu/shop",
            1,
            None,
        )
        assert manifest.targets == (
            Target("shop-v1", 90, "current"),
            Target(percent=10, configuration="shop-next"),
        )
        assert [target.floats for target in manifest.targets] == [False, True]
        assert manifest.traffic_lines == (9, 15)
        assert (manifest.template, manifest.template_name, manifest.template_name_line) == (None, None, None)

    @pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
    def test_versions(self, version: str) -> None:
        assert one(HEAD.replace("/v1", f"/{version}") + BLOCK).api_version == f"serving.knative.dev/{version}"

    def test_a_service_of_the_same_name_is_another_object(self) -> None:
        content = (SERVICE + "---\n" + HEAD + BLOCK).encode()
        service, route = find_services(content, PATH, name="shop").manifests
        assert (service.id, route.id) == ("/shop", "Route:/shop")
        after = edit_service(content, PATH, route, targets=(Target("shop-v1", 100, slot=0),))
        assert after == content.replace(b"configurationName: shop ", b"revisionName: shop-v1 ")
        after = edit_service(content, PATH, service, targets=(Target("shop-v1", 100),))
        assert after.endswith(b"---\n" + (HEAD + BLOCK).encode())

    def test_a_file_of_routes_only_is_looked_at(self) -> None:
        assert is_candidate((HEAD + BLOCK).encode())
        assert is_candidate((HEAD + BLOCK).encode("utf-16"))
        assert not is_candidate(b"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n")

    def test_an_unknown_template_is_left_alone(self) -> None:
        content = HEAD + BLOCK + "  template: {metadata: {name: x}}\n"
        assert one(content).template_name is None
        with pytest.raises(Declined) as error:
            edit_service(content.encode(), PATH, one(content), template_name="shop-v2")
        assert error.value.problems[0].message == "The route has no `spec.template`."


@pytest.mark.parametrize(
    ("before", "targets", "after"),
    [
        pytest.param(
            BLOCK,
            (Target(percent=75, slot=0, configuration="shop"), Target("shop-v2", 25, "candidate")),
            "  traffic:\n  - configurationName: shop   # follows\n    percent: 75\n"
            "  - tag: candidate\n    revisionName: shop-v2\n    percent: 25\n",
            id="a revision beside a configuration",
        ),
        pytest.param(
            PAIR,
            (
                Target("shop-v1", 80, "current", slot=0),
                Target(percent=10, slot=1, configuration="shop-next"),
                Target(percent=10, configuration="shop-other"),
            ),
            PAIR.replace("90", "80") + "    - configurationName: shop-other\n      percent: 10\n",
            id="another configuration",
        ),
        pytest.param(
            BLOCK,
            (Target("shop-v1", 100, slot=0),),
            "  traffic:\n  - revisionName: shop-v1   # follows\n    percent: 100\n",
            id="a configuration gives its line to a revision",
        ),
        pytest.param(
            "  traffic:\n  - revisionName: shop-v1\n    latestRevision: false\n    percent: 100\n",
            (Target(percent=100, latest=True, slot=0, configuration="shop"),),
            "  traffic:\n  - configurationName: shop\n    latestRevision: true\n    percent: 100\n",
            id="a revision gives its line to a configuration",
        ),
        pytest.param(
            PAIR,
            (Target("shop-v1", 100, "current", slot=0),),
            "  traffic:\n    # the old one\n    - revisionName: shop-v1\n      percent: 100\n      tag: current\n",
            id="a target goes",
        ),
        pytest.param(
            '  {"traffic": [{"configurationName": "shop", "percent": 100}]}\n',
            (Target("shop-v1", 95, slot=0), Target("shop-v2", 5)),
            '  {"traffic": [{"revisionName": "shop-v1", "percent": 95}, {"revisionName": "shop-v2", "percent": 5}]}\n',
            id="flow style",
        ),
        pytest.param(
            "  traffic: []\n",
            (Target(percent=100, configuration="shop"),),
            "  traffic:\n  - configurationName: shop\n    percent: 100\n",
            id="an empty block is filled",
        ),
        pytest.param(
            "  x: 1\n",
            (Target(percent=100, tag="current", configuration="shop"),),
            "  x: 1\n  traffic:\n  - tag: current\n    configurationName: shop\n    percent: 100\n",
            id="a missing block is made",
        ),
    ],
)
def test_edit(before: str, targets: tuple[Target, ...], after: str) -> None:
    assert edited(HEAD + before, *targets) == HEAD + after


def test_a_rollout_takes_the_place_of_a_configuration() -> None:
    """A target of a configuration cannot name a revision: it goes, and new ones come."""
    manifest = one(HEAD + BLOCK)
    began = shift(Split(manifest.targets), stable="shop-v1", candidate="shop-v2", weight=25)
    after = edited(HEAD + BLOCK, *began.targets)
    assert after == (
        HEAD + "  traffic:\n  - tag: current\n    revisionName: shop-v1\n    percent: 75\n"
        "  - tag: candidate\n    revisionName: shop-v2\n    percent: 25\n"
    )
    assert server_refusal(one(after), one(after).targets) is None


class TestRefused:
    """What cannot be edited byte for byte is refused with file, line and column."""

    @pytest.mark.parametrize(
        ("block", "wanted"),
        [
            pytest.param("  - configurationName: *x\n", ("yaml-invalid", 7, 24), id="unknown alias"),
            pytest.param("  - configurationName: &x a\n", ("alias-in-block", 7, 24), id="anchor"),
            pytest.param("  - &x {percent: 100}\n", ("alias-in-block", 7, 5), id="anchored entry"),
            pytest.param("  - {<<: {percent: 1}}\n", ("alias-in-block", 7, 6), id="merge key"),
            pytest.param("  - configurationName: !!str a\n", ("tag-in-block", 7, 24), id="tag"),
            pytest.param("  - configurationName: ${NAME}\n", ("template-language", 7, 24), id="placeholder"),
            pytest.param("  - configurationName: 007\n", ("ambiguous-scalar", 7, 24), id="a number"),
            pytest.param("  - configurationName: [a]\n", ("traffic-block-unusual", 7, 24), id="a list"),
            pytest.param("  - percent: 010\n", ("not-a-plain-number", 7, 14), id="leading zero"),
            pytest.param("  - {percent: 1, percent: 2}\n", ("duplicate-key", 7, 18), id="key twice"),
            pytest.param("  - name: blue\n", ("split-invalid", 7, 5), id="former spelling of tag"),
            pytest.param("  - percent: {{ .x }}\n", ("template-language", 7, 14), id="template"),
            pytest.param("  - percent: 1 # \u200b\n", ("hidden-character-in-block", 7, 18), id="invisible"),
        ],
    )
    def test_in_the_block(self, block: str, wanted: tuple[str, int, int]) -> None:
        found = find_services((HEAD + "  traffic:\n" + block).encode(), PATH)
        assert not found.manifests
        (problem,) = found.problems
        assert problem.place is not None
        assert problem.place.path == PATH
        assert (problem.code, problem.place.line, problem.place.column) == wanted

    @pytest.mark.parametrize(
        ("content", "wanted"),
        [
            pytest.param(HEAD.replace("spec:\n", ""), ("traffic-block-unusual", 1), id="no spec"),
            pytest.param(HEAD + BLOCK + "spec: {}\n", ("duplicate-key", 9), id="spec twice"),
            pytest.param(HEAD.replace("shop", "{{ .n }}") + BLOCK, ("template-language", 4), id="template"),
            pytest.param(HEAD.replace("shop", "'{{ .n }}'") + BLOCK, ("template-language", 3), id="its name"),
            pytest.param(
                HEAD.replace("spec:", "spec: &s") + BLOCK, ("alias-in-block", 5), id="anchored spec"
            ),
            pytest.param(HEAD.replace("name: shop", "x: 1") + BLOCK, ("split-invalid", 3), id="no name"),
            pytest.param(HEAD + "  traffic: {}\n", ("traffic-block-unusual", 6), id="no list"),
            pytest.param(HEAD + BLOCK + " x: [\n", ("yaml-invalid", 9), id="no YAML"),
        ],
    )
    def test_around_it(self, content: str, wanted: tuple[str, int]) -> None:
        found = find_services(content.encode(), PATH)
        assert not found.manifests
        assert [(p.code, p.place and p.place.line) for p in found.problems] == [wanted]

    def test_a_service_still_names_no_configuration(self) -> None:
        content = SERVICE + "  traffic:\n  - configurationName: a\n"
        (problem,) = find_services(content.encode(), PATH).problems
        assert problem.message == "A Service's target must not set `configurationName`."
        with pytest.raises(Declined) as error:
            edited(SERVICE, Target(percent=100, configuration="a"))
        assert error.value.problems[0].code == "traffic-block-unusual"

    def test_two_of_one_name(self) -> None:
        content = (HEAD + BLOCK + "---\n" + HEAD + BLOCK).encode()
        first = find_services(content, PATH).manifests[0]
        with pytest.raises(Declined) as error:
            edit_service(content, PATH, first, targets=())
        (problem,) = error.value.problems
        assert problem.code == "ambiguous-document"
        assert problem.message == "The documents at lines 1, 10 are all the route `shop`."

    def test_another_content(self) -> None:
        with pytest.raises(Declined) as error:
            edit_service((HEAD + PAIR).encode(), PATH, one(HEAD + BLOCK), targets=())
        assert error.value.problems[0].code == "head-moved"

    def test_the_last_target_of_a_bare_spec(self) -> None:
        with pytest.raises(Declined) as error:
            edited(HEAD + BLOCK)
        assert "`spec` would be empty" in error.value.problems[0].message


BOTH = "spec.traffic[0].configurationName, spec.traffic[0].revisionName"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        pytest.param("- {configurationName: a, percent: 100}", None, id="a configuration"),
        pytest.param("- {configurationName: a, latestRevision: true, percent: 100}", None, id="its latest"),
        pytest.param(
            "- {configurationName: a, latestRevision: false, percent: 100}",
            'may not set revisionName "" when latestRevision is false: spec.traffic[0].latestRevision',
            id="not its latest",
        ),
        pytest.param(
            "- {percent: 100}", f"expected exactly one, got neither: {BOTH}", id="neither of the two"
        ),
        pytest.param(
            "- {latestRevision: true, percent: 100}",
            f"expected exactly one, got neither: {BOTH}",
            id="the latest of nothing",
        ),
        pytest.param(
            "- {configurationName: a, revisionName: b, percent: 100}",
            f"expected exactly one, got both: {BOTH}",
            id="both of the two",
        ),
        pytest.param(
            "- {percent: 90}\n  - {percent: 10}",
            f"expected exactly one, got neither: {BOTH}, {BOTH.replace('[0]', '[1]')}",
            id="neither, twice",
        ),
        pytest.param(
            "- {configurationName: a, percent: 100, url: x}",
            "must not set the field(s): spec.traffic[0].url",
            id="url",
        ),
        pytest.param("  []", "Traffic targets sum to 0, want 100: spec.traffic", id="no default of its own"),
        pytest.param(
            "- {configurationName: a, percent: 90}",
            "Traffic targets sum to 90, want 100: spec.traffic",
            id="a wrong sum",
        ),
        pytest.param(
            "- {configurationName: a, percent: 50, tag: x}\n  - {revisionName: b, percent: 50, tag: x}",
            'Multiple definitions for "x": spec.traffic[0].tag, spec.traffic[1].tag',
            id="a tag twice",
        ),
    ],
)
def test_the_servers_words(block: str, text: str | None) -> None:
    manifest = one(HEAD + f"  traffic:\n  {block}\n")
    assert server_refusal(manifest, manifest.targets) == text
    findings = check((HEAD + f"  traffic:\n  {block}\n").encode(), PATH).findings
    refused = [finding for finding in findings if finding.level is Level.ERROR]
    assert len(refused) == (text is not None)
    # A field of the block, or the block's key.
    assert all(finding.problem.place and (finding.problem.place.line or 0) >= 6 for finding in refused)


def test_a_configurations_name_is_judged_as_a_revisions() -> None:
    text = server_refusal(one(HEAD + BLOCK), (Target(percent=100, configuration="a b"),))
    assert text is not None
    assert text.startswith(
        'invalid key name "a b": spec.traffic[0].configurationName\nname part must consist'
    )


def test_rollout_duration() -> None:
    content = HEAD.replace(
        "name: shop", "name: shop\n  annotations: {serving.knative.dev/rollout-duration: x}"
    )
    manifest = one(content + BLOCK)
    assert server_refusal(manifest, manifest.targets) == (
        "invalid value: x: metadata.annotations.serving.knative.dev/rollout-duration"
    )


def test_a_host_name_that_shows_later() -> None:
    """The tag and the Route's name are one DNS label of at most 63 characters."""
    for length, count in ((58, 0), (59, 1)):
        block = f"  traffic: [{{configurationName: shop, percent: 100, tag: {'t' * length}}}]\n"
        manifest = one(HEAD + block)
        assert server_refusal(manifest, manifest.targets) is None
        assert len(later_problems(manifest, manifest.targets)) == count
        findings = check((HEAD + block).encode(), PATH).findings
        assert [(f.problem.code, f.problem.place and f.problem.place.line) for f in findings] == [
            ("name-too-long", 6)
        ] * count
