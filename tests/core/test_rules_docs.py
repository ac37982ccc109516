"""``docs/rules.md`` says what is so: its tables are made, its examples are read."""

from __future__ import annotations

import re

import pytest

from bot.adapters.rulebook import built_in
from bot.core.rules import check
from tests.core import rules_docs

TEXT = rules_docs.DOCUMENT.read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_tables_are_fresh() -> None:
    assert rules_docs.filled(TEXT) == TEXT, "run: python -m tests.core.rules_docs --write"


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_is_a_configuration_without_problems(block: str) -> None:
    checked = check(block, built_in().sets, organisation="locked:" in block)
    assert checked.problems == ()
    assert checked.config is not None


def test_the_examples_freezes_say_what_their_names_do() -> None:
    (block,) = (one for one in BLOCKS if "last workday" in one)
    config = check(block, built_in().sets).config
    assert config is not None
    by_name = {freeze.name: freeze.rule for freeze in config.freezes}
    last = [start.date().isoformat() for start in by_name["last workday of the month"].starts(2026)]
    assert last[:3] == ["2026-01-30", "2026-02-27", "2026-03-31"]
    fridays = by_name["every other Friday"].starts(2026)
    assert [start.date().isoformat() for start in fridays[:3]] == ["2026-01-09", "2026-01-23", "2026-02-06"]
    assert config.origins["freezes"].line == 3
