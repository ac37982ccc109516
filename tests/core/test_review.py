"""The pure parts of what a second pair of eyes found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import report
from bot.core.lines import carried_over
from bot.core.markers import Proposal
from bot.core.rollout import Phase, state_of
from bot.core.text import code, code_block
from bot.core.traffic import Split, Target
from bot.core.trailers import CANCEL, Record
from tests.scenarios.inert import live

RUNNING = Record(
    "apps/shop.yaml#shop/shop", "shop-0a1b2c3d", 1, 25, (25, 100), "shop-v1", "shop-v2", 7, "fast", "mona", 99
)
SPLIT = Split((Target("shop-v1", 75), Target("shop-v2", 25)))


class TestTrailers:
    """A record is read back as it was written, or is not written."""

    @pytest.mark.parametrize(
        "service",
        [
            "apps/shop.yaml#shop\nCanary-Rollout: evil-00000000/shop",
            "apps/shop.yaml#shop\r\nCanary-Service: a#b/c",
            " apps/shop.yaml#shop/shop",
            "apps/" + "x" * 500 + "#shop/shop",
        ],
        ids=["another trailer", "another record", "space at its end", "too long to be read"],
    )
    def test_what_would_read_otherwise_is_refused(self, service: str) -> None:
        with pytest.raises(ValueError, match="no trailers"):
            replace(RUNNING, service=service).trailers()


class TestTakenBack:
    """A canary that was taken back before its merge ends no other rollout."""

    def test_the_running_rollout_goes_on(self) -> None:
        other = replace(RUNNING, rollout="shop-11111111", candidate="shop-v3", pull=8)
        records = [replace(other, step=CANCEL, weight=0), other, RUNNING]
        assert state_of(SPLIT, records).record == RUNNING

    def test_begun_again_after_it_was_taken_back(self) -> None:
        assert state_of(SPLIT, [RUNNING, replace(RUNNING, step=CANCEL, weight=0)]).phase is Phase.ROLLING


class TestCut:
    """What is too long for GitHub is cut so that nothing in it comes alive."""

    @given(room=st.integers(0, 400))
    def test_anywhere(self, room: int) -> None:
        text = "\n\n".join([f"{code('@kim #1 ' * 5)} and", code_block("- @kim\n+ #2\n" * 5), code("<b>")])
        assert live(report._cut(text, room)) == []


class TestTakeBack:
    """A change is undone where other lines changed since, and only there."""

    BEFORE, AFTER = b"a\nb\nc\nd\ne\n", b"a\nB\nX\nc\nd\ne\n"

    @pytest.mark.parametrize(
        ("now", "goal"),
        [
            pytest.param(AFTER, BEFORE, id="nothing else changed"),
            pytest.param(b"0\na\nB\nX\nc\nd\nE\n", b"0\na\nb\nc\nd\nE\n", id="lines around changed"),
            pytest.param(b"a\nB\nY\nc\nd\ne\n", None, id="the same line changed"),
        ],
    )
    def test_cases(self, now: bytes, goal: bytes | None) -> None:
        assert carried_over(now, self.AFTER, self.BEFORE) == goal


def test_a_value_replaces_one_that_an_older_version_wrote() -> None:
    old = 'Text\n\n<!-- canary-bot:pull {"kind":"step"} -->\n'
    value = Proposal("step", "a#b/c", "c-00000000", 50, 25, 1, "main")
    assert value.put(old) == f"Text\n\n{value.marker()}\n"
