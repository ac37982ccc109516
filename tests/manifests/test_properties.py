"""Properties of edits over generated manifests, and over damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bot.core.problems import Declined
from bot.core.traffic import Target
from bot.manifests.diff import bytes_outside, unified
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.oracle import KEYS, as_strings, assert_right, identity

HERE = Path(__file__).parent
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

names = st.sampled_from(["customer-v1", "customer-v2", "a", "customer-00042", "x.y", "no-1"])
tags = st.sampled_from(["current", "candidate", "latest", "no", "on", "y", "e1", "n"])
percents = st.integers(0, 100)


@st.composite
def new_targets(draw: st.DrawFn, slot: int | None = None) -> Target:
    latest = draw(st.sampled_from([None, None, True, False]))
    target = Target(
        revision=None if latest else draw(st.none() | names),
        percent=draw(st.none() | percents),
        tag=draw(st.none() | tags),
        latest=latest,
        slot=slot,
    )
    return target if as_strings(target) else Target(percent=draw(percents), slot=slot)


@st.composite
def entries(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for target in draw(st.lists(new_targets(), min_size=1, max_size=4)):
        entry = {
            key: getattr(target, field) for key, field in KEYS.items() if getattr(target, field) is not None
        }
        if draw(st.booleans()):
            entry["x-note"] = draw(st.sampled_from(["n", {"a": [1, 2]}, [], "a # b", None]))
        found.append({key: entry[key] for key in draw(st.permutations(list(entry)))})
    return found


def scalar(draw: st.DrawFn, value: Any) -> str:
    if isinstance(value, str) and value.startswith(("customer", "current", "candidate")):
        return draw(st.sampled_from([value, f"'{value}'", f'"{value}"']))
    return json.dumps(value)


def flow_entry(draw: st.DrawFn, entry: dict[str, Any]) -> str:
    gap = draw(st.sampled_from(["", " "]))
    colon = draw(st.sampled_from([": ", ":  "]))
    inner = draw(st.sampled_from([", ", ","])).join(
        f"{key}{colon}{scalar(draw, value)}" for key, value in entry.items()
    )
    return f"{{{gap}{inner}{gap}}}"


noise = st.sampled_from(["", "", "", "   # why", "  ", " # tag: x"])


@st.composite
def blocks(draw: st.DrawFn) -> list[str]:
    """Give the lines of a traffic block, without the indentation of ``traffic``."""
    found = draw(entries())
    style = draw(st.sampled_from(["block", "block", "block", "items", "list", "lines", "json"]))
    if style == "list":
        return ["traffic: [" + ", ".join(flow_entry(draw, entry) for entry in found) + "]" + draw(noise)]
    if style == "lines":
        comma = draw(st.sampled_from(["", ","]))
        return [
            "traffic: [",
            *(f"    {flow_entry(draw, e)}," for e in found[:-1]),
            f"    {flow_entry(draw, found[-1])}{comma}",
            "  ]",
        ]
    if style == "json":
        return ("traffic: " + json.dumps(found, indent=draw(st.sampled_from([None, 2, 4])))).split("\n")
    lines = ["traffic:" + draw(noise)]
    indent = " " * draw(st.sampled_from([0, 0, 2, 4]))
    gap = " " * draw(st.sampled_from([1, 1, 3]))
    alone = draw(st.booleans()) and style == "block"
    for entry in found:
        lines += draw(
            st.lists(st.sampled_from(["", "# between", "      # deep", indent + "# - tag: x"]), max_size=2)
        )
        if style == "items":
            lines.append(f"{indent}-{gap}{flow_entry(draw, entry)}{draw(noise)}")
            continue
        fields = [f"{key}: {scalar(draw, value)}{draw(noise)}" for key, value in entry.items()]
        if alone:
            lines.append(f"{indent}-")
        lead = [f"{indent}-{gap}", *([f"{indent} {gap}"] * len(fields))]
        lines += [
            (lead[0] if not (alone or number) else lead[1]) + field for number, field in enumerate(fields)
        ]
    return lines


TEMPLATES = (
    ["template:", "  metadata:", "    name: customer-v2   # name", "  spec: {containers: [{image: a}]}"],
    [
        "template:",
        "  spec:",
        "    containers:",
        "    - image: a",
        "      args:",
        "      - |",
        "        # text",
        "",
    ],
    ["template: {spec: {}}"],
    ["template:", "    metadata: {}", "    spec:", "        containers:", "          - image: a"],
    ["template:", "  metadata:", "    annotations: {a: b}", "    name: 'customer-v2'"],
)


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    step = " " * draw(st.sampled_from([1, 2, 4]))
    lines = [
        "apiVersion: serving.knative.dev/v1",
        "kind: Service",
        "metadata: {name: customer}",
        "spec:" + draw(noise),
    ]
    template = draw(st.sampled_from(TEMPLATES))
    traffic = draw(st.none() | blocks()) or []
    for part in (template, traffic) if draw(st.booleans()) else (traffic, template):
        lines += [step + line if line else line for line in part]
    lines += draw(
        st.sampled_from([[], ["# end"], ["", "  # end", "status: {}"], ["---", "a: |+", "  b", ""]])
    )
    if draw(st.booleans()):
        lines = ["# a file", "---", "kind: Other", "---", *lines]
    text = "\n".join(lines) + draw(st.sampled_from(["\n", "\n", "", "\n\n"]))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return (draw(st.sampled_from(["", "\ufeff"])) + text).encode()


def read(content: bytes) -> Manifest:
    found = find_services(content, "service.yaml")
    assert not found.problems
    (manifest,) = found.manifests
    return manifest


def same_line(manifest: Manifest, content: bytes) -> bool:
    """Whether a name or a block would go into a line in flow style."""
    return manifest.template_name is None and b"{spec: {}}" in content


class TestEdit:
    """The result holds exactly the wanted split, and every other byte is the byte that was there."""

    @SLOW
    @given(content=manifests(), data=st.data())
    def test_any_split(self, content: bytes, data: st.DataObject) -> None:
        manifest = read(content)
        kept = [t for t in manifest.targets if data.draw(st.booleans())]
        targets: list[Target] = []
        for target in [*kept, None]:
            targets += data.draw(st.lists(new_targets(), max_size=2))
            if target is not None:
                targets.append(data.draw(st.just(target) | new_targets(target.slot)))
        name = data.draw(st.none() | names)
        try:
            after = edit_service(
                content, "service.yaml", manifest, targets=tuple(targets), template_name=name
            )
        except Declined as declined:
            assert {p.code for p in declined.problems} == {"traffic-block-unusual"}  # noqa: PT017 - rare, and right
            assume(False)
        flow = name is not None and same_line(manifest, content)
        assert_right(content, after, (None, "customer"), tuple(targets), name, line_check=not flow)
        assert bytes_outside(content, after, manifest) == 0
        assert bool(unified(content, after, "x")) == (content != after)

    @SLOW
    @given(content=manifests(), new=new_targets(), data=st.data())
    def test_append_and_take_back(self, content: bytes, new: Target, data: st.DataObject) -> None:
        manifest = read(content)
        place = data.draw(st.integers(0, len(manifest.targets)))
        after = edit_service(
            content, "x", manifest, targets=(*manifest.targets[:place], new, *manifest.targets[place:])
        )
        again = read(after)
        back = edit_service(after, "x", again, targets=again.targets[:place] + again.targets[place + 1 :])
        assert back == content

    @SLOW
    @given(content=manifests(), values=st.lists(percents, min_size=4, max_size=4))
    def test_set_and_take_back(self, content: bytes, values: list[int]) -> None:
        manifest = read(content)
        targets = tuple(
            Target(t.revision, t.percent if t.percent is None else value, t.tag, t.latest, t.slot)
            for t, value in zip(manifest.targets, values, strict=False)
        )
        after = edit_service(content, "x", manifest, targets=targets)
        assert edit_service(after, "x", read(after), targets=manifest.targets) == content
        assert edit_service(after, "x", read(after), targets=targets) is after


class TestDamage:
    """Whatever a file holds: found and edited right, or refused in words."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        shape=st.sampled_from(sorted(p.parent.name for p in HERE.glob("*/edit.json"))),
        data=st.data(),
    )
    def test_damaged_file(self, shape: str, data: st.DataObject) -> None:
        text = (HERE / shape / "before.yaml").read_bytes().decode()
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(text)))
            gone = data.draw(st.sampled_from([0, 0, 1, 2, 5]))
            new = data.draw(
                st.sampled_from(
                    [
                        "",
                        " ",
                        "\n",
                        "\n  ",
                        ":",
                        ": ",
                        "- ",
                        "#",
                        " #",
                        '"',
                        "'",
                        "{",
                        "}",
                        "[",
                        "]",
                        ",",
                        "&a ",
                        "*a",
                        "!x ",
                        "|",
                        ">",
                        "\t",
                        "\r",
                        "? ",
                        "---\n",
                        "\n---\n",
                        "...",
                        "%",
                        "<<: ",
                        "0",
                        "\u2028",
                        "\x00",
                        "é",
                    ]
                )
            )
            text = text[:at] + new + text[at + gone :]
        content = text.encode()
        for manifest in find_services(content, "x").manifests:
            new_entry = Target(revision="customer-v9", percent=1)
            for targets, name in (
                ((*manifest.targets, new_entry), "customer-v9"),
                (manifest.targets[:-1], None),
            ):
                try:
                    after = edit_service(content, "x", manifest, targets=targets, template_name=name)
                except Declined as declined:
                    assert declined.problems  # noqa: PT017 - either way is fine
                    continue
                damaged_right(content, after, manifest, targets, name)


def damaged_right(
    before: bytes, after: bytes, manifest: Manifest, targets: tuple[Target, ...], name: str | None
) -> None:
    """Check an edit of a file that libyaml may not read at all, or not as the one we know."""
    try:
        assert_right(before, after, identity(manifest), targets, name, line_check=False)
    except yaml.YAMLError:
        return
    assert bytes_outside(before, after, manifest) == 0 or b"{" in before
