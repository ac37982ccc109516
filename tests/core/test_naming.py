"""Names of candidates: the same template, the same name; another template, another name or a refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import naming
from bot.core.problems import Declined
from bot.core.start import start
from tests.core.test_rollout import facts, version

SHA, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40


def template(image: str, **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"image": image} | more]}}


@pytest.mark.parametrize(
    ("way", "image", "name"),
    [
        pytest.param("commit-sha", "shop", "shop-0123456", id="the commit"),
        pytest.param("image-tag", "quay.io/shop/shop:4.0.0", "shop-4-0-0", id="the tag"),
        pytest.param("image-tag", "localhost:5000/shop:V4_rc.1", "shop-v4-rc-1", id="a port is no tag"),
        pytest.param("image-tag", f"shop:4@sha256:{'a' * 64}", "shop-4", id="a tag before a digest"),
        pytest.param("image-tag", "shop:_._4.", "shop-4", id="marks at its ends"),
        pytest.param("{service}-{tag}-{sha7}", "shop:4.1", "shop-4-1-0123456", id="a template"),
        pytest.param("{service}-r{sha7}", "shop", "shop-r0123456", id="with letters of its own"),
    ],
)
def test_ways(way: str, image: str, name: str) -> None:
    assert naming.revision_name("shop", template(image), way, commit=SHA) == name


def test_a_hash_in_a_template_is_that_of_content_hash() -> None:
    one = naming.revision_name("shop", template("shop:1"))
    assert naming.revision_name("shop", template("shop:1"), "{service}-{hash}") == one
    assert naming.revision_name("shop", template("shop:1"), "content-hash") == one


@pytest.mark.parametrize(
    ("way", "held", "said"),
    [
        pytest.param("image-tag", template("shop"), "the image `shop` has no tag", id="no tag"),
        pytest.param("image-tag", template("localhost:5000/shop"), "has no tag", id="a port alone"),
        pytest.param("image-tag", template(f"shop@sha256:{'a' * 64}"), "has no tag", id="a digest alone"),
        pytest.param("image-tag", template("shop:___"), "nothing of the tag", id="no letter in it"),
        pytest.param("image-tag", {"spec": {}}, "0 containers", id="no container"),
        pytest.param(
            "image-tag",
            {"spec": {"containers": [{"image": "a:1"}, {"image": "b:2"}]}},
            "2 containers",
            id="two",
        ),
        pytest.param("image-tag", "nothing", "0 containers", id="no template"),
        pytest.param(
            "{service}-{tag}-", template("shop:1"), "`shop-1-`, which is no name", id="a dash at the end"
        ),
    ],
)
def test_what_gives_no_name(way: str, held: Any, said: str) -> None:
    with pytest.raises(Declined) as error:
        naming.revision_name("shop", held, way, commit=SHA)
    (problem,) = error.value.problems
    assert problem.code == "naming-impossible"
    assert said in problem.message
    assert problem.remedy


def test_of_several_containers_the_one_with_ports_is_meant() -> None:
    two = {
        "spec": {"containers": [{"image": "proxy:9"}, {"image": "shop:4", "ports": [{"containerPort": 80}]}]}
    }
    assert naming.revision_name("shop", two, "image-tag") == "shop-4"


def test_a_long_one_is_refused_and_not_cut() -> None:
    with pytest.raises(Declined) as error:
        naming.revision_name("shop", template(f"shop:{'x' * 60}"), "image-tag")
    assert error.value.problems[0].code == "name-too-long"


@given(
    way=st.sampled_from(["commit-sha", "image-tag", "{service}-{tag}-{sha7}", "{service}-{hash}{tag}"]),
    image=st.text(st.characters(codec="utf-8"), max_size=80)
    | st.from_regex(r"[a-z]+:[A-Za-z0-9_.-]{1,80}", fullmatch=True),
)
def test_every_name_is_one_that_the_platform_takes(way: str, image: str) -> None:
    try:
        name = naming.revision_name("shop", template(image), way, commit=SHA)
    except Declined:
        return
    assert re.fullmatch(r"shop-[a-z0-9-]*[a-z0-9]", name)
    assert len(name) <= 63
    assert name == naming.revision_name("shop", template(image), way, commit=SHA)


class TestCandidate:
    """What ``/canary`` makes of it."""

    def test_a_template_without_a_name(self) -> None:
        made = start(facts(target=version("shop:2", None), way="image-tag"))
        assert (made.record.candidate, made.template_name) == ("shop-2", "shop-2")
        assert made.record.template == naming.template_digest(version("shop:2", None).template)

    def test_a_name_that_a_person_gave_is_kept(self) -> None:
        made = start(facts(way="commit-sha", commit=SHA))
        assert (made.record.candidate, made.template_name, made.record.template) == ("shop-v2", None, "")

    def test_content_hash_needs_no_digest(self) -> None:
        assert start(facts(target=version("shop:2", None))).record.template == ""

    def test_the_same_template_keeps_the_name_whatever_the_commit(self) -> None:
        first = start(facts(target=version("shop:2", None), way="commit-sha", commit=SHA)).record
        named = version("shop:2", first.candidate)
        again = start(facts(target=named, way="commit-sha", commit=OTHER, armed=first, weights=(10,)))
        assert (again.record.candidate, again.template_name) == (first.candidate, None)
        assert again.record.template == first.template

    def test_another_template_gets_another_name(self) -> None:
        first = start(facts(target=version("shop:2", None), way="commit-sha", commit=SHA)).record
        named = version("shop:3", first.candidate)
        again = start(facts(target=named, way="commit-sha", commit=OTHER, armed=first))
        assert (again.record.candidate, again.template_name) == ("shop-fffffff", "shop-fffffff")

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"before": version("shop@sha256:1", "shop-2")}, id="the one before"),
            pytest.param(
                {"earlier": (replace(start(facts()).record, candidate="shop-2", template="0a1b2c3d"),)},
                id="of an earlier rollout",
            ),
        ],
    )
    def test_another_template_under_a_name_that_is_taken_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(Declined) as error:
            start(facts(target=version("shop:2", None), way="image-tag", **changes))
        (problem,) = error.value.problems
        assert (problem.code, "`shop-2`" in problem.message) == ("name-unchanged", True)

    def test_another_template_with_the_same_tag_is_refused(self) -> None:
        first = start(facts(target=version("shop:2", None), way="image-tag")).record
        changed = replace(
            version("shop:2", first.candidate),
            template={"spec": {"containers": [{"image": "shop:2", "env": [1]}]}},
        )
        with pytest.raises(Declined) as error:
            start(facts(target=changed, way="image-tag", armed=first))
        assert error.value.problems[0].code == "name-unchanged"

    def test_the_same_template_again_after_a_rollback(self) -> None:
        first = start(facts(target=version("shop:2", None), way="image-tag")).record
        again = start(facts(target=version("shop:2", None), way="image-tag", earlier=(first,), pull=8))
        assert again.record.candidate == "shop-2"
