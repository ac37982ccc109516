"""The rule sets that come with the bot, and the schemas that are published: examples are run."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bot.adapters.rulebook import built_in, folder
from bot.core.rules import Config, RuleSet, read_config
from bot.core.rules.calendar import merged_by, next_of
from bot.core.rules.composite import Field, ListOf, MapOf, Record
from bot.core.rules.keys import CONFIG_FIELDS, LOCKED, RULES_FIELDS
from bot.core.rules.schema import CONFIG_SCHEMA, RULES_SCHEMA, schemas

SETS = built_in().sets
EXAMPLES = [
    pytest.param(rules, example, id=f"{rules.id}-{index}-at-{example['candidate']}")
    for rules in SETS.values()
    for index, example in enumerate(rules.examples)
]


def schema(name: str) -> Any:
    return json.loads((folder() / name).read_text("utf-8"))


@pytest.mark.parametrize(("rules", "example"), EXAMPLES)
def test_every_example_is_what_the_set_says(rules: RuleSet, example: dict[str, Any]) -> None:
    said = next_of(
        rules,
        example["candidate"],
        example["baked"],
        failed=example.get("failed", ()),
        inconclusive=example.get("inconclusive", ()),
    )
    assert said == example["next"]
    if "by" in example:
        assert merged_by(rules, example["candidate"]) == example["by"]


class TestWhatEachIsFor:
    """`standard`, `cautious`, `fast`, `manual`, `blue-green`, each with `why` and examples."""

    def test_all_are_there_and_the_default_is_first(self) -> None:
        assert next(iter(SETS)) == "standard"
        assert set(SETS) == {"standard", "cautious", "fast", "manual", "blue-green"}
        assert all(len(rules.examples) >= 3 and len(rules.why) > 100 for rules in SETS.values())

    def test_cautious_shows_a_failing_and_a_silent_gate(self) -> None:
        shown = [e for e in SETS["cautious"].examples if "failed" in e]
        assert {e["next"] for e in shown} == {"rollback"}
        assert any("inconclusive" in e and e["next"] == "wait" for e in SETS["cautious"].examples)

    def test_under_manual_nothing_merges_by_itself(self) -> None:
        assert {merged_by(SETS["manual"], weight) for weight in range(101)} == {"person"}

    def test_blue_green_previews_and_then_takes_all(self) -> None:
        assert [step.weight for step in SETS["blue-green"].steps] == [0, 100]
        assert SETS["blue-green"].steps_from(0) == (0, 100)

    def test_a_preview_under_fast_waits_for_a_person(self) -> None:
        assert (merged_by(SETS["fast"], 0), merged_by(SETS["fast"], 25)) == ("person", "itself")


class TestFollowed:
    """A key that the service does not follow yet is refused, so that nobody relies on it."""

    def test_the_service_follows_every_set_that_comes_with_it(self) -> None:
        assert set(SETS) == set(built_in().ids)
        assert built_in().ids[0] == "standard"

    def test_the_service_follows_these_keys_and_no_others(self) -> None:
        assert read_config("version: 1\n", built_in().ids) == Config()
        assert {f.key for f in CONFIG_FIELDS if f.followed} == {
            "version",
            "rules",
            "services",
            "freezes",
            "gates",
            "timezone",
            "auto",
            "on-fail",
            "overlap",
            "keep-previous",
            "domain",
            "naming",
            "permissions",
            "four-eyes",
            "labels",
            "reviewers",
        }
        (services,) = (f.shape for f in CONFIG_FIELDS if f.key == "services")
        assert isinstance(services, MapOf)
        assert isinstance(services.item, Record)
        assert {f.key for f in services.item.fields if f.followed} == {
            "file",
            "rules",
            "route",
            "domain",
            "gates",
            "permissions",
            "four-eyes",
        }


def fields() -> list[Field]:
    found: list[Field] = []
    waiting: list[Any] = [LOCKED, *CONFIG_FIELDS, *RULES_FIELDS]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Field):
            found.append(one)
            one = one.shape
        if isinstance(one, Record):
            waiting += one.fields
        elif isinstance(one, ListOf | MapOf):
            waiting.append(one.item)
    return found


def test_every_key_says_what_it_is_for() -> None:
    assert all(field.doc.endswith(".") and len(field.doc) > 10 for field in fields())


class TestSchema:
    """The schema is made from the description that checks."""

    def test_the_files_are_fresh(self) -> None:
        for name, text in schemas(tuple(SETS)).items():
            assert (folder() / name).read_text("utf-8") == text, (
                "run: python -m tests.core.rules_docs --write"
            )

    @pytest.mark.parametrize("name", [CONFIG_SCHEMA, RULES_SCHEMA])
    def test_they_are_schemas_of_draft_7(self, name: str) -> None:
        assert jsonschema_rs.meta.is_valid(schema(name))

    @pytest.mark.parametrize("rules_id", list(SETS))
    def test_the_sets_are_valid_and_say_so_to_editors(self, rules_id: str) -> None:
        text = (folder() / f"{rules_id}.yaml").read_text("utf-8")
        assert text.startswith(f"# yaml-language-server: $schema={RULES_SCHEMA}\n")
        jsonschema_rs.validate(schema(RULES_SCHEMA), yaml.safe_load(text))
