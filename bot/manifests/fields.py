"""The fields that a server names, found in a file."""

from __future__ import annotations

import re

from bot.manifests.nodes import Alias, Mapping, Node, Scalar, Sequence

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]", re.ASCII)
_ANNOTATION = "metadata.annotations."


def steps(path: str) -> list[str | int]:
    """Take one of the server's paths apart: ``spec.traffic[1].tag``, or ``spec.traffic.tag[1]`` for the same."""
    if path.startswith(_ANNOTATION):
        return ["metadata", "annotations", path.removeprefix(_ANNOTATION)]
    path = re.sub(r"^spec\.traffic\.tag(\[[0-9]+\])$", r"spec.traffic\1.tag", path, flags=re.ASCII)
    return [name or int(index) for name, index in _STEP.findall(path)]


def span(root: Node, path: str) -> tuple[int, int]:
    """Give where a field of an object stands: a scalar's value, else the key; or as near to it as there is anything."""
    node = root
    found = node.start, node.start + 1
    for step in steps(path):
        whole = node.to if isinstance(node, Alias) else node
        if isinstance(step, int) and isinstance(whole, Sequence) and step < len(whole.items):
            node = whole.items[step]
            found = node.start, node.start + 1
            if isinstance(node, Scalar) and not node.is_empty:
                found = node.start, node.end
            continue
        pairs = whole.pairs if isinstance(whole, Mapping) else []
        pair = next(((k, v) for k, v in pairs if isinstance(k, Scalar) and k.value == step), None)
        if pair is None:
            break
        key, node = pair
        shown = node if isinstance(node, Scalar) and not node.is_empty else key
        found = shown.start, shown.end
    return found
