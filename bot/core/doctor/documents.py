"""YAML of any kind, read for its values and its lines; and small questions to such values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.core.problems import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 200_000  # characters of a file; about a second of parsing
_DEEPEST = 50


def read_all(text: str) -> tuple[Any, ...] | None:
    """Give the documents of a stream, ``None`` when it cannot be read as YAML."""
    if len(text) > LARGEST:
        return None
    yaml = YAML(typ="rt", pure=True)
    yaml.max_depth = _DEEPEST
    yaml.allow_duplicate_keys = True  # it is about what a file says, not about how well
    try:
        return tuple(yaml.load_all(text))
    except (YAMLError, RecursionError, ValueError, TypeError, AttributeError):
        return None


def read_one(text: Any) -> Any:
    """Give the one document that a text holds, ``None`` when it is no such text."""
    documents = read_all(text) if isinstance(text, str) else None
    return documents[0] if documents and len(documents) == 1 else None


def at(value: Any, *path: str) -> Any:
    """Give what lies at a path of keys, ``None`` when there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def entries(value: Any) -> list[Any]:
    """Give the entries of a list; none for what is no list."""
    return list(value) if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """Give the texts of a list."""
    return [entry for entry in entries(value) if isinstance(entry, str)]


def text(value: Any) -> str:
    """Give a text, empty for what is none."""
    return value if isinstance(value, str) else ""


def objects(documents: tuple[Any, ...]) -> Iterator[dict[Any, Any]]:
    """Give the mappings among documents, and those inside of a Kubernetes ``List``."""
    for document in documents:
        if not isinstance(document, dict):
            continue
        if document.get("kind") == "List":
            yield from (item for item in entries(document.get("items")) if isinstance(item, dict))
        else:
            yield document


def place(path: str, holder: Any, key: Any = None) -> Place:
    """Give where a value stands: that of ``key`` in ``holder``, or ``holder`` itself. Lines count from 1."""
    marks = getattr(holder, "lc", None)
    if marks is None:
        return Place(path)
    if marks.data and key in marks.data:
        found = marks.data[key]
        return Place(path, found[0] + 1, found[1] + 1)
    return Place(path, marks.line + 1, marks.col + 1) if marks.line is not None else Place(path)
