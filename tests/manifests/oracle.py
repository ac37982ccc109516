"""A second opinion on edits, made with other readers than the editor's.

Positions come from libyaml's marks (YAML 1.1), values from libyaml and from ruamel's
loader (YAML 1.2). Nothing of ``bot.manifests`` is used here but the values it gives.
"""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.core.traffic import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.manifests.knative import Manifest

KEYS = {
    "tag": "tag",
    "revisionName": "revision",
    "configurationName": "configuration",
    "latestRevision": "latest",
    "percent": "percent",
}

# Namespace, name, and the kind where it is no Service.
Identity: TypeAlias = tuple[str | None, str] | tuple[str | None, str, str]


def identity(manifest: Manifest) -> Identity:
    return manifest.namespace, manifest.name, manifest.kind


def text_of(content: bytes) -> str:
    return content.decode("utf-8").removeprefix("\ufeff")


def documents(content: bytes) -> list[tuple[int, str]]:
    """Cut the stream; give each document's first line (from 0) and its text."""
    found: list[tuple[int, str]] = []
    lines = re.findall(r"[^\r\n]*(?:\r\n|\n|\r|\Z)", text_of(content))
    start, directives = 0, False
    for number, line in enumerate(lines):
        if re.match(r"---(\s|\Z)", line) and not directives:
            found.append((start, "".join(lines[start:number])))
            start = number
        elif re.match(r"\.\.\.(\s|\Z)", line):
            found.append((start, "".join(lines[start : number + 1])))
            start = number + 1
        directives = line.startswith("%") and not "".join(lines[start:number]).strip()
    found.append((start, "".join(lines[start:])))
    return found


def is_service(data: Any, namespace: str | None, name: str, kind: str = "Service") -> bool:
    if not isinstance(data, dict) or data.get("kind") != kind:
        return False
    metadata = data.get("metadata")
    return (
        str(data.get("apiVersion")).startswith("serving.knative.dev/")
        and isinstance(metadata, dict)
        and metadata.get("name") == name
        and (metadata.get("namespace") or None) == namespace
    )


def places(data: Any, service: Identity) -> Iterator[int | None]:
    """Give where a document holds a service: ``None`` for itself, else the entry of its list."""
    if is_service(data, *service):
        yield None
    elif isinstance(data, dict) and data.get("kind") == "List":
        for number, entry in enumerate(data.get("items") or []):
            if is_service(entry, *service):
                yield number


class Seen:
    """One service of a file as libyaml sees it; ``item`` is its place in a list."""

    def __init__(self, content: bytes, namespace: str | None, name: str, kind: str = "Service") -> None:
        self.lines = re.findall(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)", content)
        self.documents = documents(content)
        own: list[tuple[int, int | None]] = []
        errors: list[yaml.YAMLError] = []
        for number, (_, text) in enumerate(self.documents):
            try:
                data = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - strings only
                own += [(number, item) for item in places(data, (namespace, name, kind))]
            except yaml.YAMLError as error:
                errors.append(error)
        if not own and errors:
            raise errors[0]
        assert len(own) == 1, own
        self.number, self.item = own[0]
        self.first_line, self.text = self.documents[self.number]
        self.strings = yaml.load(self.text, Loader=yaml.CBaseLoader)  # noqa: S506 - strings only
        self.root = yaml.compose(self.text, Loader=yaml.CBaseLoader)

    def pair(self, *keys: str) -> Any:
        """Give (key node, value node) at a path, or ``None``."""
        node: Any = self.root
        found = None
        if self.item is not None:
            node = next(value for key, value in node.value if key.value == "items").value[self.item]
        for key in keys:
            if not isinstance(node, yaml.MappingNode):
                return None
            found = next(((k, v) for k, v in node.value if k.value == key), None)
            if found is None:
                return None
            node = found[1]
        return found

    def own(self, data: Any) -> Any:
        """Give the service's part of its document's data."""
        return data if self.item is None else data["items"][self.item]

    def own_lines(self, *, metadata: bool) -> set[int]:
        """Give the lines of the block and of the name (with ``metadata:`` if that is new), from 0."""
        own: set[int] = set()
        paths = [("spec", "traffic"), ("spec", "template", "metadata", "name")]
        found = [pair for path in paths if (pair := self.pair(*path))]
        for key, value in found:
            own.update(range(key.start_mark.line, last_line(value, key.end_mark.line, self.text) + 1))
        extra = self.pair("spec", "template", "metadata") if metadata else None
        if extra:
            own.add(extra[0].start_mark.line)
        return {self.first_line + line for line in own}

    def outside(self, *, metadata: bool, behind: int = 0) -> bytes:
        """Give the bytes outside the lines; ``behind`` lines behind the block belong to it."""
        own = self.own_lines(metadata=metadata)
        if behind:
            own.update(range(self.block_end(), self.block_end() + behind))
        return b"".join(line for number, line in enumerate(self.lines) if number not in own)

    def block_end(self) -> int:
        """Give the line behind the block, from 0."""
        pair = self.pair("spec", "traffic")
        return self.first_line + last_line(pair[1], pair[0].end_mark.line, self.text) + 1 if pair else 0

    def values(self, reader: str) -> list[dict[str, Any]]:
        """Give the traffic block's values, typed by YAML ``1.1`` or ``1.2``."""
        text = self.text
        if reader == "1.1":
            data = yaml.load(text, Loader=yaml.CSafeLoader)
        else:
            try:
                data = YAML(typ="safe", pure=True).load(text)
            except YAMLError:
                # ruamel's scanner knows no tabs between tokens.
                data = YAML(typ="safe", pure=True).load(re.sub(r"(?<=[^\t\r\n])\t", " ", text))
        return self.own(data)["spec"].get("traffic") or []


