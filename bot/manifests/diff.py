"""What an edit changed, as a diff and as counts. Knows nothing of the editor."""

from __future__ import annotations

import difflib
import itertools
import re
from typing import TYPE_CHECKING

from bot.manifests.knative import find_services

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    counts = (
        _differing(old, own_old, new, own_new | more)
        for more in _extensions(old, own_old, manifest, new, again[0])
    )
    return min(counts)


def _differing(old: list[bytes], own_old: set[int], new: list[bytes], own_new: set[int]) -> int:
    """Count the bytes of lines that differ and are nobody's own."""
    rest_old = [line for number, line in enumerate(old) if number not in own_old]
    rest_new = [line for number, line in enumerate(new) if number not in own_new]
    if rest_old == rest_new:
        return 0
    grown = [new[number] for number in own_new], [old[number] for number in own_old]
    count = 0
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(
        None, rest_old, rest_new, autojunk=False
    ).get_opcodes():
        if tag != "equal":
            count += sum(len(line) for line in rest_old[i1:i2] if not _grew(line, grown[0]))
            count += sum(len(line) for line in rest_new[j1:j2] if not _grew(line, grown[1]))
    return count


def _grew(line: bytes, others: list[bytes]) -> bool:
    """Whether a line in flow style only got something: a block or a name without lines of its own."""
    return b"{" in line and any(
        _common(line, other) + _common(line[::-1], other[::-1]) >= len(line) for other in others
    )


def _extensions(
    old: list[bytes], own_old: set[int], before: Manifest, new: list[bytes], after: Manifest
) -> Iterator[set[int]]:
    """Give the sets of further lines of the new file that may count as the edit's own."""
    above: list[set[int]] = [set()]
    if before.template_name_line is None and after.template_name_line is not None:
        # A first name may have needed a "metadata:" line of its own.
        line = after.template_name_line - 2
        if re.fullmatch(rb"\s*[\"']?metadata[\"']?:\s*", new[line]):
            above.append({line})
    # Comments of the block lie behind it when the entry behind them is gone.
    behind: list[set[int]] = [set()]
    if before.traffic_lines and after.traffic_lines:
        comments = {
            old[n].rstrip() for n in own_old if not old[n].strip() or old[n].lstrip().startswith(b"#")
        }
        for line in range(after.traffic_lines[1], len(new)):
            if new[line].rstrip() not in comments:
                break
            behind.append(behind[-1] | {line})
    yield from (one | other for one in above for other in behind)


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
