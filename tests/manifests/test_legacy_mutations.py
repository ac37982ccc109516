"""Rare layouts of legacy documents: every edit and every migration is right or refused, never wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bot.core.legacy import Legacy, finish, roll_back, start, step
from bot.core.problems import Declined
from bot.manifests.legacy import edit_legacy, find_legacy
from bot.manifests.legacy_migrate import migrate
from tests.manifests import operators
from tests.manifests.legacy_oracle import MODES, assert_migrated, comments
from tests.manifests.oracle import Seen, documents

if TYPE_CHECKING:
    from tests.manifests.oracle import Identity

    Change = tuple[str, str]

SHOP: Identity = (None, "shop")
DASH = 2  # columns of "- "
HEAD = "apiVersion: serving.knative.dev/v1alpha1\nkind: Service\nmetadata:\n  name: shop\n"
BODY = """\
    configuration:
      revisionTemplate:
        metadata:
          name: shop-3
          labels: {app: shop}
        spec:
          timeoutSeconds: 30
          container:
            image: quay.io/shop/shop:1
            env:
            - name: GREETING
              value: hello
            ports:
            - containerPort: 8080
"""
LAST = """\
            args:
            - --text
            - |
              one
                two
"""
BASES = {
    "runLatest": f"{HEAD}spec:\n  runLatest:\n{BODY}",
    "pinned": f"{HEAD}spec:\n  pinned:\n    revisionName: shop-1\n{BODY}",
    "release": f"{HEAD}spec:\n  release:\n    revisions: [shop-1, shop-2]\n    rolloutPercent: 5\n{BODY}",
    "release of one": f"{HEAD}spec:\n  release:\n    revisions:\n      - shop-1\n{BODY}",
    "release, the share last": (
        f"{HEAD}spec:\n  release:\n    revisions:\n    - shop-1\n    - shop-2\n{BODY}    rolloutPercent: 5\n"
    ),
    "something behind": f"{HEAD}spec:\n  runLatest:\n{BODY}{LAST}x-behind:\n  generation: 1\n",
}
# Operators that write the list of targets anew, or look for their words.
OTHERS = re.compile(r"flow|JSON in|dashes|list|single quotes|double quotes|quoted keys|entries|very long")


def mode_lines(text: str, service: Identity) -> tuple[int, int]:
    """Give the first and the last line of the mode, from 0."""
    seen = Seen(text.encode(), *service)
    pair = next((p for mode in MODES if (p := seen.pair("spec", mode))), None)
    assert pair is not None
    last = max(node.end_mark.line if node.value else node.start_mark.line for node in leaves(pair[1]))
    return seen.first_line + pair[0].start_mark.line, seen.first_line + last


def leaves(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [leaf for key, value in node.value for leaf in [key, *leaves(value)]]
    if isinstance(node, yaml.SequenceNode):
        return [leaf for item in node.value for leaf in leaves(item)]
    return [node]


def in_mode(pattern: str, new: str, *, count: int = 0) -> operators.Operator:
    """Replace a pattern in the mode's lines."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = mode_lines(text, service)
        lines = text.split("\n")
        changed = re.sub(pattern, new, "\n".join(lines[first : last + 1]), count=count, flags=re.MULTILINE)
        return "\n".join([*lines[:first], changed, *lines[last + 1 :]])

    return operator


def between(*new: str) -> operators.Operator:
    """Put lines before every line of the mode but its first."""

    def operator(text: str, service: Identity) -> str | None:
        if "- |" in text and any(map(str.strip, new)):
            return None  # they would be lines of the block scalar
        first, last = mode_lines(text, service)
        lines = text.split("\n")
        for number in range(last, first, -1):
            lines[number:number] = new
        return "\n".join(lines)

    return operator


def wider(columns: int) -> operators.Operator:
    """Indent every level of the mode by more."""

    def operator(text: str, service: Identity) -> str | None:
        first, last = mode_lines(text, service)
        lines = text.split("\n")
        dash, behind = -DASH, 0
        for number in range(first, last + 1):
            column = len(lines[number]) - len(lines[number].lstrip())
            depth = behind if column == dash + DASH else column // 2 - 1
            if lines[number].lstrip().startswith("- "):
                dash, behind = column, depth
            lines[number] = " " * columns * depth + lines[number]
        return "\n".join(lines)

    return operator


def flow_from(*path: str) -> operators.Operator:
    """Write a level in flow style, with the mode's name for ``mode``."""

    def operator(text: str, service: Identity) -> str | None:
        data = operators.typed(text, service)
        mode = next(mode for mode in MODES if mode in data["spec"])
        keys = [mode if key == "mode" else key for key in path]
        pair = Seen(text.encode(), *service).pair(*keys)
        if pair is None:
            return None
        value = data
        for key in keys:
            value = value[key]
        start, end = pair[1].start_mark.index, pair[1].end_mark.index
        kept = text[start:end]
        ending = kept[len(kept.rstrip()) :] or "\n"
        return text[:start].rstrip() + " " + json.dumps(value) + ending + text[end:]

    return operator