def orphans(old: Seen, new: Seen) -> int:
    """Count the comments behind the new block that stood inside the old one."""
    if old.pair("spec", "traffic") is None or new.pair("spec", "traffic") is None:
        return 0
    inside = [old.lines[number].rstrip() for number in sorted(old.own_lines(metadata=False))]
    count = 0
    for line in new.lines[new.block_end() :]:
        if (line.strip() and not line.lstrip().startswith(b"#")) or line.rstrip() not in inside:
            break
        count += 1
    return count


def last_line(node: Any, line: int, text: str) -> int:
    """Give the line of the last leaf of a node."""
    if isinstance(node, yaml.ScalarNode):
        if node.start_mark.index == node.end_mark.index:
            return line
        written = text[node.start_mark.index : node.end_mark.index].rstrip()
        return int(node.start_mark.line) + len(re.findall(r"\r\n|\n|\r", written))
    if node.flow_style:
        return int(node.end_mark.line)
    last = node.value[-1]
    if isinstance(last, tuple):
        return last_line(last[1], last[0].end_mark.line, text)
    return last_line(last, node.start_mark.line, text)


def as_strings(target: Target) -> dict[str, str]:
    """Give a target's fields as libyaml's string loader reads them."""
    values = {key: getattr(target, field) for key, field in KEYS.items()}
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in values.items()
        if value is not None
    }


def same_bools(fields: dict[str, Any]) -> dict[str, Any]:
    """Forget how a boolean is spelled."""
    return {key: value.lower() if key == "latestRevision" else value for key, value in fields.items()}


def assert_right(
    before: bytes,
    after: bytes,
    service: Identity,
    targets: tuple[Target, ...] | None,
    name: str | None = None,
    *,
    line_check: bool = True,
) -> None:
    """Check that an edit did what was wanted, and nothing else."""
    old, new = Seen(before, *service), Seen(after, *service)
    assert before.startswith(b"\xef\xbb\xbf") == after.startswith(b"\xef\xbb\xbf")
    # every byte outside the lines is the byte that was there
    if line_check:
        assert any(
            old.outside(metadata=metadata) == new.outside(metadata=metadata, behind=behind)
            for metadata in (False, True)
            for behind in range(orphans(old, new) + 1)
        )
    others = [[text for n, (_, text) in enumerate(s.documents) if n != s.number] for s in (old, new)]
    assert others[0] == others[1]
    # the document says the same, but for what was wanted
    whole = copy.deepcopy(old.strings)
    wanted = old.own(whole)
    if not isinstance(wanted["spec"], dict):
        wanted["spec"] = {}
    # An empty block is as good as none, and stays.
    if targets is not None and (
        targets or (isinstance(wanted["spec"].get("traffic"), list) and wanted["spec"]["traffic"])
    ):
        wanted["spec"].pop("traffic", None)
        spec = old.own(old.strings)["spec"]
        entries = spec.get("traffic") if isinstance(spec, dict) else None
        block = []
        for target in targets:
            kept = entries[target.slot] if target.slot is not None and entries else {}
            nulls = {
                k: v
                for k, v in kept.items()
                if k in KEYS and v in {"", "null", "~"} and k not in as_strings(target)
            }
            unknown = {k: v for k, v in kept.items() if k not in KEYS}
            block.append(same_bools({**unknown, **nulls, **as_strings(target)}))
        if block:
            wanted["spec"]["traffic"] = block
    if name is not None:
        template = wanted["spec"].get("template") or {}
        metadata = template.get("metadata") or {}
        wanted["spec"]["template"] = {**template, "metadata": {**metadata, "name": name}}
    got = copy.deepcopy(new.strings)
    if targets:
        under = new.own(got)["spec"]
        under["traffic"] = [same_bools(entry) for entry in under["traffic"]]
    assert got == whole
    # and both YAML versions read the same, with the right types
    if targets:
        for reader in ("1.1", "1.2"):
            typed = [
                {k: v for k, v in entry.items() if k in KEYS and v is not None}
                for entry in new.values(reader)
            ]
            assert typed == [
                {key: getattr(t, field) for key, field in KEYS.items() if getattr(t, field) is not None}
                for t in targets
            ]


def set_edits(targets: tuple[Target, ...]) -> Iterator[tuple[Target, ...]]:
    """Give each block with one percent set."""
    for place, target in enumerate(targets):
        yield (*targets[:place], replace(target, percent=37), *targets[place + 1 :])


NEW = Target(revision="customer-new-00042", percent=5, tag="candidate")


def append_edits(targets: tuple[Target, ...]) -> Iterator[tuple[int, tuple[Target, ...]]]:
    """Give each block with a new entry at one place, and the place."""
    for place in range(len(targets) + 1):
        yield place, (*targets[:place], NEW, *targets[place:])


def remove_edits(targets: tuple[Target, ...]) -> Iterator[tuple[Target, ...]]:
    """Give each block without one entry."""
    for place in range(len(targets)):
        yield targets[:place] + targets[place + 1 :]
