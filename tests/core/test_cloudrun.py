"""What Cloud Run refuses, and what it does otherwise than Knative."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.cloudrun import (
    LONGEST_TAG_AND_SERVICE,
    Facts,
    cautions,
    is_cloud_run,
    problems,
    where_a_tag_answers,
)
from bot.core.problems import Place
from bot.core.traffic import CANDIDATE_TAG, STABLE_TAG, Target
from bot.manifests.knative import find_services
from tests.shared import shared

HERE = Place("run.yaml", 9)
SHOP = Facts("shop", targets=(Target(latest=True, percent=100),), place=HERE)
LABELS = {"cloud.googleapis.com/location": "europe-west1"}


def annotated(key: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {key: "x"}}}


class TestIsCloudRun:
    """A Knative Service with ``run.googleapis.com`` annotations is Cloud Run's."""

    @pytest.mark.parametrize(
        ("annotations", "labels", "template", "ours"),
        [
            pytest.param({"run.googleapis.com/ingress": "all"}, {}, None, True, id="annotation"),
            pytest.param({}, LABELS, None, True, id="label with the location"),
            pytest.param(LABELS, {}, None, True, id="the location as annotation"),
            pytest.param(
                {}, {}, annotated("run.googleapis.com/cpu-throttling"), True, id="annotation of the template"
            ),
            pytest.param(
                {}, {}, annotated("autoscaling.knative.dev/maxScale"), False, id="Knative's own annotation"
            ),
            pytest.param(
                {"serving.knative.dev/creator": "run.googleapis.com/x"}, {}, {}, False, id="a value is no key"
            ),
            pytest.param(
                {}, {"run.googleapis.com.example/x": "y"}, {"metadata": []}, False, id="a longer domain"
            ),
            pytest.param({}, {}, "text", False, id="nothing"),
        ],
    )
    def test_table(
        self, annotations: dict[str, str], labels: dict[str, str], template: Any, *, ours: bool
    ) -> None:
        assert is_cloud_run(annotations, labels, template) is ours

    def test_corpus(self) -> None:
        ours, others = 0, 0
        for path in sorted(shared("corpus").rglob("*.y*ml")):
            content = path.read_bytes()
            for manifest in find_services(content, path.name).manifests:
                if is_cloud_run(manifest.annotations, {}, manifest.template):
                    ours += 1
                    assert b"run.googleapis.com" in content
                    facts = Facts(manifest.name, manifest.namespace, manifest.kind, manifest.targets)
                    assert problems(facts) == (), path.name
                else:
                    others += 1
        assert ours >= 15
        assert others >= 100


class TestProblems:
    """The errors of Cloud Run, found in the pull request."""

    @pytest.mark.parametrize(
        ("facts", "code", "words"),
        [
            pytest.param(
                replace(SHOP, kind="Route"), "cloud-run-refuses", "`Route`", id="Routes are read only"
            ),
            pytest.param(replace(SHOP, namespace="stage1"), None, "", id="a project's id"),
            pytest.param(replace(SHOP, namespace="example.com:shop-1"), None, "", id="an id with a domain"),
            pytest.param(replace(SHOP, namespace="123456789012"), None, "", id="a project's number"),
            pytest.param(replace(SHOP, namespace=None), None, "", id="no namespace"),
            pytest.param(
                replace(SHOP, namespace="stage"), "cloud-run-refuses", "`stage`", id="too short for a project"
            ),
            pytest.param(
                replace(SHOP, namespace="shop-"), "cloud-run-refuses", "`shop-`", id="a dash at the end"
            ),
            pytest.param(
                replace(SHOP, namespace="a" * 31), "cloud-run-refuses", "a" * 31, id="too long for a project"
            ),
            pytest.param(
                Facts("s" * 38, targets=(Target("r", 100, CANDIDATE_TAG),)),
                "name-too-long",
                "47 characters together; Cloud Run takes 46",
                id="tag and service name together",
            ),
            pytest.param(
                Facts("s" * 37, targets=(Target("r", 100, CANDIDATE_TAG),)),
                None,
                "",
                id="46 together are taken",
            ),
            pytest.param(
                Facts("s" * 60, targets=(Target("r", 100),)),
                None,
                "",
                id="without a tag a long name has room",
            ),
        ],
    )
    def test_table(self, facts: Facts, code: str | None, words: str) -> None:
        found = problems(replace(facts, place=HERE))
        assert [problem.code for problem in found] == ([code] if code else [])
        for problem in found:
            assert words in problem.message
            assert problem.remedy
            assert problem.place == HERE

    def test_all_targets_are_told_of(self) -> None:
        targets = (Target("a", 50, STABLE_TAG), Target("b", 50, CANDIDATE_TAG), Target("c", 0, "x"))
        found = problems(Facts("s" * 40, targets=targets))
        assert [problem.message[:9] for problem in found] == ["Target 1:", "Target 2:"]
        assert found[0].remedy == "Choose a tag of at most 6 characters."

    def test_no_room_for_any_tag(self) -> None:
        (problem,) = problems(Facts("s" * 44, targets=(Target("a", 100, "abc"),)))
        assert problem.remedy.startswith("Leave the tag out")

    @given(name=st.integers(1, 63), tag=st.integers(0, 63))
    def test_the_limit(self, name: int, tag: int) -> None:
        facts = Facts("s" * name, targets=(Target("r", 100, "t" * tag or None),))
        assert bool(problems(facts)) == (tag > 0 and name + tag > LONGEST_TAG_AND_SERVICE)


class TestCautions:
    """What is not refused for certain is said, and forbids nothing."""

    @pytest.mark.parametrize(
        ("facts", "words"),
        [
            pytest.param(SHOP, [], id="a floating service"),
            pytest.param(replace(SHOP, name="s" * 49), [], id="49 characters are documented"),
            pytest.param(replace(SHOP, name="s" * 50), ["has 50 characters"], id="a longer name may exist"),
            pytest.param(replace(SHOP, namespace="default"), ["`default`"], id="Kubernetes' own namespace"),
            pytest.param(
                replace(SHOP, targets=(Target(latest=True, percent=100, tag="p1"),)),
                ["The tag `p1` is short"],
                id="a tag of two characters",
            ),
            pytest.param(
                replace(SHOP, template_name="shop-v2"),
                ["409"],
                id="409 on a repeated revision name",
            ),
            pytest.param(
                replace(SHOP, targets=(Target("shop-v2", 100), Target("shop-v1", 0, "previous"))),
                ["All traffic stays with `shop-v2`"],
                id="pinned after done",
            ),
            pytest.param(
                replace(SHOP, targets=(Target("shop-v2", 25), Target("shop-v1", 75))), [], id="on the way"
            ),
            pytest.param(replace(SHOP, targets=()), [], id="no block"),
        ],
    )
    def test_table(self, facts: Facts, words: list[str]) -> None:
        found = cautions(facts)
        assert len(found) == len(words)
        for problem, expected in zip(found, words, strict=True):
            assert problem.code == "cloud-run-differs"
            assert expected in problem.message
            assert problem.remedy
            assert problem.place == HERE
        assert problems(facts) == ()

    def test_names_are_inert(self) -> None:
        (problem,) = cautions(replace(SHOP, template_name="@team"))
        assert "`@team`" in problem.message


def test_a_tag_has_three_dashes_in_its_address() -> None:
    said = where_a_tag_answers("candidate", "shop")
    assert "`https://candidate---shop-`" in said
    assert "run.app" not in said, "the rest is not known here"