RIGHT: dict[str, operators.Operator] = {
    **{name: operator for name, operator in operators.RIGHT.items() if not OTHERS.search(name)},
    "comments behind every line, in columns": in_mode(r"(?<=\S)$", "          # why"),
    "comments between all lines": between("      # between"),
    "comments between all lines, deep": between("                       # deep"),
    "comments between all lines, at column 0": between("# column 0"),
    "blank lines between all lines": between("", "  "),
    "double quotes": in_mode(r"(?<=: )([a-z][-a-z0-9/:.]*)$", r'"\1"'),
    "single quotes": in_mode(r"(?<=: )([a-z][-a-z0-9/:.]*)$", r"'\1'"),
    "quoted keys": in_mode(r"^( *(?:- )?)([a-zA-Z]+)(?=:)", r'\1"\2"'),
    "quoted revisions": in_mode(r"(?<![\w:/.-])(shop-[12])\b", r'"\1"'),
    "levels of three": wider(1),
    "levels of four": wider(2),
    "levels of eight": wider(6),
    "anchor and alias in the template": in_mode(
        r"(containerPort:) 8080", r"\1 &p 8080\n              hostPort: *p"
    ),
    "tag in the template": in_mode(r"(containerPort:) 8080", r"\1 !!int 8080"),
    "mode in flow style": flow_from("spec", "mode"),
    "configuration in flow style": flow_from("spec", "mode", "configuration"),
    "template in flow style": flow_from("spec", "mode", "configuration", "revisionTemplate"),
    "pod in flow style": flow_from("spec", "mode", "configuration", "revisionTemplate", "spec"),
    "container in flow style": flow_from(
        "spec", "mode", "configuration", "revisionTemplate", "spec", "container"
    ),
    "spec in flow style": flow_from("spec"),
    "template for revisionTemplate": lambda text, service: in_mode(
        r"\bcontainer:\n  ( *)", r"containers:\n\1- "
    )(text.replace("revisionTemplate", "template"), service),
    "revisions on lines of their own": in_mode(
        r"revisions: \[(\S+), (\S+)\]", r"revisions:\n    - \1\n    - \2"
    ),
    "revisions in flow style over lines": in_mode(
        r"revisions: \[(\S+), (\S+)\]", r"revisions: [\n      \1,\n      \2\n    ]"
    ),
}

REFUSED: dict[str, tuple[set[str], Change]] = {
    "percent in quotes": ({"not-a-plain-number"}, (r"(rolloutPercent:) 5", r"\1 '5'")),
    "percent with a leading zero": ({"not-a-plain-number"}, (r"(rolloutPercent:) 5", r"\1 05")),
    "percent with a tag": ({"tag-in-block"}, (r"(rolloutPercent:) 5", r"\1 !!int 5")),
    "percent with an anchor": ({"alias-in-block"}, (r"(rolloutPercent:) 5", r"\1 &w 5")),
    "percent twice": ({"duplicate-key"}, (r"( +)rolloutPercent: 5", r"\g<0>\n\g<0>")),
    "template expression": ({"template-language"}, (r"(rolloutPercent:) 5", r"\1 {{ .w }}")),
    "placeholder": ({"template-language"}, (r"(rolloutPercent:) 5", r"\1 ${W}")),
    "placeholder for a revision": ({"template-language", "yaml-invalid"}, (r"shop-1\b", "${OLD}")),
    "anchor on a revision": ({"alias-in-block"}, (r"(?<!-)shop-1\b", "&r shop-1")),
    "zero width space": ({"hidden-character-in-block"}, (r"(rolloutPercent: 5)", "\\1 # \u200b")),
    "form feed": ({"yaml-invalid"}, (r"(configuration:)", "\\1 # \x0c")),
    "U+2028 in a comment": ({"yaml-invalid"}, (r"(configuration:)", "\\1 # \u2028")),
    "tab at the line start": ({"yaml-invalid"}, (r"^ +(configuration:)", "\t\\1")),
    "mode with an anchor": ({"alias-in-block"}, (r"^  ([a-zA-Z]+:)", r"  \1 &m")),
    "mode with a tag": ({"tag-in-block"}, (r"^  ([a-zA-Z]+:)", r"  \1 !!map")),
    "revision with a sign": ({"split-invalid"}, (r"(revisions: \[|- )shop-1\b", r"\1shop_1")),
    "percent beyond 99": ({"split-invalid"}, (r"(rolloutPercent:) 5", r"\1 100")),
}
UNMOVED: dict[str, tuple[set[str], Change]] = {
    # An edit of the split leaves these alone; a migration would lose something.
    "merge key in the template": (
        {"alias-in-block"},
        (r"^( +)timeoutSeconds: 30", r"\1<<: {timeoutSeconds: 30}"),
    ),
    "anchor on the pod": ({"alias-in-block"}, (r"^( +spec:)", r"\1 &pod")),
    "unknown field": ({"traffic-block-unusual"}, (r"^(    )configuration:", r"\1strategy: x\n\g<0>")),
    "unknown field of the configuration": (
        {"traffic-block-unusual"},
        (r"^( +)revisionTemplate:", r"\1strategy: x\n\g<0>"),
    ),
    "build": ({"split-invalid"}, (r"^( +)revisionTemplate:", r"\1build: {}\n\g<0>")),
    "buildName": ({"traffic-block-unusual"}, (r"^( +)timeoutSeconds:", r"\1buildName: x\n\g<0>")),
}


