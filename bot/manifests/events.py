"""What ruamel.yaml's parser says of a text, asked once and heard by all who read it.

An edit reads the text before it three times (found, edited, compared) and the text after it
twice, by two readers. Scanning is nine tenths of reading, and gives the same every time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bot.manifests.scanning import hasten

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 100  # levels
REMEMBERED = 4  # texts; the largest document's events take some 20 MB

_OPENING = (MappingStartEvent, SequenceStartEvent)
_CLOSING = (MappingEndEvent, SequenceEndEvent)


class _Broken(Exception):  # noqa: N818 - carries what was read up to there
    """A text's parser gave up: ``said`` until then, and ``why``."""

    def __init__(self, said: list[Any], why: Exception) -> None:
        super().__init__()
        self.said = said
        self.why = why


def events(text: str) -> Iterator[Any]:
    """Give the parser's events for one document.

    They end with the start of a second document, or of a level deeper than ``DEEPEST``, which
    are left for the reader to refuse. Nobody may change an event.

    Raises:
        YAMLError, RecursionError, ValueError: Behind the last event that could be read.
    """
    try:
        said: tuple[Any, ...] | list[Any] = _said(text)
        why = None
    except _Broken as broken:
        said, why = broken.said, broken.why
    yield from said
    if why is not None:
        raise why


def composed(text: str) -> Any:
    """Compose a document with ruamel.yaml's own composer.

    Raises:
        YAMLError: Not valid YAML.
    """
    yaml = _yaml()
    if text.startswith("%") or "\n%" in text or "\r%" in text:
        return yaml.compose(text)  # a directive turns the composer's version while it is parsed
    return _Composer(yaml, list(events(text))).get_single_node()


@lru_cache(maxsize=REMEMBERED)
def _said(text: str) -> tuple[Any, ...]:
    said: list[Any] = []
    documents = depth = 0
    try:
        for event in _yaml().parse(text):
            said.append(event)
            if isinstance(event, DocumentStartEvent):
                documents += 1
            elif isinstance(event, _OPENING):
                depth += 1
            elif isinstance(event, _CLOSING):
                depth -= 1
            if documents > 1 or depth > DEEPEST:
                break
    except (YAMLError, RecursionError, ValueError) as error:
        raise _Broken(said, error) from None
    return tuple(said)


def _yaml() -> YAML:
    # One instance for every document: it is not safe for threads, and "%YAML" sticks to it.
    # "safe" gives the events and offsets of "rt" without collecting comments, a third faster.
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    return hasten(yaml)


class _Heard:
    """Events that were heard before, as a parser gives them."""

    def __init__(self, said: list[Any]) -> None:
        self._said = said
        self._at = 0

    def check_event(self, *choices: type) -> bool:
        """Whether another event is there, of one of these types."""
        return self._at < len(self._said) and (not choices or isinstance(self._said[self._at], choices))

    def peek_event(self) -> Any:
        """Give the next event and leave it there."""
        if self._at >= len(self._said):
            raise YAMLError("the document goes on where its reader stopped")
        return self._said[self._at]

    def get_event(self) -> Any:
        """Give the next event."""
        event = self.peek_event()
        self._at += 1
        return event


class _Composer(Composer):
    """ruamel.yaml's composer, for events that were heard before."""

    def __init__(self, yaml: YAML, said: list[Any]) -> None:
        super().__init__(loader=yaml)
        self._heard = _Heard(said)

    @property
    def parser(self) -> Any:
        """Where the events come from."""
        return self._heard
