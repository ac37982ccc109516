"""Rare layouts, made from ordinary manifests: each operator changes a text and keeps its meaning.

An operator gives ``None`` where it does not apply. The block's lines are found by libyaml.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from tests.manifests.oracle import Identity, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    Operator = Callable[[str, Identity], str | None]


def block_lines(text: str, service: Identity) -> tuple[int, int]:
    """Give the first and the last line of the traffic block, from 0."""
    seen = Seen(text.encode(), *service)
    pair = seen.pair("spec", "traffic")
    if pair is None or not isinstance(pair[1], yaml.SequenceNode):
        return 0, -1
    own = sorted(line - seen.first_line for line in seen.own_lines(metadata=False))
    first = pair[0].start_mark.line
    return seen.first_line + first, seen.first_line + own[-1]


def in_block(change: Callable[[str], str]) -> Operator:
    """Change every content line of the block."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = block_lines(text, service)
        lines = text.split("\n")
        for number in range(first, last + 1):
            if lines[number].strip() not in {"", "-"} and not lines[number].lstrip().startswith("#"):
                lines[number] = change(lines[number])
        return "\n".join(lines)

    return operator


def before_entries(*new: str) -> Operator:
    """Put lines before every entry."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = block_lines(text, service)
        lines = text.split("\n")
        for number in range(last, first, -1):
            if re.match(r"\s*-(\s|$)", lines[number]):
                lines[number:number] = new
        return "\n".join(lines)

    return operator


def in_text(pattern: str, new: str) -> Operator:
    """Replace a pattern in the service's block, once."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = block_lines(text, service)
        lines = text.split("\n")
        if last < first:
            return None
        block = "\n".join(lines[first : last + 1])
        changed = re.sub(pattern, new, block, count=1)
        return "\n".join([*lines[:first], changed, *lines[last + 1 :]])

    return operator


def whole(change: Callable[[str], str]) -> Operator:
    """Change the whole text."""
    return lambda text, _: change(text)


def in_document(line: str) -> Operator:
    """Put a line before the service's first one."""

    def operator(text: str, service: Identity) -> str | None:
        seen = Seen(text.encode(), *service)
        lines = text.split("\n")
        assert seen.root
        lines.insert(seen.first_line + seen.root.start_mark.line, line)
        return "\n".join(lines)

    return operator


def typed(text: str, service: Identity) -> Any:
    """Give the service's document as plain data."""
    return yaml.load(Seen(text.encode(), *service).text, Loader=yaml.CSafeLoader)


def object_of(text: str, service: Identity) -> Any:
    """Give the service as plain data."""
    return Seen(text.encode(), *service).own(typed(text, service))


def rewritten(render: Callable[[list[dict[str, Any]]], str]) -> Operator:
    """Write the block anew; ``render`` gives what follows ``traffic:``."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = block_lines(text, service)
        if last < first:
            return None
        lines = text.split("\n")
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        new = f"{indent}traffic:" + render(object_of(text, service)["spec"]["traffic"]).replace(
            "\n", "\n" + indent
        )
        return "\n".join([*lines[:first], *new.split("\n"), *lines[last + 1 :]])

    return operator


def flow(entry: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in entry.items()) + "}"


def dashes_alone(entries: list[dict[str, Any]]) -> str:
    return "".join(
        "\n  -" + "".join(f"\n      {key}: {json.dumps(value)}" for key, value in entry.items())
        for entry in entries
    )


def as_json(indent: int | None) -> Operator:
    def operator(text: str, service: Identity) -> str | None:
        return json.dumps(typed(text, service), indent=indent, default=str) + "\n"

    return operator


def shifted(columns: int) -> Operator:
    """Indent the entries deeper."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = block_lines(text, service)
        lines = text.split("\n")
        for number in range(first + 1, last + 1):
            lines[number] = " " * columns + lines[number]
        return "\n".join(lines)

    return operator


ROCKET = "\N{ROCKET}"
OTHER = "apiVersion: v1\nkind: ConfigMap\ndata:\n  text: |+\n    Ende\n\n"