@pytest.fixture
def in_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operators' block is the mode."""
    monkeypatch.setattr(operators, "block_lines", mode_lines)


def edits(legacy: Legacy) -> list[Legacy]:
    if len(legacy.revisions) > 1:
        return [step(legacy, 40), finish(legacy), roll_back(legacy)]
    return [start(legacy, stable="shop-1", candidate="shop-9", percent=10)]


def assert_edited(before: bytes, after: bytes, wanted: Legacy) -> None:
    """What the file says now, by libyaml, and nothing else; no comment is lost."""
    old, new = Seen(before, *SHOP), Seen(after, *SHOP)
    assert len(documents(before)) == len(documents(after))
    was, now = (yaml.load(seen.text, Loader=yaml.CSafeLoader) for seen in (old, new))
    mode = next(mode for mode in MODES if mode in was["spec"])
    body = now["spec"].pop(wanted.mode)
    rest = was["spec"].pop(mode)
    own = ("revisions", "rolloutPercent", "revisionName")
    assert tuple(body.get("revisions", ())) == wanted.revisions
    assert body.get("rolloutPercent") == wanted.percent
    assert {k: v for k, v in body.items() if k not in own} == {k: v for k, v in rest.items() if k not in own}
    assert was == now
    assert comments(old.text) <= comments(new.text) or len(wanted.revisions) < 2


@pytest.mark.usefixtures("in_the_mode")
@pytest.mark.parametrize("operator", RIGHT)
def test_all_right(operator: str) -> None:
    counts: Counter[str] = Counter()
    for name, text in BASES.items():
        mutated = RIGHT[operator](text, SHOP)
        if mutated is None or (mutated == text and operator != "nothing"):
            continue
        content = mutated.encode()
        found = find_legacy(content, "shop.yaml")
        assert not found.problems, name
        (service,) = found.services
        (plain,) = find_legacy(text.encode(), "shop.yaml").services
        assert service.legacy == plain.legacy
        for wanted in edits(service.legacy):
            after = edit_legacy(content, service, wanted)
            counts["edits"] += 1
            assert_edited(content, after, wanted)
            (again,) = find_legacy(after, "shop.yaml").services
            assert again.legacy == wanted
        try:
            migrated = migrate(content, "shop.yaml").content
        except Declined as declined:
            counts[declined.problems[0].code] += 1
            continue
        counts["migrations"] += assert_migrated(content, migrated)
    assert counts["migrations"] >= 1
    assert counts["edits"] >= 1
    assert counts.total() - counts["edits"] - counts["migrations"] <= DECLINED.get(operator, 0), counts


# How many migrations of an operator are declined, of those above: tabs that ruamel's scanner does not take are
# read from the text itself, so a block scalar with tabs cannot be shown to be the same when it has moved.
DECLINED = {"tab before a comment": 1, "tab at the end": 1}


@pytest.mark.parametrize("operator", REFUSED)
def test_refused(operator: str) -> None:
    codes, change = REFUSED[operator]
    count = 0
    for name, text in BASES.items():
        mutated = in_mode(*change, count=1)(text, SHOP)
        if mutated is None or mutated == text:
            continue
        content = mutated.encode()
        found = find_legacy(content, "shop.yaml")
        assert not found.services, name
        with pytest.raises(Declined) as declined:
            migrate(content, "shop.yaml")
        for problem in (*found.problems, *declined.value.problems):
            assert problem.code in codes, name
            assert problem.place
            assert problem.place.line
            assert problem.place.column
        count += 1
    assert count


@pytest.mark.parametrize("operator", UNMOVED)
def test_not_migrated(operator: str) -> None:
    codes, change = UNMOVED[operator]
    for name, text in BASES.items():
        content = (in_mode(*change, count=1)(text, SHOP) or "").encode()
        assert content != text.encode()
        (service,) = find_legacy(content, "shop.yaml").services
        for wanted in edits(service.legacy):
            assert_edited(content, edit_legacy(content, service, wanted), wanted)
        with pytest.raises(Declined) as declined:
            migrate(content, "shop.yaml")
        assert {problem.code for problem in declined.value.problems} <= codes, name
        assert all(p.place and p.place.line and p.place.column for p in declined.value.problems)


def test_lone_cr() -> None:
    content = BASES["release"].replace("\n", "\r").encode()
    with pytest.raises(Declined) as declined:
        migrate(content, "shop.yaml")
    assert [problem.code for problem in declined.value.problems] == ["line-ends-unusual"]
