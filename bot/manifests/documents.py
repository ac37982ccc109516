"""The documents of a file that one reader is for: each read, or told why it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.core.problems import Declined, Place, Problem
from bot.manifests.source import LARGEST_DOCUMENT, candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bot.manifests.source import Chunk, Source

T = TypeVar("T")


def read_each(
    source: Source,
    *,
    may_be: Callable[[str], bool],
    looks_like: Callable[[str], bool],
    read: Callable[[Chunk], Iterable[T | tuple[Problem, ...]]],
    what: str,
) -> Iterator[T | tuple[Problem, ...]]:
    """Give what a reader finds in the documents of a file, and the problems of those that it cannot read.

    Args:
        source: The file.
        may_be: Whether a document's text is worth parsing; reads no YAML.
        looks_like: Whether a document that cannot be read seems to be one of the reader's: others may hold anything.
        read: Gives the objects of a document, or problems of some; raises ``Declined`` for the whole of it.
        what: What a too large document holds, for the remedy: ``service``, ``route``.
    """
    try:
        found = candidates(source, may_be)
    except Declined as declined:
        yield declined.problems
        return
    for chunk, text in found:
        if len(text) > LARGEST_DOCUMENT:
            if looks_like(text):
                yield (_too_large(source, chunk, what),)
            continue
        try:
            yield from read(chunk)
        except Declined as declined:
            if looks_like(text):
                yield declined.problems


def _too_large(source: Source, chunk: Chunk, what: str) -> Problem:
    return Problem(
        "file-too-large",
        f"The document has {chunk.end - chunk.start} characters; up to {LARGEST_DOCUMENT} are edited.",
        f"Move the {what} into a file of its own.",
        Place(source.path, source.line(chunk.start) + 1),
    )
