"""The judge of the editing benchmark sees what it has to see; our editor passes it."""

from __future__ import annotations

import pytest

from tests.benchmarks.editing import filled
from tests.benchmarks.editing_cases import PAIR, Case, judge, large
from tests.benchmarks.editing_peers import RUAMEL, _indents, canary

HEAD = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name:   shop
spec:
"""
BLOCK = "  traffic:\n  - percent: 90  # stable\n  - percent: 10"
SET = Case("a.yaml", HEAD + BLOCK, "shop", 0, ("spec", "traffic", 1, "percent"), 37)
ADD = Case("a.yaml", HEAD + "  template: {}\n", "shop", 0, ("spec", "traffic"), PAIR)
ADDED = "  traffic:\n  - revisionName: shop-00001\n    percent: 63\n  - revisionName: shop-00002\n    percent: 37\n"


class TestJudge:
    @pytest.mark.parametrize(
        ("case", "result", "beyond"),
        [
            pytest.param(SET, SET.text[:-2] + "37", 0, id="only the number"),
            pytest.param(SET, SET.text[:-2] + "37\n", 1, id="a last newline is added"),
            pytest.param(SET, SET.text[:-2].replace("  # stable", "") + "37", 1, id="a comment is gone"),
            pytest.param(SET, SET.text[:-2].replace("name:   ", "name: ") + "37", 1, id="spaces are gone"),
            pytest.param(SET, (SET.text[:-2] + "37").replace("\n", "\r\n"), 7, id="other line ends"),
            pytest.param(ADD, ADD.text + ADDED, 0, id="only the block"),
            pytest.param(
                ADD, ADD.text.replace("   shop", " shop") + ADDED, 1, id="the block, and spaces are gone"
            ),
            pytest.param(ADD, ADD.text + "\n" + ADDED, 1, id="the block, and an empty line"),
        ],
    )
    def test_lines(self, case: Case, result: str, beyond: int) -> None:
        verdict = judge(case, result)
        assert (verdict.failed, verdict.beyond) == ("", beyond)

    @pytest.mark.parametrize(
        ("case", "result"),
        [
            pytest.param(SET, SET.text, id="nothing was set"),
            pytest.param(SET, SET.text.replace("90", "37"), id="the other entry was set"),
            pytest.param(SET, SET.text[:-2] + "37\n---\na: 1\n", id="a document more"),
            pytest.param(SET, "a: [", id="not YAML"),
            pytest.param(SET, ValueError("no"), id="an error"),
            pytest.param(ADD, ADD.text, id="nothing was added"),
        ],
    )
    def test_failures(self, case: Case, result: str | Exception) -> None:
        assert judge(case, result).failed


@pytest.mark.parametrize("case", [SET, ADD, large()], ids=["set", "add", "60 kB"])
def test_ours_changes_nothing_else(case: Case) -> None:
    verdict = judge(case, canary(case)[0])
    assert (verdict.failed, verdict.beyond) == ("", 0)


def test_ruamel_is_at_its_best() -> None:
    case = Case(
        **{**{name: getattr(SET, name) for name in SET.__slots__}, "text": SET.text.replace("   ", " ")}
    )
    verdict = judge(case, RUAMEL(case)[0])
    assert (verdict.failed, verdict.beyond) == ("", 0)


@pytest.mark.parametrize(
    ("text", "indents"),
    [
        pytest.param("a:\n- b:\n    c: 1\n", (2, 0), id="lists at their key"),
        pytest.param("a:\n  - b:\n      c: 1\n", (2, 2), id="lists stand in"),
        pytest.param("a:\n    b:\n        c: 1\n", (4, 0), id="four"),
        pytest.param("a: 1\n", (2, 0), id="nothing to see"),
    ],
)
def test_indentation_is_guessed(text: str, indents: tuple[int, int]) -> None:
    assert _indents(text) == indents


def test_a_page_without_a_place_is_refused() -> None:
    page = "a\n<!-- editing:begin -->\nold\n<!-- editing:end -->\nb\n"
    assert filled(page, "new") == "a\n<!-- editing:begin -->\nnew\n<!-- editing:end -->\nb\n"
    with pytest.raises(ValueError, match="no place"):
        filled("a\n", "new")
