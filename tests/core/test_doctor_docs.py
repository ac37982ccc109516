"""``docs/doctor.md`` is made from the catalogue: ``python -m tests.core.test_doctor_docs --write``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bot.core.doctor.catalogue import FORGE, KINDS, TREE, Finding, Severity, could_not_look, in_order, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_explained(name: str) -> None:
    kind = KINDS[name]

    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", name)
    for text in (kind.what, kind.why, kind.remedy):
        assert re.search(r"[.)*]$", text), text
        assert "  " not in text
    assert f"### `{name}`" in page()


def test_no_code_stands_in_both_halves() -> None:
    assert not set(TREE) & set(FORGE)


def test_a_code_that_nobody_documented_is_refused() -> None:
    with pytest.raises(KeyError):
        Finding("no-such-code", "", remedy="Do it.")


def test_the_worst_comes_first_and_everything_once() -> None:
    note, error = could_not_look("it", "needs more."), Finding("no-services", "None.")
    warning = Finding("action-unpinned", "At `v1`.")

    found = in_order([note, warning, error, note, warning])

    assert [f.severity for f in found] == [Severity.ERROR, Severity.WARNING, Severity.NOTE]


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.core.test_doctor_docs --write")
    PAGE.write_text(page(), "utf-8")
