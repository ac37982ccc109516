"""Which documented operation a path belongs to; some parameters of GitHub's hold slashes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]
MULTI = frozenset({"path", "ref", "basehead"})  # hold slashes, whether the description marks them or not


@dataclass(slots=True)
class _Node:
    words: dict[str, _Node] = field(default_factory=dict)
    hole: _Node | None = None
    long: bool = False  # the hole that leads here may hold slashes
    template: str = ""


class Router:
    """Finds the template of a path, the one with most literal words first.

    Args:
        operations: By template and method; ``multi`` of each names its parameters with slashes.
    """

    def __init__(self, operations: Mapping[str, Mapping[str, Json]]) -> None:
        self._root = _Node()
        for template, methods in operations.items():
            multi = MULTI.union(*(told["multi"] for told in methods.values()))
            node = self._root
            for word in template.strip("/").split("/"):
                if "{" not in word:
                    node = node.words.setdefault(word, _Node())
                    continue
                node.hole = node.hole or _Node()
                node = node.hole
                node.long = node.long or word.strip("{}") in multi
            node.template = node.template or template

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """Give the template of a path and its parameters, decoded.

        ``path`` is as it was sent: a slash inside a parameter that is written ``%2F`` parts nothing.
        """
        words = path.removeprefix("/").split("/")
        found = _match(self._root, words, 0, [])
        if found is None:
            return None
        template, values = found
        names = [word.strip("{}") for word in template.strip("/").split("/") if "{" in word]
        return template, dict(zip(names, map(unquote, values), strict=True))


def _match(node: _Node, words: list[str], at: int, taken: list[str]) -> tuple[str, list[str]] | None:
    if at == len(words):
        return (node.template, taken) if node.template else None
    known = node.words.get(unquote(words[at]))
    if known is not None and (found := _match(known, words, at + 1, taken)):
        return found
    if node.hole is None or not words[at]:
        return None
    # The fewest words first, so that what follows a long parameter has its chance.
    for end in range(at + 1, len(words) + 1 if node.hole.long else at + 2):
        if found := _match(node.hole, words, end, [*taken, "/".join(words[at:end])]):
            return found
    return None
