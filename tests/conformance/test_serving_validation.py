"""What the API server of Knative Serving accepts and refuses, from the real program's answers.

``bot.core.admission`` gives the server's text for all of it; ``bot.core.validate`` says in our own words whether it
would refuse what a traffic block and its names can say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.admission import Facts, refusal
from bot.core.problems import Place
from bot.core.traffic import Split, Target, defaulted
from bot.core.validate import problems_of

CASES = json.loads((Path(__file__).parent / "serving_validation_cases.json").read_text("utf-8"))
KNOWN = {"revisionName", "percent", "tag", "latestRevision"}


def is_ours(case: dict[str, Any]) -> bool:
    """Whether the case is about what a traffic block and its names can say."""
    plain = all(set(t) <= KNOWN for t in case.get("traffic", []))
    template = case["template"]
    return (
        plain
        and "kind" not in case
        and set(case["service"]) <= {"name"}
        and "name" in case["service"]
        and set(template) <= {"name"}
        and case.get("defaulting", True)
        and "previous" not in case
    )


OURS = [c for c in CASES if is_ours(c)]


def test_most_cases_are_about_us() -> None:
    assert len(OURS) >= 40


@pytest.mark.parametrize("case", OURS, ids=lambda c: f"{c['id']} {c['rule']}")
def test_agrees_with_the_server(case: dict[str, Any]) -> None:
    targets = tuple(
        Target(t.get("revisionName"), t.get("percent"), t.get("tag"), t.get("latestRevision"))
        for t in case.get("traffic", [])
    )
    split = defaulted(targets) if targets else Split(defaulted(()).targets)
    found = problems_of(
        split, service=case["service"]["name"], template_name=case["template"].get("name"), place=Place()
    )
    assert bool(found) == (case["error"] is not None), (case["error"], found)


def facts_of(case: dict[str, Any]) -> Facts:
    """Give what the server looks at; a case with a key that is not known here fails."""
    service, template, block = case["service"], case["template"], case.get("traffic") or []
    assert set(service) <= {"name", "generateName", "annotations"}
    assert set(template) <= {"name", "generateName"}
    assert all(set(t) <= KNOWN | {"url", "configurationName"} for t in block)
    targets = tuple(
        Target(t.get("revisionName"), t.get("percent"), t.get("tag"), t.get("latestRevision")) for t in block
    )
    return Facts(
        name=service.get("name", ""),
        targets=defaulted(targets).targets if case.get("defaulting", True) else targets,
        generate_name=service.get("generateName", ""),
        annotations=service.get("annotations", {}),
        template_name=template.get("name", ""),
        template_generate_name=template.get("generateName", ""),
        urls=frozenset(i for i, t in enumerate(block) if t.get("url")),
        configurations=frozenset(i for i, t in enumerate(block) if t.get("configurationName")),
    )


def test_all_cases_are_here() -> None:
    assert len(CASES) == 63


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['id']} {c['rule']}")
def test_says_what_the_server_says(case: dict[str, Any]) -> None:
    assert refusal(facts_of(case)) == case["error"]
