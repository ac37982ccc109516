"""What an edit changed, as a diff and as counts. Knows nothing of the editor."""

from __future__ import annotations

import difflib
import itertools
import re
from typing import TYPE_CHECKING

from bot.manifests.knative import find_services

if TYPE_CHECKING:
    from bot.manifests.knative import Manifest

CONTEXT = 3  # lines
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")


def unified(before: bytes, after: bytes, path: str) -> str:
    """Give the unified diff of two versions of a file, as git shows it.

    A carriage return at a line's end and a byte-order mark are not shown. Empty when
    nothing differs.
    """
    old, new = _lines(before), _lines(after)
    out: list[str] = []
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=CONTEXT):
        out.append(line.rstrip("\r\n"))
        if not line.endswith(("\n", "\r")):
            out.append("\\ No newline at end of file")
    return "\n".join(out) + "\n" if out else ""


def changed_lines(before: bytes, after: bytes) -> int:
    """Count the lines that a reviewer sees changed; a line replaced by another counts once."""
    matcher = difflib.SequenceMatcher(None, _lines(before), _lines(after), autojunk=False)
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")


def bytes_outside(before: bytes, after: bytes, manifest: Manifest) -> int:
    """Count the changed bytes outside the lines of the traffic block and of the revision's name.

    ``manifest`` was found in ``before``. All bytes count when the service is not found in ``after``.
    """
    again = [
        found
        for found in find_services(after, manifest.path, name=manifest.name).manifests
        if found.id == manifest.id and found.document == manifest.document
    ]
    if len(again) != 1:
        return max(len(before), len(after))
    old, new = _byte_lines(before), _byte_lines(after)
    own_old, own_new = _own(old, manifest), _own(new, again[0])
    if manifest.template_name_line is None and again[0].template_name_line is not None:
        # A first name may have needed a "metadata:" line of its own.
        above = again[0].template_name_line - 2
        if re.fullmatch(rb"\s*[\"']?metadata[\"']?:\s*", new[above]):
            without = [line for number, line in enumerate(new) if number not in own_new | {above}]
            own_new |= (
                {above} if without == [line for n, line in enumerate(old) if n not in own_old] else set()
            )
    behind = again[0].traffic_lines[1] if again[0].traffic_lines and manifest.traffic_lines else len(new)
    while (
        behind < len(new)
        and new[behind] in _comments(old, own_old)
        and len(new) - len(own_new) > len(old) - len(own_old)
    ):
        # A comment of the block that lies behind it now, as the entry behind it is gone.
        own_new.add(behind)
        behind += 1
    rest_old = [line for number, line in enumerate(old) if number not in own_old]
    rest_new = [line for number, line in enumerate(new) if number not in own_new]
    if rest_old == rest_new:
        return 0
    count = 0
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal" or _is_insertion(
            b"".join(old[i1:i2]), b"".join(new[j1:j2]), own_new >= set(range(j1, j2))
        ):
            continue
        count += sum(len(old[number]) for number in range(i1, i2) if number not in own_old)
        count += sum(len(new[number]) for number in range(j1, j2) if number not in own_new)
    return count


def _comments(lines: list[bytes], own: set[int]) -> set[bytes]:
    """Give the blank lines and comments among some lines."""
    return {
        lines[number]
        for number in own
        if not lines[number].strip() or lines[number].lstrip().startswith(b"#")
    }


def _is_insertion(old: bytes, new: bytes, own: bool) -> bool:  # noqa: FBT001 - a fact of ``new``
    """Whether a line in flow style only got something: a block without lines of its own."""
    return own and _common(old, new) + _common(old[::-1], new[::-1]) >= len(old)


def _common(one: bytes, other: bytes) -> int:
    """Count the bytes that two texts begin with alike."""
    return sum(1 for _ in itertools.takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    return [line for line in _LINE.findall(text) if line]


def _byte_lines(content: bytes) -> list[bytes]:
    return [line for line in re.findall(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)", content) if line]


def _own(lines: list[bytes], manifest: Manifest) -> set[int]:
    """Give the lines that may change, counted from 0."""
    own: set[int] = set()
    if manifest.traffic_lines:
        own.update(range(manifest.traffic_lines[0] - 1, manifest.traffic_lines[1]))
    if manifest.template_name_line:
        own.add(manifest.template_name_line - 1)
    return {number for number in own if number < len(lines)}
