"""Rule sets and the repository's configuration: what is read, and what each mistake says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.adapters.rulebook import built_in
from bot.core.problems import Declined
from bot.core.rules import Config, ServiceConfig, Who, check, read_config, read_rules

IDS = built_in().ids
GOOD = """\
id: mine
summary: s
why: w
steps:
  - {weight: 10, bake: 1h}
  - {weight: 100}
"""


def test_the_built_in_sets_are_there_and_the_default_is_first() -> None:
    assert IDS[0] == "standard"
    assert "fast" in IDS


def test_a_rule_set() -> None:
    rules = read_rules(GOOD, "rules/mine.yaml")
    assert [(s.weight, s.bake) for s in rules.steps] == [(10, timedelta(hours=1)), (100, timedelta(0))]
    assert rules.hold_on_early_merge


@pytest.mark.parametrize(
    ("old", "new", "said", "line"),
    [
        pytest.param("id: mine", "id: other", "the file's name says", 1, id="id and file name disagree"),
        pytest.param("weight: 10,", "weight: 101,", "from 0 to 100", 5, id="a weight above 100"),
        pytest.param("weight: 10,", 'weight: "10",', "from 0 to 100", 5, id="a weight as text"),
        pytest.param("{weight: 100}", "{weight: 90}", "last one must be 100", 4, id="no end"),
        pytest.param("weight: 10,", "weight: 100,", "must rise", 4, id="steps do not rise"),
        pytest.param("bake: 1h", "bake: 30", "duration with its unit", 5, id="a duration without unit"),
        pytest.param("bake: 1h", "bakes: 1h", "Unknown key", 5, id="a misspelt key"),
        pytest.param("summary: s", "summary: s\nsummary: t", "A key stands twice", 3, id="a key twice"),
        pytest.param("why: w", "why: [", "not valid YAML", 5, id="no YAML"),
        pytest.param("summary: s\n", "", "`summary` is missing", None, id="a missing key"),
    ],
)
def test_a_mistake_in_a_rule_set(old: str, new: str, said: str, line: int | None) -> None:
    with pytest.raises(Declined) as error:
        read_rules(GOOD.replace(old, new), "rules/mine.yaml")
    (problem,) = (one for one in error.value.problems if said in one.message)
    assert line is None or (problem.place is not None and problem.place.line == line)


def test_the_smallest_configuration() -> None:
    assert read_config("version: 1\n", IDS) == Config()


def test_services_follow_their_own_rules() -> None:
    config = read_config("version: 1\nrules: standard\nservices:\n  shop: {file: a.yaml, rules: fast}\n", IDS)
    assert config.services == {"shop": ServiceConfig("a.yaml", "fast")}
    assert (config.rules_for("shop"), config.rules_for("other")) == ("fast", "standard")


def test_all_problems_of_a_file_are_reported_together() -> None:
    text = "version: 2\nrules: fats\nservice: {}\nreviewers: kim\nservices:\n  shop: {rule: fast}\n"
    with pytest.raises(Declined) as error:
        read_config(text, IDS)
    said = [(p.place.line if p.place else None, p.message, p.remedy) for p in error.value.problems]
    assert [line for line, _, _ in said] == [1, 2, 3, 4, 6]
    assert said[1][2] == "Did you mean `fast`?"
    assert said[2][2] == "Did you mean `services`?"
    assert said[4][2] == "Did you mean `rules`?"


@pytest.mark.parametrize(
    "text",
    [
        "- a\n",
        "5\n",
        "version: true\n",
        "{}\n",
        "version: 1\nservices: 5\n",
        "version: 1\nservices: {a: 5}\n",
        "[" * 99,
    ],
)
def test_what_is_no_configuration(text: str) -> None:
    with pytest.raises(Declined) as error:
        read_config(text, IDS)
    assert {p.code for p in error.value.problems} == {"config-invalid"}


SETS = built_in().sets


@pytest.mark.parametrize(
    ("written", "who"),
    [
        pytest.param("write", Who("role", "write"), id="a role"),
        pytest.param("codeowners", Who("codeowners"), id="the owners of the manifest"),
        pytest.param("acme/sre", Who("team", "acme/sre"), id="a team"),
        pytest.param('"@acme/sre"', Who("team", "acme/sre"), id="a team as it is mentioned"),
        pytest.param("mona", Who("user", "mona"), id="a user"),
        pytest.param("martin", Who("user", "martin"), id="a user who is nearly called like a role"),
        pytest.param('"@wirte"', Who("user", "wirte"), id="a user who is called like a misspelt role"),
        pytest.param('"@write"', Who("user", "write"), id="a user who is called like a role"),
        pytest.param("wirte", None, id="a misspelt role is no user"),
        pytest.param("-mona", None, id="no login"),
        pytest.param("acme/sre/x", None, id="no team"),
        pytest.param("acme/", None, id="half a team"),
        pytest.param("5", None, id="a number"),
    ],
)
def test_who_may(written: str, who: Who | None) -> None:
    checked = check(f"version: 1\npermissions: {{promote: [{written}]}}\n", SETS)
    assert (checked.config.may("promote") if checked.config is not None else None) == (who and (who,))


def test_permissions_of_a_service_stand_instead_of_the_files() -> None:
    text = "permissions: {promote: [admin], hold: [read]}\nservices: {a: {permissions: {promote: [mona]}}}\n"
    config = check(f"version: 1\n{text}", SETS).config
    assert config is not None
    assert [str(one) for one in config.may("promote", "a")] == ["@mona"]
    assert [str(one) for one in config.may("promote", "b")] == ["everyone with the role admin"]
    assert [str(one) for one in config.may("hold", "a")] == ["everyone with the role read"]
    assert [str(one) for one in config.may("rollback", "a")] == ["everyone with the role triage"]


def test_a_rule_set_of_the_repository_is_named_by_its_path() -> None:
    text = (
        "version: 1\nrules: deploy/mine.yaml\nservices: {a: {gates: [slow]}}\ngates: {slow: {reviewers: 2}}\n"
    )
    checked = check(text, SETS, files={"deploy/mine.yaml": GOOD})
    assert checked.problems == ()
    assert [step.gates for step in checked.rules_of("a").steps] == [("slow",), ()]
    assert [step.gates for step in checked.rules_of("b").steps] == [(), ()]
    assert checked.rules_of("a").gates["slow"].reviewers == 2
