"""Generated legacy manifests: every step is exactly what was asked for and can be taken back, and all migrate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.core.legacy import LATEST, Legacy, finish, roll_back, start, step, targets_of
from bot.core.traffic import Split
from bot.manifests.diff import changed_lines
from bot.manifests.legacy import LegacyService, edit_legacy, find_legacy
from bot.manifests.legacy_migrate import migrate
from tests.manifests.legacy_oracle import assert_migrated

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}-[0-9]{5}", fullmatch=True)
QUOTES = st.sampled_from(["", '"', "'"])
COMMENTS = st.sampled_from(["", "", "  # why", " # - a: {b: |", "\t# tab"])
TEXTS = st.text(st.sampled_from("ab #:-\\\"'{}é\N{ROCKET}"), max_size=12)
BODIES = st.text(st.sampled_from("ab #:- \n"), max_size=30)


@dataclass(frozen=True)
class Style:
    """How a generated file is written."""

    indent: int
    flow: bool  # the list of revisions
    quote: str
    ending: str
    bom: bool
    last: bool  # the last line ends
    share_last: bool
    comments: tuple[str, ...]
    above: tuple[str, ...]
    dash: int


STYLES = st.builds(
    Style,
    indent=st.integers(2, 5),
    flow=st.booleans(),
    quote=QUOTES,
    ending=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    last=st.booleans(),
    share_last=st.booleans(),
    comments=st.tuples(*[COMMENTS] * 6),
    above=st.tuples(*[st.sampled_from(["", "", "# above", "\n# above"])] * 4),
    dash=st.sampled_from([0, 2]),
)
LEGACIES = st.one_of(
    st.just(Legacy("runLatest")),
    NAMES.map(lambda name: Legacy("pinned", (name,))),
    st.builds(
        lambda names, percent: Legacy("release", tuple(names), percent if len(names) > 1 else None),
        st.lists(st.one_of(NAMES, st.just(LATEST)), min_size=1, max_size=2, unique=True),
        st.one_of(st.none(), st.integers(0, 99)),
    ),
)


@st.composite
def containers(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Give the lines of a container, with their depth in levels."""
    lines = [(0, f"image: {draw(NAMES)}{draw(COMMENTS)}")]
    if draw(st.booleans()):
        lines.insert(0, (0, "# the image"))
    for number in range(draw(st.integers(0, 3))):
        key = f"key{number}"
        match draw(st.sampled_from(["quoted", "literal", "indicated", "flow", "list"])):
            case "quoted":
                lines.append((0, f"{key}: {json.dumps(draw(TEXTS), ensure_ascii=False)}{draw(COMMENTS)}"))
            case "flow":
                lines += [
                    (0, f"{key}: [a,{draw(COMMENTS)}"),
                    (2, json.dumps(draw(TEXTS), ensure_ascii=False)),
                    (1, "]"),
                ]
            case "list":
                lines += [(0, f"{key}:"), (1, "- a: 1" + draw(COMMENTS)), (1, "# between"), (1, "- b")]
            case kind:
                header = draw(st.sampled_from(["|", ">", "|-", "|+", ">-"]))
                body = draw(BODIES).split("\n")
                if kind == "literal":
                    body = ["x", *body]
                else:
                    header += "INDENT"
                lines.append((0, f"{key}: {header}{draw(COMMENTS).replace(chr(9), ' ')}"))
                lines += [(1, line) for line in body]
    return lines


@st.composite
def files(draw: st.DrawFn, legacies: st.SearchStrategy[Legacy] = LEGACIES) -> tuple[bytes, Legacy]:
    """Give a file and the mode in it."""
    style, legacy = draw(STYLES), draw(legacies)
    share = [f"rolloutPercent: {legacy.percent}{style.comments[0]}"] if legacy.percent is not None else []
    split: list[str] = []
    if legacy.mode == "pinned":
        split = [f"revisionName: {quoted(legacy.revisions[0], style)}{style.comments[1]}"]
    elif legacy.mode == "release":
        names = [quoted(name, style) for name in legacy.revisions]
        split = [f"revisions: [{', '.join(names)}]{style.comments[1]}"]
        if not style.flow:
            split = [f"revisions:{style.comments[1]}"]
            split += [" " * style.dash + f"- {name}{style.comments[2]}" for name in names]
    own = [*split, *([] if style.share_last else share)]
    step_of = " " * style.indent
    configuration = [f"configuration:{style.comments[3]}"]
    template = [f"revisionTemplate:{style.comments[4]}", f"{step_of}spec:", f"{step_of * 2}container:"]
    for depth, line in draw(containers()):
        text = step_of * (3 + depth) + line.replace("INDENT", str(style.indent))
        template.append(text if line else "")
    configuration += [step_of + line if line else "" for line in template]
    lines = [
        "# file",
        "apiVersion: serving.knative.dev/v1alpha1",
        "kind: Service",
        "metadata: {name: shop}",
        "spec:",
        *above(style.above[0], step_of),
        f"{step_of}{legacy.mode}:{style.comments[5]}",
        *above(style.above[1], step_of * 2),
        *(step_of * 2 + line for line in own),
        *above(style.above[2], step_of * 2),
        *(step_of * 2 + line if line else "" for line in configuration),
        *(step_of * 2 + line for line in (share if style.share_last else [])),
        *above(style.above[3], step_of * 2),
    ]
    text = "\n".join(lines) + "\n" * style.last
    return (("\ufeff" if style.bom else "") + text.replace("\n", style.ending)).encode(), legacy


