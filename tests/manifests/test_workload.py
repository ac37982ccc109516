"""Every target behind one door: found, read in percent, edited, and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import moving
from bot.core.problems import Declined
from bot.core.traffic import Shape, Target
from bot.core.weights import Destination, Platform, Weights
from bot.manifests.workload import Workload, edit, find, may_hold, remark, split_of
from tests.scenarios.test_targets import CASES, GATEWAY, ISTIO, LEGACY

EVERY = pytest.mark.parametrize("name", CASES)


def the(content: bytes, route: str | None = None) -> Workload:
    found = find(content, "a.yaml")
    assert found.problems == ()
    (one,) = found.workloads
    return one.at(route)


def weights(*written: int | None, platform: Platform = Platform.ISTIO) -> Weights:
    return Weights(platform, tuple(Destination(f"d{i}", w, i) for i, w in enumerate(written)))


@EVERY
def test_every_share_is_read_back(name: str) -> None:
    case = CASES[name]
    stable, candidate = case.names
    first = the(case.content)
    for weight in range(101):
        wanted = moving.to_weight(first.split, stable=stable, candidate=candidate, weight=weight)
        content = edit(case.content, first, wanted)
        again = the(content)
        assert again.split == wanted
        assert again.split.percent_of(candidate) == weight
        back = edit(content, again, moving.back(again.split, stable=stable, candidate=candidate))
        assert the(back).split.percent_of(stable) == 100


@EVERY
def test_what_is_there_already_changes_no_byte(name: str) -> None:
    content = CASES[name].content
    one = the(content)
    if one.split.floating_percent:
        return  # ``runLatest`` is no split that a rollout has
    assert edit(content, one, one.split) == content


@pytest.mark.parametrize(
    ("written", "percents", "exact"),
    [
        pytest.param((75, 25), [75, 25], True, id="percents"),
        pytest.param((750, 250), [75, 25], True, id="a scale of 1000"),
        pytest.param((3, 1), [75, 25], True, id="a scale of 4"),
        pytest.param((2, 1), [67, 33], False, id="thirds are rounded"),
        pytest.param((1, 1, 1), [34, 33, 33], False, id="three thirds still sum to 100"),
        pytest.param((100, None), [100, 0], True, id="an absent weight of Istio is 0"),
        pytest.param((0, 0), [0, 0], False, id="nobody is served"),
        pytest.param((7,), [100], True, id="one destination has all"),
    ],
)
def test_weights_in_percent(written: tuple[int | None, ...], percents: list[int], *, exact: bool) -> None:
    split = split_of(weights(*written))
    assert [t.effective_percent for t in split.targets] == percents
    assert (split.shape, split.exact) == (Shape.WEIGHTS, exact)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=6))
def test_rounded_shares_sum_to_all(written: list[int]) -> None:
    split = split_of(weights(*written, platform=Platform.GATEWAY))
    assert split.total == (100 if sum(written) else 0)
    for target, weight in zip(split.targets, written, strict=True):
        if sum(written):
            assert abs(target.effective_percent - 100 * weight / sum(written)) < 1


def test_a_scale_that_does_not_divide_becomes_100_and_is_told() -> None:
    content = GATEWAY.replace(b"weight: 1000", b"weight: 7")
    one = the(content)
    wanted = moving.to_weight(one.split, stable="storefront-v1", candidate="storefront-v2", weight=25)
    assert "sum to 100 now" in remark(one, wanted)
    assert b"weight: 75}" in edit(content, one, wanted)
    assert remark(the(GATEWAY), wanted) == ""


class TestRules:
    def test_the_only_one_with_several_destinations_is_meant(self) -> None:
        one = the(ISTIO)
        assert one.route.partition("~")[0] == "primary"
        assert one.split.targets[0].revision == "storefront/v1"

    def test_several_are_asked_about(self) -> None:
        two = ISTIO.replace(
            b"    - destination: {host: storefront, subset: v2}\n",
            b"    - {destination: {host: storefront, subset: v2}, weight: 60}\n"
            b"    - {destination: {host: storefront, subset: v3}, weight: 40}\n",
        )
        (one,) = find(two, "a.yaml").workloads
        assert one.rule is None
        assert one.split.targets == ()
        with pytest.raises(Declined) as declined:
            edit(two, one, one.split)
        assert declined.value.problems[0].code == "which-route"
        assert one.at("http[0]").split.targets == (Target("storefront/v2", 60), Target("storefront/v3", 40))
        assert one.at("http[0]").route.startswith("http[0]~")
        assert one.at("primary").route == one.at("http[1]").route

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"  - name: primary\n    timeout: 3s", b"  - name: main"),
            (b"  - name: primary", b"  - match: [{uri: {prefix: /}}]"),
            (b"  http:\n", b"  http:\n  - match: [{uri: {prefix: /old}}]\n    redirect: {uri: /new}\n"),
            (b"weight: 100", b"weight: 30"),
        ],
        ids=["another name", "another condition", "another place", "other weights"],
    )
    def test_it_is_found_again(self, old: bytes, new: bytes) -> None:
        changed = ISTIO.replace(old, new)
        assert changed != ISTIO
        rule = the(changed).at(the(ISTIO).route).rule
        assert rule is not None
        assert [d.name for d in rule.weights.destinations] == ["storefront/v1", "storefront/v2"]

    def test_one_with_other_destinations_is_another(self) -> None:
        (one,) = find(
            ISTIO.replace(b"name: primary", b"name: main").replace(b"v1", b"v9"), "a.yaml"
        ).workloads
        with pytest.raises(Declined) as declined:
            one.at(the(ISTIO).route)
        assert declined.value.problems[0].code == "which-route"

    def test_a_service_has_none(self) -> None:
        with pytest.raises(Declined) as declined:
            the(LEGACY, "http[0]")
        assert declined.value.problems[0].code == "which-route"


def test_ids_tell_kinds_apart() -> None:
    ids = {name: the(case.content).id for name, case in CASES.items()}
    assert ids == {
        "VirtualService": "VirtualService:shop/storefront",
        "HTTPRoute": "HTTPRoute:shop/storefront.shop",
        "runLatest": "/dumpy",
        "release": "/dumpy",
        "pinned": "/dumpy",
        "a patch without a template": "/dumpy",
        "Route": "Route:/dumpy",
    }


@pytest.mark.parametrize(
    "content", [b"", b"kind: Service\napiVersion: v1\n", b"apiVersion: apps/v1\nkind: Deployment\n"]
)
def test_other_files_are_not_read(content: bytes) -> None:
    assert not may_hold(content)
    assert find(content, "a.yaml").workloads == ()
