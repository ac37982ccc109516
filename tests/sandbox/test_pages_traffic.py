"""The pictures of a split on the sandbox's pages, for the kinds that hold weights."""

from __future__ import annotations

import pytest

from bot.sandbox.pages_traffic import traffic_of
from tests.scenarios.test_targets import CASES, ISTIO


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("VirtualService", "storefront http[1]", id="mesh"),
        pytest.param("HTTPRoute", "storefront.shop rules[0]", id="gateway"),
        pytest.param("Route", "dumpy", id="Route"),
        pytest.param("release", "dumpy", id="release"),
    ],
)
def test_shares(name: str, shown: str) -> None:
    (one,) = traffic_of("a.yaml", CASES[name].content)
    assert one.service == shown
    assert [(s.name, s.percent) for s in one.shares] == list(zip(CASES[name].names, (100, 0), strict=True))


@pytest.mark.parametrize(
    ("weights", "percents"),
    [
        pytest.param(("3", "1"), [75, 25], id="a scale of 4"),
        pytest.param(("0", "0"), [0, 0], id="nobody is served"),
        pytest.param(("-1", "x"), [0, 0], id="no weights"),
    ],
)
def test_proportions(weights: tuple[str, str], percents: list[int]) -> None:
    content = ISTIO.replace(b"weight: 100", f"weight: {weights[0]}".encode())
    content = content.replace(b"weight: 0", f"weight: {weights[1]}".encode())
    (one,) = traffic_of("a.yaml", content)
    assert [s.percent for s in one.shares] == percents