def quoted(name: str, style: Style) -> str:
    quote = style.quote or ('"' if name == LATEST else "")
    return f"{quote}{name}{quote}"


def above(comment: str, margin: str) -> list[str]:
    return [margin + line if line else "" for line in comment.split("\n")] if comment else []


def only(content: bytes) -> LegacyService:
    found = find_legacy(content, "shop.yaml")
    assert not found.problems
    (service,) = found.services
    return service


def held(content: bytes) -> Any:
    return yaml.load(content.decode("utf-8-sig"), Loader=yaml.CSafeLoader)["spec"]


def bare(content: bytes) -> bytes:
    return content.replace(b"'", b"").replace(b'"', b"")


def assert_says(content: bytes, legacy: Legacy) -> LegacyService:
    """What libyaml reads is the wanted mode, and so does the reader."""
    body = held(content)[legacy.mode]
    one = (body["revisionName"],) if "revisionName" in body else ()
    assert (tuple(body.get("revisions", one)), body.get("rolloutPercent")) == (
        legacy.revisions,
        legacy.percent,
    )
    service = only(content)
    assert service.legacy == legacy
    return service


class TestRollout:
    """Start, step, finish and roll back say what is wanted, and the inverse gives the first bytes back."""

    @given(
        file=files(), names=st.lists(NAMES, min_size=2, max_size=2, unique=True), percent=st.integers(0, 99)
    )
    def test_start_and_back(self, file: tuple[bytes, Legacy], names: list[str], percent: int) -> None:
        content, legacy = file
        service = assert_says(content, legacy)
        stable = legacy.revisions[0] if legacy.revisions else names[0]
        candidate = next(name for name in names if name != stable)
        wanted = start(legacy, stable=stable, candidate=candidate, percent=percent)
        assert Split(targets_of(wanted)).total == 100
        after = edit_legacy(content, service, wanted)
        started = assert_says(after, wanted)
        # Three lines of diff; a list on lines of its own or a percent that was there make it fewer.
        assert changed_lines(content, after) <= 3
        # Beside a quoted `@latest` a new name is quoted too, and stays so.
        assert bare(edit_legacy(after, started, legacy)) == bare(content)
        for moved in (step(wanted, 99 - percent), finish(wanted), roll_back(wanted)):
            done = edit_legacy(after, started, moved)
            back = edit_legacy(done, assert_says(done, moved), wanted)
            assert_says(back, wanted)
            # A revision's line takes its comment and its quotes with it.
            if done.count(b"#") == after.count(b"#"):
                assert bare(back) == bare(after)

    @given(file=files(), percent=st.integers(0, 99))
    def test_nothing_else_changes(self, file: tuple[bytes, Legacy], percent: int) -> None:
        content, legacy = file
        stable = legacy.revisions[0] if legacy.revisions else "shop-00001"
        wanted = start(legacy, stable=stable, candidate="shop-99999", percent=percent)
        before, after = held(content), held(edit_legacy(content, only(content), wanted))
        assert before.keys() ^ after.keys() == {legacy.mode, "release"} - ({legacy.mode} & {"release"})
        assert before[legacy.mode]["configuration"] == after["release"]["configuration"]


class TestMigrate:
    """Whatever the style: v1 as the server converts it, every comment and every other byte."""

    @given(file=files())
    def test_migrate(self, file: tuple[bytes, Legacy]) -> None:
        content, _ = file
        result = migrate(content, "shop.yaml")
        assert assert_migrated(content, result.content) == 1
        assert migrate(result.content, "shop.yaml").content == result.content

    @given(file=files(), percent=st.integers(0, 99))
    def test_a_step_before_or_after_gives_the_same_targets(
        self, file: tuple[bytes, Legacy], percent: int
    ) -> None:
        content, legacy = file
        stable = legacy.revisions[0] if legacy.revisions else "shop-00001"
        wanted = start(legacy, stable=stable, candidate="shop-99999", percent=percent)
        migrated = migrate(edit_legacy(content, only(content), wanted), "shop.yaml").content
        shares = {entry.get("tag"): entry.get("percent") for entry in held(migrated)["traffic"]}
        assert shares == {"current": 100 - percent, "candidate": percent, "latest": None}
