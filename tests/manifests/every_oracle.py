"""A second opinion on the edits of any workload: what the file says afterwards, and which lines may change.

Values come from libyaml (YAML 1.1) and from ruamel's loader (YAML 1.2), positions from libyaml's marks. What
an edit means is worked out anew on plain values; of the bot, only the values of a workload and a split are used.
"""

from __future__ import annotations

import copy
import json
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from bot.core.traffic import Shape, Split
from tests.manifests.oracle import KEYS, documents, last_line, text_of
from tests.manifests.weighted_oracle import load, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.manifests.workload import Workload

MODES = ("runLatest", "release", "pinned")
RELEASE = ("revisions", "rolloutPercent", "revisionName")
# From a node to a node below it: keys of mappings, places in lists.
Path: TypeAlias = tuple[str | int, ...]


def item_of(workload: Workload) -> int | None:
    """Give the object's place in a list."""
    found = workload.rules[0].item if workload.rules else getattr(workload.origin, "item", None)
    assert found is None or isinstance(found, int)
    return found


def number(content: bytes, workload: Workload) -> int:
    """Give the place of the workload's document."""
    line = workload.rules[0].line if workload.rules else workload.line
    return max(n for n, (first, text) in enumerate(documents(content)) if first < line and text)


def own(data: Any, workload: Workload) -> Any:
    """Give the object in the data of its document."""
    item = item_of(workload)
    return data if item is None else data["items"][item]


def plain(content: bytes, workload: Workload, reader: str = "1.1") -> Any:
    """Give the object as plain values."""
    return own(load(documents(content)[number(content, workload)][1], reader), workload)


# what it means -----------------------------------------------------------------------


def destinations(data: Any, workload: Workload) -> list[dict[str, Any]]:
    rule = workload.rule
    assert rule is not None
    key = "route" if workload.kind == "VirtualService" else "backendRefs"
    found = data["spec"][rule.section][rule.index][key]
    assert isinstance(found, list)
    return found


def effective(data: Any, workload: Workload) -> list[int]:
    """Give the weights with what an absent one counts as."""
    entries = destinations(data, workload)
    istio = workload.kind == "VirtualService"
    absent = (100 if len(entries) == 1 else 0) if istio else 1
    return [absent if entry.get("weight") is None else entry["weight"] for entry in entries]


def mode_of(spec: dict[str, Any]) -> str:
    return next(mode for mode in MODES if spec.get(mode) is not None)


def shares(data: Any, workload: Workload) -> dict[str | int, Fraction]:
    """Give who is served, in percent: revisions by name, destinations by place, ``@latest``."""
    found: dict[str | int, Fraction] = {}
    pairs: list[tuple[str | int, Fraction]]
    if workload.split.shape is Shape.WEIGHTS:
        weights = effective(data, workload)
        pairs = [(i, Fraction(100 * weight, sum(weights) or 1)) for i, weight in enumerate(weights)]
    elif workload.split.shape is Shape.RELEASE:
        body = data["spec"][mode_of(data["spec"])]
        names = body.get("revisions") or [body.get("revisionName") or "@latest"]
        share = Fraction(body.get("rolloutPercent") or 0)
        pairs = [(names[0], 100 - share), *((name, share) for name in names[1:])]
    else:
        entries = data["spec"].get("traffic") or [{"percent": 100}]
        pairs = [(e.get("revisionName") or "@latest", Fraction(e.get("percent") or 0)) for e in entries]
    for name, share in pairs:
        found[name] = found.get(name, Fraction(0)) + share
    return {name: share for name, share in found.items() if share}


def wanted(data: Any, workload: Workload, split: Split, name: str | None) -> Any:
    """Give an object with only the split changed, and the revision's name where one is given."""
    result = copy.deepcopy(data)
    if split.shape is Shape.WEIGHTS:
        _want_weights(result, workload, split)
    elif split.shape is Shape.RELEASE:
        _want_release(result["spec"], split)
    else:
        spec = result["spec"]
        entries = spec.get("traffic") or []
        spec["traffic"] = [
            _want_target(entries[t.slot] if t.slot is not None and entries else {}, t) for t in split.targets
        ]
    if name is not None:
        template = result["spec"]["template"]
        template["metadata"] = {**(template.get("metadata") or {}), "name": name}
    return result


def _want_target(kept: dict[str, Any], target: Any) -> dict[str, Any]:
    fields = {key: getattr(target, own) for key, own in KEYS.items() if getattr(target, own) is not None}
    rest = {k: v for k, v in kept.items() if k not in KEYS or (v is None and k not in fields)}
    return {**rest, **fields}


