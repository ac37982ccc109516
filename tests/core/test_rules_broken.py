"""Broken configurations: each with all its problems, lines and remedies in one reply.

Beside each file stands what is said of it. ``python -m tests.core.test_rules_broken --write`` writes that anew; read
it again before you believe it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from bot.adapters.rulebook import built_in, folder
from bot.core.problems import Declined
from bot.core.rules import check, named_files, read_config
from bot.core.rules.nodes import Faults, Node, read
from bot.core.rules.schema import CONFIG_SCHEMA

FILES = sorted((Path(__file__).parent / "broken_rules").glob("*.yaml"))
# What a schema cannot know: how values fit together, the calendar, the world, YAML's own rules.
BEYOND_A_SCHEMA = {
    "an-allow-inside-a-deny",
    "counted-from-nowhere",
    "freezes-that-leave-no-time",
    "a-naming-without-difference",
    "gates-that-nothing-defines",
    "locked-in-a-repository",
    "names-twice",
    "not-yaml",
    "recurrences-that-are-too-dense",
    "recurrences-that-never-come",
    "recurrences-without-an-end",
    "stopping-needs-more",
    "tabs",
    "tags-and-aliases",
    "too-deep",
    "two-documents",
}


def said_of(path: Path) -> str:
    """Give every problem as ``line:column message``, and its remedy below."""
    text = path.read_text("utf-8")
    checked = check(text, built_in().sets, files=dict.fromkeys(named_files(text)))
    assert (checked.config is None) == bool(checked.problems)
    lines = []
    for problem in checked.problems:
        assert problem.code == "config-invalid"
        assert problem.place is not None
        lines.append(f"{problem.place.line}:{problem.place.column} {problem.message}\n    {problem.remedy}\n")
    return "".join(lines)


def test_there_are_thirty_and_more() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestBroken:
    """All problems of a file at once, each with line, column and remedy."""

    def test_all_that_is_wrong_in_one_reply(self, path: Path) -> None:
        assert said_of(path) == path.with_suffix(".txt").read_text("utf-8")

    def test_every_problem_has_a_place_and_a_remedy(self, path: Path) -> None:
        said = said_of(path).splitlines()
        assert said
        assert all(head[:1].isdigit() and not head.startswith("None") for head in said[::2])
        assert all(remedy.strip().endswith((".", "?")) for remedy in said[1::2])

    def test_the_service_declines_it_too(self, path: Path) -> None:
        with pytest.raises(Declined) as error:
            read_config(path.read_text("utf-8"), built_in().ids)
        assert {problem.code for problem in error.value.problems} == {"config-invalid"}

    def test_an_editor_says_so_as_well(self, path: Path) -> None:
        if path.stem in BEYOND_A_SCHEMA:
            return
        root = read(path.read_text("utf-8"), Faults("x"))
        assert root is not None
        schema = json.loads((folder() / CONFIG_SCHEMA).read_text("utf-8"))
        assert not jsonschema_rs.is_valid(schema, plain(root))


def plain(node: Node) -> Any:
    """Give a node as the values that a schema judges."""
    if node.kind == "mapping":
        return {key.value: plain(value) for key, value in node.pairs}
    return [plain(item) for item in node.items] if node.kind == "sequence" else node.value


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.core.test_rules_broken --write")
    for one in FILES:
        one.with_suffix(".txt").write_text(said_of(one), "utf-8")
