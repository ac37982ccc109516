"""Nothing raises for hostile input: depth, size, aliases, tags, duplicate keys, surrogates; and none of it is slow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.rulebook import built_in
from bot.core.problems import Declined
from bot.core.rules import check, named_files, read_config, read_rules
from bot.core.rules.nodes import LARGEST_FILE, MOST_PROBLEMS

SETS = built_in().sets
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)
HOSTILE = [
    pytest.param("[" * 60_000, id="a wall of brackets"),
    pytest.param("{a: " * 10_000, id="deep mappings"),
    pytest.param("- " * 30_000, id="deep lists"),
    pytest.param("? " * 30_000, id="deep keys"),
    pytest.param(LAUGHS, id="a billion laughs"),
    pytest.param("version: 1\nservices: &s {a: *s}\n", id="an alias of itself"),
    pytest.param("version: !!python/object/apply:os.system [ls]\n", id="a tag that runs"),
    pytest.param("version: 1\n" + "a:\n" * 20_000, id="a key twenty thousand times"),
    pytest.param("version: 1\n" + "".join(f"k{n}: 1\n" for n in range(6000)), id="unknown keys"),
    pytest.param("version: 1\n" + "x" * 60_000 + ": 1\n", id="a long key"),
    pytest.param("version: 1\nrules: " + "y" * 60_000, id="a long value"),
    pytest.param('version: 1\nrules: "\\ud800"\n', id="an escaped surrogate"),
    pytest.param("version: 1\nrules: \ud800\n", id="a surrogate"),
    pytest.param("version: 1\nrules: fast\x00\n", id="a zero byte"),
    pytest.param("version: 1\nrules: \u202efast\n", id="a direction character"),
    pytest.param("version: 1\n\u200brules: fast\n", id="an invisible key"),
    pytest.param("x" * (LARGEST_FILE + 1), id="one character too many"),
    pytest.param("%YAML 7.7\n---\nversion: 1\n", id="a directive"),
    pytest.param("version: 1e999\n", id="infinity"),
    pytest.param("version: " + "9" * 5000 + "\n", id="a number of 5000 digits"),
    pytest.param("version: 1\n? {a: b}\n: c\n", id="a mapping as a key"),
    pytest.param("version: 1\nnull: 1\n~: 2\ntrue: 3\n1: 4\n", id="keys that are no text"),
    pytest.param("\r\r\r", id="lone carriage returns"),
    pytest.param(
        "version: 1\nfreezes:\n" + '  - {name: a, deny: "FREQ=DAILY", for: 1m}\n' * 1400, id="many freezes"
    ),
    pytest.param(
        "version: 1\nservices:\n" + "".join(f"  s{n}: {{}}\n" for n in range(5000)), id="many services"
    ),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE)
class TestHostile:
    """Read as a problem, never as an exception of another kind."""

    def test_all_keys(self, text: str) -> None:
        checked = check(text, SETS)
        assert 1 <= len(checked.problems) <= MOST_PROBLEMS + 1
        assert all(len(problem.message) < 1500 for problem in checked.problems)
        assert named_files(text) == ()

    def test_for_the_service(self, text: str) -> None:
        with pytest.raises(Declined) as error:
            read_config(text, built_in().ids)
        assert {problem.code for problem in error.value.problems} == {"config-invalid"}

    def test_as_a_rule_set(self, text: str) -> None:
        with pytest.raises(Declined):
            read_rules(text, "rules/mine.yaml")


def test_a_byte_order_mark_is_nothing() -> None:
    assert check("\ufeffversion: 1\nrules: fast\n", SETS).problems == ()


WORDS = st.sampled_from(
    [
        *"{}[],:-?&*!|>'\"%@`#\n \t",
        "version: 1\n",
        "rules: ",
        "fast",
        "services:\n",
        "  a: ",
        "freezes:\n",
        "- {",
        "}",
        'name: a, deny: "FREQ=DAILY", for: 1h',
        "permissions: ",
        "promote: [write]",
        "\n  ",
        "locked: ",
        "gates: ",
    ]
)


@given(st.lists(WORDS, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_a_configuration_or_has_problems(text: str) -> None:
    checked = check(text, SETS)
    assert (checked.config is None) == bool(checked.problems)
    for problem in checked.problems:
        assert problem.code == "config-invalid"
        assert problem.place is not None
    try:
        read_rules(text, "rules/mine.yaml")
    except Declined as declined:
        assert declined.problems  # noqa: PT017 - either may happen


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=3)
    )
)
def test_any_value_under_any_key(value: object) -> None:
    for key in (
        "rules",
        "timezone",
        "permissions",
        "freezes",
        "services",
        "gates",
        "naming",
        "labels",
        "reviewers",
    ):
        checked = check(f"version: 1\n{key}: {value!r}\n", SETS)
        assert (checked.config is None) == bool(checked.problems)