def _want_release(spec: dict[str, Any], split: Split) -> None:
    slots = {t.tag: t for t in split.targets if t.tag != "latest"}
    names = [slots[tag].revision or "@latest" for tag in ("current", "candidate") if tag in slots]
    share = slots["candidate"].effective_percent if "candidate" in slots else 0
    mode = mode_of(spec)
    body = spec[mode]
    if mode == "release" and body["revisions"] == names and (body.get("rolloutPercent") or 0) == share:
        return
    del spec[mode]
    kept = {key: value for key, value in body.items() if key not in RELEASE}
    spec["release"] = {**kept, "revisions": names, "rolloutPercent": share}


def _want_weights(data: Any, workload: Workload, split: Split) -> None:
    before = effective(data, workload)
    percents = [Fraction(t.effective_percent) for t in sorted(split.targets, key=lambda t: t.slot or 0)]
    scaled = [sum(before) * percent / 100 for percent in percents]
    even = sum(before) > 0 and all(weight.denominator == 1 for weight in scaled)
    for entry, was, weight in zip(
        destinations(data, workload), before, scaled if even else percents, strict=True
    ):
        if was != weight:
            entry["weight"] = int(weight)


def typed(data: Any) -> str:
    """Give a text that tells 1, 1.0, true and "1" apart."""
    return json.dumps(data, sort_keys=True, default=repr)


# which lines -------------------------------------------------------------------------


def paths(workload: Workload, *, metadata: bool) -> Iterator[tuple[Path, bool]]:
    """Give the paths of the pairs that an edit may touch; only the key where that is said."""
    if workload.rule is not None:
        key = "route" if workload.kind == "VirtualService" else "backendRefs"
        yield ("spec", workload.rule.section, workload.rule.index, key), False
    elif workload.split.shape is Shape.RELEASE:
        for mode in MODES:
            yield ("spec", mode), True
            yield from ((("spec", mode, key), False) for key in RELEASE)
    else:
        yield ("spec", "traffic"), False
        yield ("spec", "template", "metadata", *([] if metadata else ["name"])), False


class Seen:
    """One object of a file as libyaml sees it."""

    def __init__(self, content: bytes, workload: Workload, *, metadata: bool = False) -> None:
        self.text = documents(content)[number(content, workload)][1]
        root = yaml.compose(self.text, Loader=yaml.CBaseLoader)
        item = item_of(workload)
        start: Path = () if item is None else ("items", item)
        self.lines = split_lines(self.text)
        self.own: set[int] = set()
        self.spans: list[tuple[int, int]] = []
        self.scalars: list[tuple[int, int]] = []
        self.form: list[Any] = []
        self.mixed = False
        self.block: tuple[int, int] | None = None
        for path, key_only in paths(workload, metadata=metadata):
            if (found := self._pair(root, (*start, *path))) is not None:
                self._add(*found, key_only=key_only)

    def _pair(self, node: Any, path: Path) -> tuple[Any, Any] | None:
        key = None
        for step in path:
            if isinstance(step, int):
                node = node.value[step]
                continue
            if not isinstance(node, yaml.MappingNode):
                return None
            key, node = next(((k, v) for k, v in node.value if k.value == step), (None, None))
            if key is None:
                return None
        return key, node

    def _add(self, key: Any, value: Any, *, key_only: bool) -> None:
        first = last = key.start_mark.line
        end = key.end_mark.index
        flow = True
        if not key_only:
            last = last_line(value, key.end_mark.line, self.text)
            flow = isinstance(value, yaml.ScalarNode) or bool(value.flow_style)
            empty = value.start_mark.index == value.end_mark.index
            end = self._start(last + 1) if not flow else end + 1 if empty else value.end_mark.index
            self.block = self.block or (first, last)
            self.form.append((key.value, self._form(value)))
        self.own.update(range(first, last + 1))
        self.spans.append((key.start_mark.index, end))
        before = self.text[self._start(first) : key.start_mark.index]
        behind = self.text[end : self._start(last + 1)] if flow and not key_only else ""
        self.mixed |= bool(before.strip(" -")) or not re.match(r"[ \t]*,?[ \t]*(#|\s*\Z)", behind)

    def _form(self, node: Any) -> Any:
        """Give what a value is made of, without its scalars, which are noted."""
        if isinstance(node, yaml.ScalarNode):
            self.scalars.append((node.start_mark.index, node.end_mark.index))
            return "" if node.start_mark.index == node.end_mark.index else "W"
        if isinstance(node, yaml.SequenceNode):
            return [self._form(entry) for entry in node.value]
        return [(key.value, self._form(value)) for key, value in node.value]

    def _start(self, line: int) -> int:
        return sum(map(len, self.lines[:line]))

    def outside(self, *, behind: int = 0) -> str:
        """Give the lines outside; ``behind`` lines behind the block belong to it."""
        gone = set(self.own)
        if behind and self.block:
            gone.update(range(self.block[1] + 1, self.block[1] + 1 + behind))
        return "".join(line for n, line in enumerate(self.lines) if n not in gone)

    def masked(self) -> str:
        """Give the text without the scalars of the pairs."""
        text = self.text
        for start, end in sorted(self.scalars, reverse=True):
            text = text[:start] + "W" + text[end:]
        return text

    def squeezed(self) -> str:
        """Give the text without the pairs, white space and commas."""
        text = self.text
        for start, end in sorted(self.spans, reverse=True):
            text = text[:start] + text[end:]
        return re.sub(r"[\s,]", "", text)


