"""``docs/lifecycle.md`` names a scenario for each event: every one of them is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "lifecycle.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| event |"))
]


@cache
def scenarios_of(file: str) -> frozenset[str]:
    """Give the tests of a file as ``name`` or ``Class::name``."""
    body = ast.parse((ROOT / "tests" / "scenarios" / file).read_text("utf-8")).body
    return frozenset(
        f"{outer.name}::{inner.name}" if isinstance(outer, ast.ClassDef) else outer.name
        for outer in body
        if isinstance(outer, ast.ClassDef | ast.FunctionDef)
        for inner in (outer.body if isinstance(outer, ast.ClassDef) else [outer])
        if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test_")
    )


def test_there_are_rows() -> None:
    assert len(ROWS) > 50
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_row_has_its_words_and_its_tests(row: list[str]) -> None:
    event, words, shown = row
    assert event
    assert words
    named = re.findall(r"`(test_[a-z_]+\.py)::([A-Za-z_]+(?:::[a-z0-9_]+)?|[a-z0-9_]+)`", shown)
    assert named
    assert len(named) == shown.count("::") - sum("::" in name for _, name in named)
    assert [name for file, name in named if name not in scenarios_of(file)] == []
