"""What the editor hears of a text is what ruamel.yaml's own parser says, and is asked for once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.manifests import events
from bot.manifests.events import DEEPEST, REMEMBERED, composed
from tests.shared import shared

GOLDENS = sorted(Path(__file__).parent.glob("*/before.yaml"))
FAILURES = (YAMLError, RecursionError, ValueError, AttributeError, IndexError, AssertionError)
# Every character with a meaning for YAML, and the ends of lines that a scanner may know.
CHARACTERS = "abk01 :-?#,[]{}'\"|>&*!%@`~.\\\n\n  \t\r\0\x85\u2028\ufeffé"
PIECES = [
    *(
        "key: ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "v: 1",
        "# why\n",
        '"a b"',
        "'c'",
        "{a: 1}",
        "[x, y]",
        "a:b",
        ": ",
    ),
    *("---\n", "...\n", "|\n", ">-\n", "&a ", "*a", "!!str ", "%YAML 1.1\n", "? ", "\t", "\r\n", "{{ x }}"),
]


def plain() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    return yaml


def said(yaml: YAML, text: str) -> list[Any]:
    """Give what a parser says, each event with all that it holds, and how it fails."""
    found: list[Any] = []
    try:
        for event in yaml.parse(text):
            marks = [(m.index, m.line, m.column) for m in (event.start_mark, event.end_mark)]
            rest = [
                getattr(event, name, None)
                for name in (
                    "value",
                    "style",
                    "anchor",
                    "tag",
                    "implicit",
                    "explicit",
                    "flow_style",
                    "comment",
                )
            ]
            found.append((type(event).__name__, marks, [str(one) for one in rest]))
    except FAILURES as error:
        found.append((type(error).__name__, str(error)))
    return found


def same(text: str) -> None:
    assert said(events._yaml(), text) == said(plain(), text)


def tree(node: Any) -> Any:
    if node is None:
        return None
    value = node.value
    if isinstance(value, list):
        value = [tuple(map(tree, one)) if isinstance(one, tuple) else tree(one) for one in value]
    return str(node.tag), value, node.anchor, node.start_mark.index, node.end_mark.index


class TestEventsAreTheOriginals:
    @pytest.mark.parametrize("path", GOLDENS, ids=lambda path: str(path.parent.name))
    def test_goldens(self, path: Path) -> None:
        same(path.read_bytes().decode().removeprefix("\ufeff"))

    @given(text=st.text(CHARACTERS, max_size=60))
    def test_any_characters(self, text: str) -> None:
        same(text)

    @given(pieces=st.lists(st.sampled_from(PIECES), max_size=25))
    def test_pieces_of_yaml(self, pieces: list[str]) -> None:
        same("".join(pieces))

    @pytest.mark.parametrize("text", ["k" * 1030 + ": v", '"' + "k" * 1030 + '": v', "a: b: c", "a\n b: c"])
    def test_keys_that_cannot_be_one(self, text: str) -> None:
        same(text)

    def test_corpus(self) -> None:
        for path in sorted(shared("corpus").glob("*/*.yaml")):
            same(path.read_bytes().decode().removeprefix("\ufeff"))


class TestComposed:
    @given(pieces=st.lists(st.sampled_from(PIECES), max_size=25))
    def test_as_the_original_composes(self, pieces: list[str]) -> None:
        text = "".join(pieces)
        outcomes = []
        for compose in (composed, plain().compose):
            try:
                outcomes.append(tree(compose(text)))
            except (
                YAMLError
            ):  # which one of several the original meets first depends on how far it had scanned
                outcomes.append("not YAML")
            except (*FAILURES, Warning) as error:
                outcomes.append(type(error).__name__)
        assert outcomes[0] == outcomes[1]

    def test_a_directive_turns_the_version(self) -> None:
        text = "%YAML 1.1\n---\na: yes\n"
        assert tree(composed(text)) == tree(plain().compose(text))
        assert "bool" in str(composed(text).value[0][1].tag)


class TestAskedOnce:
    def test_the_same_text(self) -> None:
        events._said.cache_clear()
        first, second = list(events.events("a: 1\n")), list(events.events("a: 1\n"))
        assert [id(one) for one in first] == [id(one) for one in second]
        assert events._said.cache_info().misses == 1

    def test_other_texts_are_forgotten(self) -> None:
        events._said.cache_clear()
        for number in range(REMEMBERED + 3):
            list(events.events(f"a: {number}\n"))
        assert events._said.cache_info().currsize == REMEMBERED

    def test_a_broken_text_says_what_came_before(self) -> None:
        heard: tuple[list[str], list[str]] = ([], [])
        for names in heard:
            with pytest.raises(YAMLError):
                names.extend(type(event).__name__ for event in events.events("a: [1, 2\nb: }\n"))
        assert heard[0] == heard[1]
        assert "ScalarEvent" in heard[0]

    def test_too_deep_ends_early(self) -> None:
        heard = list(events.events("[" * 5_000))
        assert len(heard) == DEEPEST + 3  # the stream, the document, and one level too many
        assert all(one.start_mark.index <= two.start_mark.index for one, two in pairwise(heard))
