"""Goldens: ``<shape>/before.yaml`` becomes ``after.yaml`` by the edit in ``edit.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.traffic import Target
from bot.manifests.diff import bytes_outside
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.oracle import assert_right, identity

HERE = Path(__file__).parent
SHAPES = sorted(path.parent.name for path in HERE.glob("*/edit.json"))


def load(shape: str) -> tuple[bytes, bytes, Manifest, tuple[Target, ...], str | None]:
    edit: dict[str, Any] = json.loads((HERE / shape / "edit.json").read_text())
    before, after = ((HERE / shape / f"{name}.yaml").read_bytes() for name in ("before", "after"))
    found = find_services(before, "service.yaml")
    assert not found.problems
    manifest = next(m for m in found.manifests if m.id == edit["service"])
    return before, after, manifest, tuple(Target(**t) for t in edit["targets"]), edit.get("template_name")


def test_goldens_are_there() -> None:
    assert len(SHAPES) >= 25


@pytest.mark.parametrize("shape", SHAPES)
def test_edit(shape: str) -> None:
    before, after, manifest, targets, name = load(shape)

    edited = edit_service(before, "service.yaml", manifest, targets=targets, template_name=name)

    assert edited.decode() == after.decode()
    assert bytes_outside(before, edited, manifest) == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_other_readers_agree(shape: str) -> None:
    before, after, manifest, targets, name = load(shape)

    # In flow style, a block or a name that was not there has no lines of its own.
    flow = shape in {"flow-template", "json-without-block"}
    assert_right(before, after, identity(manifest), targets, name, line_check=not flow)


@pytest.mark.parametrize("shape", SHAPES)
def test_same_edit_again_changes_nothing(shape: str) -> None:
    _, after, manifest, targets, name = load(shape)
    again = next(m for m in find_services(after, "service.yaml").manifests if m.id == manifest.id)

    assert again.targets == targets
    assert name in {None, again.template_name}
    repeated = edit_service(
        after, "service.yaml", again, targets=again.targets, template_name=again.template_name
    )
    assert repeated is after
