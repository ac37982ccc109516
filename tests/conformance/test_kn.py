"""``kn service update`` with traffic flags: every answer of the real client, and of the API server behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.admission import Facts, refusal
from bot.core.kn.flags import Cluster, Flags
from bot.core.kn.update import Refusal, create, update
from bot.core.traffic import Target, defaulted

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "kn_cases.json").read_text("utf-8"))
KNOWN = {"tag", "revisionName", "latestRevision", "percent", "configurationName"}


def each() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['id']} {c['rule']}")


def targets_of(block: list[dict[str, Any]]) -> tuple[Target, ...]:
    assert all(set(entry) <= KNOWN for entry in block)
    return tuple(
        Target(e.get("revisionName"), e.get("percent"), e.get("tag"), e.get("latestRevision"), slot)
        for slot, e in enumerate(block)
    )


def flags_of(case: dict[str, Any]) -> Flags:
    return Flags(tuple(case["untag"]), tuple(case["tag"]), tuple(case["traffic"]))


def cluster_of(case: dict[str, Any]) -> Cluster:
    return Cluster(
        status=tuple(entry["revisionName"] for entry in case.get("status", [])),
        revisions=frozenset(case.get("revisions", [])),
        latest_ready=case["latest"],
        makes_revision=case.get("mutation", False),
    )


def answer(case: dict[str, Any]) -> tuple[Target, ...] | Refusal:
    if case.get("cmd") == "create":
        assert case["traffic"] == ["@latest=100"]
        return create(tuple(case["tag"]), service=case["svc"])
    return update(
        targets_of(case["initial"]),
        flags_of(case),
        service=case["svc"],
        cluster=cluster_of(case),
        as_stored=case.get("raw", False),
    )


def normal(targets: tuple[Target, ...]) -> list[tuple[str, str, bool, int]]:
    """Give the targets as the server has them, an empty block as what it is."""
    return [(t.tag or "", t.revision or "", t.floats, t.effective_percent) for t in targets]


def configurations(block: list[dict[str, Any]], targets: tuple[Target, ...]) -> frozenset[int]:
    return frozenset(
        i for i, t in enumerate(targets) if t.slot is not None and block[t.slot].get("configurationName")
    )


def test_all_cases_are_here() -> None:
    assert len(CASES) == len({case["id"] for case in CASES}) == 560


@each()
def test_agrees_with_kn(case: dict[str, Any]) -> None:
    got = answer(case)
    if case.get("panic"):
        assert isinstance(got, Refusal)
        assert "apply the server's defaults" in got.text
    elif "error" in case:
        assert got == Refusal(case["error"])
    else:
        assert not isinstance(got, Refusal), got.text
        wanted = targets_of(case["result"])
        if not case.get("raw"):
            got, wanted = defaulted(got).targets, defaulted(wanted).targets
        assert normal(got) == normal(wanted)


@each()
def test_agrees_with_the_server(case: dict[str, Any]) -> None:
    got = answer(case)
    if "webhook" not in case:
        assert isinstance(got, Refusal)
        return
    assert not isinstance(got, Refusal)
    targets = defaulted(got).targets
    facts = Facts(case["svc"], targets, configurations=configurations(case["initial"], targets))
    assert refusal(facts) == case["webhook"]


@each()
def test_what_stays_keeps_its_spelling(case: dict[str, Any]) -> None:
    """A field is written differently only where its value is another one."""
    got = answer(case)
    if isinstance(got, Refusal):
        return
    before = targets_of(case["initial"])
    for target in got:
        if target.slot is not None:
            old = before[target.slot]
            assert (target.revision, target.latest) == (old.revision, old.latest)
            assert target.percent == old.percent or target.effective_percent != old.effective_percent
            assert target.tag == old.tag or (target.tag or "") != (old.tag or "")