def _orphans(old: Seen, new: Seen) -> int:
    """Count the comments behind the new block that stood inside the old one."""
    if old.block is None or new.block is None:
        return 0
    inside = [old.lines[n].strip() for n in range(old.block[0], old.block[1] + 1)]
    count = 0
    for line in new.lines[new.block[1] + 1 :]:
        if (line.strip() and not line.lstrip().startswith("#")) or line.strip() not in inside:
            break
        count += 1
    return count


def _without_blank(old: Seen, new: Seen) -> str:
    """Give the new lines outside without blank ones next to the block that were not there.

    In a mapping in flow style on several lines, a new pair copies the blank lines before its neighbour.
    """
    left = iter(old.outside().splitlines(keepends=True))
    kept = []
    wanted = next(left, "")
    for line in new.outside().splitlines(keepends=True):
        if line.strip() or line == wanted:
            kept.append(line)
            wanted = next(left, "")
    return "".join(kept)


def assert_lines(before: bytes, after: bytes, workload: Workload, again: Workload) -> None:
    """Check that all that is outside of the block is what it was, byte for byte."""
    assert before.startswith(b"\xef\xbb\xbf") == after.startswith(b"\xef\xbb\xbf")
    text, result = text_of(before), text_of(after)
    assert text.endswith("\n") == result.endswith("\n")
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        assert "\n" not in result.replace("\r\n", ""), "a line ends with LF alone"
    here = number(before, workload)
    assert here == number(after, again)
    others = [[one for n, (_, one) in enumerate(documents(c)) if n != here] for c in (before, after)]
    assert others[0] == others[1]
    for metadata in (False, True):
        old, new = Seen(before, workload), Seen(after, again, metadata=metadata)
        if old.form == new.form and old.form:
            # Only scalars differ: no other character does, in the block either.
            assert old.masked() == new.masked()
            return
        if old.mixed or new.mixed:
            if old.squeezed() == new.squeezed():
                return
            continue
        rest = old.outside()
        if any(rest == new.outside(behind=n) for n in range(_orphans(old, new) + 1)):
            return
        if workload.rule is None and "{" in old.text and rest == _without_blank(old, new):
            return
    raise AssertionError(f"lines outside changed:\n{text}\n=====\n{result}")


def assert_edit(
    before: bytes,
    after: bytes,
    pair: tuple[Workload, Workload],
    split: Split,
    name: str | None = None,
    *,
    readers: tuple[str, ...] = ("1.1", "1.2"),
) -> None:
    """Check that an edit did what was wanted and nothing else.

    Args:
        before: The file.
        after: The file, edited.
        pair: The workload as found in the one and in the other.
        split: What was wanted.
        name: The revision's name that was wanted.
        readers: The versions of YAML that read both.
    """
    workload, again = pair
    texts = [documents(before)[number(before, workload)][1], documents(after)[number(after, again)][1]]
    read: list[tuple[str, str]] = []
    for reader in readers:
        data = load(texts[0], reader)
        expected = copy.deepcopy(data)
        item = item_of(workload)
        if item is None:
            expected = wanted(data, workload, split, name)
        else:
            expected["items"][item] = wanted(data["items"][item], workload, split, name)
        result = load(texts[1], reader)
        assert typed(result) == typed(expected), reader
        read.append((typed(data), typed(result)))
    if len({one for one, _ in read}) == 1:
        assert len({other for _, other in read}) == 1, "YAML 1.1 and 1.2 differ"
    assert_lines(before, after, workload, again)
