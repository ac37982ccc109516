"""Changes of a text by whole lines."""

from __future__ import annotations

from difflib import SequenceMatcher


def carried_over(now: bytes, before: bytes, after: bytes) -> bytes | None:
    """Give ``now`` with the change from ``before`` to ``after``; its other lines may have changed since ``before``.

    ``None`` where a line of the change, or one beside it, was changed in ``now`` too: git calls that a conflict.
    """
    if now == before:
        return after
    if after in {before, now}:
        return now
    lines, base, goal = (text.splitlines(keepends=True) for text in (now, before, after))
    since = _changes(base, lines)
    result = list(lines)
    for _, low, high, start, end in reversed(_changes(base, goal)):
        if any(first <= high and low <= last for _, first, last, _, _ in since):
            return None
        moved = sum((d - c) - (b - a) for _, a, b, c, d in since if b < low)
        result[low + moved : high + moved] = goal[start:end]
    return b"".join(result)


def _changes(old: list[bytes], new: list[bytes]) -> list[tuple[str, int, int, int, int]]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [opcode for opcode in matcher.get_opcodes() if opcode[0] != "equal"]
