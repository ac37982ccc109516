"""The words of the sandbox's refusals, found in its source, and whether GitHub was recorded saying them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bot.sandbox
from bot.sandbox.faults import _ANSWERS
from tests.contract.recorded import Recording, recordings

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """A sentence of the sandbox with its status; ``words`` shows what changes in it as ``…``."""

    status: int
    words: str

    def said_by(self, one: Recording) -> bool:
        """Tell whether a recorded refusal is this one."""
        message = one.body.get("message") if isinstance(one.body, dict) else None
        if one.status != self.status or not isinstance(message, str):
            return False
        parts = (re.escape(part) for part in self.words.split("…"))
        return re.fullmatch(r"\S+".join(parts), message, re.DOTALL) is not None


def texts() -> list[Text]:
    """Give what the sandbox says no with: the literals of ``ApiError`` and the faults, by status."""
    files = sorted(Path(bot.sandbox.__file__).parent.rglob("*.py"))
    files = [file for file in files if not file.name.startswith("pages")]  # the pages say other things
    trees = [ast.parse(file.read_text("utf-8")) for file in files]
    named = {name: words for tree in trees for name, words in _constants(tree)}
    found = {Text(status, message) for status, message, _ in _ANSWERS.values()}
    for tree in trees:
        found |= set(_said(tree, named))
    return sorted(found)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            words = _words(node.value, {})
            if words is not None:
                yield node.targets[0].id, words


def _said(tree: ast.Module, named: dict[str, str]) -> Iterator[Text]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "invalid":
            yield Text(422, "Validation Failed")
        elif node.func.id == "ApiError" and len(node.args) > 1 and isinstance(node.args[0], ast.Constant):
            words = _words(node.args[1], named)
            if words is not None:
                yield Text(int(str(node.args[0].value)), words)


def _words(node: ast.expr, named: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return named.get(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def years(text: Text) -> list[int]:
    """Give the years in which GitHub was recorded saying it, whatever the operation. Raises ``Unavailable``."""
    return sorted({one.year for one in recordings() if one.status >= 400 and text.said_by(one)})
