"""What Knative Serving v0.17 says of the v1alpha1 modes, from the real program's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.legacy import Converted, Refusal, alpha_refusal, convert, v1_refusal
from bot.core.traffic import defaulted

CASES = json.loads((Path(__file__).parent / "legacy_cases.json").read_text("utf-8"))


def test_all_cases_are_here() -> None:
    assert len(CASES) == 38


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['id']} {c['rule']}")
def test_says_what_the_server_says(case: dict[str, Any]) -> None:
    assert alpha_refusal(case["name"], case["spec"]) == case.get("alpha_error")
    converted = convert(case["spec"])
    if "convert_error" in case:
        assert converted == Refusal(case["convert_error"])
    elif "convert" in case:  # the real one crashes
        assert converted == Refusal("release without revisions cannot be migrated forward.")
    else:
        assert isinstance(converted, Converted)
        assert converted.template == case["template"]
        assert list(converted.traffic) == case["traffic"]
        assert v1_refusal(case["name"], converted) == case["v1_error"]
        whole = [
            (t.tag, t.revision, t.floats, t.effective_percent) for t in defaulted(converted.targets).targets
        ]
        wanted = [
            (t.get("tag"), t.get("revisionName"), t["latestRevision"], t["percent"])
            for t in case["traffic_defaulted"]
        ]
        assert whole == wanted