RIGHT: dict[str, Operator] = {
    "nothing": whole(lambda text: text),
    "CR LF": whole(lambda text: text.replace("\n", "\r\n")),
    "byte-order mark": whole(lambda text: "\ufeff" + text),
    "no final newline": whole(lambda text: text.rstrip("\n")),
    "several final newlines": whole(lambda text: text + "\n\n\n"),
    "trailing spaces": in_block(lambda line: line + "   "),
    "document mark with a comment": whole(
        lambda text: text if text.startswith(("#", "{")) else "--- # the service\n" + text
    ),
    "another document behind": whole(lambda text: text.rstrip("\n") + "\n...\n---\n" + OTHER),
    "end mark behind": whole(lambda text: text.rstrip("\n") + "\n...\n"),
    "%YAML 1.1": whole(lambda text: "%YAML 1.1\n---\n" + text),
    "another document before, with emoji": whole(lambda text: f"# {ROCKET} é\na: '{ROCKET}'\n---\n" + text),
    "templates in another document": whole(
        lambda text: "{{- if .Values.x }}\na: {{ .b }}\n{{ end }}\n---\n" + text
    ),
    "form feed in another document": whole(lambda text: "a: \x0c\n---\n" + text),
    "old line separator in another document": whole(lambda text: "# \u2028\n---\n" + text),
    "duplicate key in another document": whole(lambda text: "a: 1\na: 2\n---\n" + text),
    "emoji in comments": in_block(lambda line: line + f"   # {ROCKET}"),
    "comments between entries": before_entries("    # between"),
    "comments between entries at column 0": before_entries("# between"),
    "comments between entries, deep": before_entries("                    # - tag: x"),
    "blank lines between entries": before_entries("", "   "),
    "comments behind": in_block(lambda line: line + " # {{ why }} - tag: x"),
    "double quotes": in_block(
        lambda line: re.sub(r"((?:tag|revisionName): +)([a-z][-a-z0-9]*)", r'\1"\2"', line)
    ),
    "single quotes": in_block(
        lambda line: re.sub(r"((?:tag|revisionName): +)([a-z][-a-z0-9]*)", r"\1'\2'", line)
    ),
    "quoted keys": in_block(
        lambda line: re.sub(r"\b(percent|tag|revisionName|traffic)\b(?= *:)", r'"\1"', line)
    ),
    "extra spaces behind the colon": in_block(lambda line: re.sub(r"(?<=\w): (?=\w)", ":      ", line)),
    "spaces before the colon": in_block(lambda line: re.sub(r"(?<=[a-z])(?=:( |$))", "  ", line)),
    "very long comment": in_text(r"(percent: *\d+)", r"\1 # " + "x" * 30_000),
    "entries in flow style": rewritten(lambda entries: "".join(f"\n- {flow(entry)}" for entry in entries)),
    "entries in flow style, spaced": rewritten(
        lambda entries: "".join(f"\n  -  {{  {flow(entry)[1:-1]}  }}  # x" for entry in entries)
    ),
    "flow list": rewritten(lambda entries: " [" + ", ".join(map(flow, entries)) + "]"),
    "flow list on lines": rewritten(
        lambda entries: " [\n    " + ",\n    ".join(map(flow, entries)) + "\n  ]"
    ),
    "flow list with a last comma": rewritten(
        lambda entries: " [\n    " + ",\n    ".join(map(flow, entries)) + ",\n  ]"
    ),
    "JSON in the block": rewritten(lambda entries: " " + json.dumps(entries, indent=2)),
    "JSON": as_json(2),
    "JSON on one line": as_json(None),
    "dashes alone": rewritten(dashes_alone),
    "deeper list": shifted(2),
    "much deeper list": shifted(7),
    "empty last value of the document": whole(
        lambda text: text if text.startswith("{") else text.rstrip("\n") + "\nstatus:\n"
    ),
    "tab before a comment": in_block(lambda line: line + "\t# tab"),
    "tab behind the colon": in_block(lambda line: re.sub(r"(?<=\w): (?=\w)", ":\t", line)),
    "tab at the end": in_block(lambda line: line + "\t"),
    "tab in a plain value": in_document("x-note: a\tb"),
    "anchors elsewhere": in_document("x-note: [&here {a: 1}, *here]"),
    "tags elsewhere": in_document("x-note: !!str 1"),
}

REFUSED: dict[str, tuple[set[str], Operator]] = {
    "percent in double quotes": ({"not-a-plain-number"}, in_text(r"percent: *(\d+)", r'percent: "\1"')),
    "percent in single quotes": ({"not-a-plain-number"}, in_text(r"percent: *(\d+)", r"percent: '\1'")),
    "percent with a leading zero": ({"not-a-plain-number"}, in_text(r"percent: *(\d+)", r"percent: 0\1")),
    "percent with a tag": ({"tag-in-block"}, in_text(r"percent: *(\d+)", r"percent: !!int \1")),
    "percent with an anchor": ({"alias-in-block"}, in_text(r"percent: *(\d+)", r"percent: &w \1")),
    "percent that is an alias": (
        {"alias-in-block"},
        lambda text, service: in_text(r"percent: *(\d+)", r"percent: *w")(
            in_document("x-note: &w 50")(text, service) or "", service
        ),
    ),
    "anchor in use": (
        {"alias-in-block"},
        in_text(r"\n( *)-( +)(tag|revisionName|percent|latestRevision):", r"\n\1-\2x: [&a 1, *a]\n\1 \2\3:"),
    ),
    "percent twice": (
        {"duplicate-key", "yaml-invalid"},
        in_text(r"( +)percent: *(\d+)", r"\1percent: \2\n\1percent: \2"),
    ),
    "template expression": ({"template-language"}, in_text(r"percent: *(\d+)", r"percent: {{ .w }}")),
    "placeholder": ({"template-language"}, in_text(r"percent: *(\d+)", r"percent: ${W}")),
    "form feed": ({"yaml-invalid"}, in_document("# \x0c")),
    "control character": ({"yaml-invalid"}, in_document("# \x01")),
    "tab before a comment at the line start": ({"yaml-invalid"}, before_entries("\t# tab")),
    "U+2028 in a comment": ({"yaml-invalid"}, in_document("# \u2028")),
    "U+0085 in a comment": ({"yaml-invalid"}, in_document("# \x85")),
    "zero width space in the block": (
        {"hidden-character-in-block"},
        in_text(r"(percent: *\d+)", "\\1 # \u200b"),
    ),
}
