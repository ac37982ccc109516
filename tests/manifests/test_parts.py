"""Documents, scalars, plain values, and what is found in a file."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bot.core.traffic import Target
from bot.manifests.knative import Manifest, edit_service, find_services, is_candidate
from bot.manifests.scalars import is_ambiguous, is_text, percent, plain_value, written
from bot.manifests.source import Source, cut
from tests.shared import shared

HEAD = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
  namespace: shop
  annotations: {team: shop, since: 2024, "on": "yes"}
"""


def one(text: str | bytes) -> Manifest:
    found = find_services(text if isinstance(text, bytes) else text.encode(), "a.yaml")
    assert not found.problems
    (manifest,) = found.manifests
    return manifest


def template(text: str) -> Any:
    return one(HEAD + "spec:\n  template:\n" + text).template


class TestDocuments:
    """The stream is cut at column-0 marks, and the chunks together are the whole text."""

    @pytest.mark.parametrize(
        ("text", "chunks"),
        [
            pytest.param("a: 1\n", ["a: 1\n"], id="one document"),
            pytest.param("a: 1\n---\nb: 2\n", ["a: 1\n", "---\nb: 2\n"], id="two documents"),
            pytest.param(
                "---\na: 1\n--- # c\nb: 2", ["---\na: 1\n", "--- # c\nb: 2"], id="comment behind the mark"
            ),
            pytest.param("a: 1\n...\nb: 2\n", ["a: 1\n...\n", "b: 2\n"], id="end mark, bare document"),
            pytest.param("%YAML 1.1\n# c\n---\na: 1\n", ["%YAML 1.1\n# c\n---\na: 1\n"], id="directive"),
            pytest.param(
                "a: 1\n...\n%TAG ! x\n---\nb: 2\n",
                ["a: 1\n...\n", "%TAG ! x\n---\nb: 2\n"],
                id="directive later",
            ),
            pytest.param("a: |\n  ---\n ---\n---x\n", ["a: |\n  ---\n ---\n---x\n"], id="no marks"),
            pytest.param("a: 1\r---\rb: 2\r", ["a: 1\r", "---\rb: 2\r"], id="lone CR"),
            pytest.param("a: 1\r\n---\r\nb: 2\r\n", ["a: 1\r\n", "---\r\nb: 2\r\n"], id="CR LF"),
            pytest.param("a: \u2028---\nb: 2\n", ["a: \u2028---\nb: 2\n"], id="line separator is no break"),
            pytest.param(
                "a: '\n---\nb: '\n", ["a: '\n", "---\nb: '\n"], id="mark inside quotes ends the document"
            ),
            pytest.param("", [""], id="nothing"),
        ],
    )
    def test_cut(self, text: str, chunks: list[str]) -> None:
        source = Source.of(text, "a.yaml")
        assert [text[chunk.start : chunk.end] for chunk in cut(source)] == chunks

    @given(
        st.lists(st.sampled_from(["---", "...", "%", "a: 1", "# c", "", "\n", "\r\n", "\r", " ", "--- x"]))
    )
    def test_nothing_is_lost(self, parts: list[str]) -> None:
        text = "".join(parts)
        chunks = cut(Source.of(text, "a.yaml"))
        assert "".join(text[chunk.start : chunk.end] for chunk in chunks) == text
        assert [chunk.number for chunk in chunks] == list(range(len(chunks)))

    @given(st.lists(st.sampled_from(["---\n", "...\r\n", "%Y\n", "a: 1\n", "# c\r", "\n", "\r", " "])))
    def test_lines_begin_behind_breaks(self, parts: list[str]) -> None:
        text = "".join(parts)
        starts = Source.of(text, "a.yaml").starts
        assert list(starts) == [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", text))]

    def test_places_count_from_one(self) -> None:
        source = Source.read("\ufeffa\r\nbé: c\rd".encode(), "a.yaml")
        assert str(source.place(source.text.index("c"))) == "a.yaml:2:5"
        assert str(source.place(source.text.index("d"))) == "a.yaml:3:1"


class TestEvents:
    """The events that the nodes are made from are those of ruamel's round-trip reader."""

    def test_same_offsets(self) -> None:
        count = 0
        for path in sorted(shared("corpus").glob("*/*.yaml"))[::5]:
            text = path.read_text(encoding="utf-8")
            if "{{" in text or path.parent.name == "odd":
                continue
            safe, full = ([*YAML(typ=kind, pure=True).parse(text)] for kind in ("safe", "rt"))
            spans = [
                [(type(e), e.start_mark.index, e.end_mark.index) for e in events] for events in (safe, full)
            ]
            assert spans[0] == spans[1], path.name
            count += len(safe)
        assert count >= 5000


class TestScalars:
    """Only scalars that need no judgement are written plain; all readers read the same."""

    @pytest.mark.parametrize(
        "word",
        ["y", "n", "yes", "No", "ON", "off", "true", "False", "null", "~", "", "010", "0o17", "1_000", "12:30", "1e3",
         ".5", ".inf", ".NaN", "0x1F", "0b1", "2024-01-01", "+1", "+_", "-_1", "1.", "=", "<<", "190:20:30.15"],
    )  # fmt: skip
    def test_not_text_for_every_reader(self, word: str) -> None:
        assert not is_text(word)

    @pytest.mark.parametrize(
        "word", ["customer-v1", "a", "e5", "x.y", "v1", "1a", "a:b", "0b2", "12:3x", "yesterday"]
    )
    def test_text_for_every_reader(self, word: str) -> None:
        assert is_text(word)
        assert not is_ambiguous(word)

    @given(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12),
        st.sampled_from(["", "'", '"']),
    )
    def test_what_is_written_is_read(self, value: str, style: str) -> None:
        text = f"a: {written(value, style)}\n"
        assert YAML(typ="safe", pure=True).load(text) == {"a": value}
        assert yaml.safe_load(text) == {"a": value}

    @given(st.integers(0, 10**8))
    def test_numbers(self, value: int) -> None:
        assert percent(written(value)) == plain_value(written(value)) == value

    def test_booleans_are_no_numbers(self) -> None:
        assert (written(value=True), written(value=False)) == ("true", "false")

    @given(st.text("0123456789+-._:eExXobn aAfF~", min_size=1, max_size=8))
    def test_text_agrees_with_two_readers(self, word: str) -> None:
        plain = word.strip(" ")
        if (
            not plain
            or not is_text(plain)
            or any(mark in plain + " " for mark in (": ", " #"))
            or plain[0] in "-?:"
        ):
            return
        assert YAML(typ="safe", pure=True).load(f"a: {plain}\n") == {"a": plain}
        assert yaml.safe_load(f"a: {plain}\n") == {"a": plain}


class TestTemplate:
    """The template as plain values: the same for the same meaning, another for another."""

    def test_name_is_not_part_of_it(self) -> None:
        plain = template("    spec: {a: 1}\n")
        assert plain == {"spec": {"a": 1}}
        assert template("    metadata: {name: customer-v1}\n    spec: {a: 1}\n") == plain
        assert template("    metadata:\n    spec: {a: 1}\n") == plain
        assert template("    metadata: {name: x, labels: {}}\n    spec: {}\n") == {
            "metadata": {"labels": {}},
            "spec": {},
        }

    def test_values(self) -> None:
        plain = template(
            "    spec: {a: 1, b: '1', c: true, d: ~, e: 1.5, f: yes, g: 010, h: !x q, i: !!str 1, j: [z]}\n"
        )
        assert plain == {
            "spec": {
                "a": 1, "b": "1", "c": True, "d": None, "e": 1.5, "f": {"!plain": "yes"}, "g": {"!plain": "010"},
                "h": {"!tag": "!x", "value": "q"}, "i": "1", "j": ["z"],
            }
        }  # fmt: skip
        json.dumps(plain)

    def test_aliases_and_merge_keys_are_written_out(self) -> None:
        plain = template(
            "    x: &x {a: 1, b: 2}\n    y: *x\n    z: {<<: *x, b: 3}\n    w: {<<: [*x, {c: 4}]}\n"
        )
        assert plain["y"] == {"a": 1, "b": 2}
        assert plain["z"] == {"a": 1, "b": 3}
        assert plain["w"] == {"a": 1, "b": 2, "c": 4}

    def test_alias_bomb_is_refused(self) -> None:
        lines = ["    a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
        found = find_services((HEAD + "spec:\n  template:\n" + "\n".join(lines) + "\n").encode(), "a.yaml")
        assert [(p.code, p.place and p.place.line) for p in found.problems] == [("yaml-invalid", 14)]

    def test_alias_inside_its_anchor_is_refused(self) -> None:
        found = find_services((HEAD + "spec:\n  template: &a {b: [*a]}\n").encode(), "a.yaml")
        assert [p.code for p in found.problems] == ["yaml-invalid"]

    def test_tabs_are_kept_where_the_scanner_needs_a_copy_without_them(self) -> None:
        spaces, tabs = (template(f"    a:\t'x{gap}y'\n    b: |\n      k{gap}v\n") for gap in (" ", "\t"))
        assert spaces != tabs


class TestFound:
    """What the caller gets to know of a service."""

    def test_manifest(self) -> None:
        text = (
            "# a file\na: 1\n---\n"
            + HEAD
            + (
                "spec:\n  template:\n    metadata:\n      name: customer-v1\n  # split\n  traffic:  # here\n"
                "  - percent: 90\n    revisionName: customer-v1\n  - latestRevision: true\n"
                "    tag: latest\n  # behind\n"
            )
        )
        manifest = one(text)
        assert manifest.id == "shop/customer"
        assert (manifest.api_version, manifest.kind) == ("serving.knative.dev/v1", "Service")
        assert (manifest.document, manifest.line, manifest.template_name_line) == (1, 4, 13)
        assert manifest.traffic_lines == (15, 19)
        assert manifest.has_traffic
        assert manifest.template_name == "customer-v1"
        assert dict(manifest.annotations) == {"team": "shop", "since": "2024", "on": "yes"}
        assert manifest.targets == (
            Target(revision="customer-v1", percent=90),
            Target(latest=True, tag="latest"),
        )
        assert [t.slot for t in manifest.targets] == [0, 1]

    @pytest.mark.parametrize(
        "block", ["", "  traffic:\n", "  traffic: ~\n", "  traffic: []\n", "  traffic: null # c\n"]
    )
    def test_no_traffic(self, block: str) -> None:
        manifest = one(HEAD + "spec:\n  template: {}\n" + block)
        assert manifest.targets == ()
        assert not manifest.has_traffic

    @pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
    def test_versions(self, version: str) -> None:
        assert one(HEAD.replace("/v1", f"/{version}") + "spec: {template: {}}\n").api_version.endswith(
            version
        )

    @pytest.mark.parametrize(
        "text",
        [
            HEAD.replace("Service", "Configuration"),
            HEAD.replace("Service", "Route").replace("serving.knative.dev", "route.openshift.io")
            + "# serving.knative.dev\n",
            HEAD.replace("serving.knative.dev/v1", "v1") + "# serving.knative.dev\n",
            HEAD.replace("serving.knative.dev/v1", "serving.knative.dev/v9"),
            "- serving.knative.dev\n- Service\n",
            "serving.knative.dev Service",
        ],
    )
    def test_something_else(self, text: str) -> None:
        found = find_services(text.encode(), "a.yaml")
        assert not found.manifests
        assert not found.problems

    def test_name_chooses(self) -> None:
        other = HEAD.replace("name: customer\n", "name: customer-admin\n")
        text = (HEAD + "spec: {}\n---\n" + other + "spec: {}\n---\n" + other + "spec: [\n").encode()
        assert [m.name for m in find_services(text, "a.yaml", name="customer").manifests] == ["customer"]
        assert [m.name for m in find_services(text, "a.yaml", name="customer-admin").manifests] == [
            "customer-admin"
        ]
        assert [p.code for p in find_services(text, "a.yaml").problems] == ["yaml-invalid"]

    def test_candidates(self) -> None:
        assert is_candidate(HEAD.encode())
        assert is_candidate(HEAD.encode("utf-16"))
        assert not is_candidate(b"apiVersion: v1\nkind: Service\n")

    def test_one_file_in_many_threads(self) -> None:
        text = (HEAD + "spec:\n  template: {}\n  traffic: [{percent: 100}]\n").encode()

        def edit(number: int) -> bytes:
            manifest = one(text)
            return edit_service(text, "a.yaml", manifest, targets=(Target(percent=number, slot=0),))

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(edit, range(40)))
        assert results == [text.replace(b"percent: 100", b"percent: %d" % number) for number in range(40)]

    @given(st.binary(max_size=200))
    def test_any_bytes(self, noise: bytes) -> None:
        found = find_services(b"apiVersion: serving.knative.dev/v1\nkind: Service\n" + noise, "a.yaml")
        assert not found.manifests

    def test_other_kinds_of_the_corpus_are_left_alone(self) -> None:
        files = [
            path
            for folder in ("istio-virtualservice", "gateway-httproute")
            for path in sorted((shared("corpus") / folder).glob("*.yaml"))
        ]
        assert len(files) >= 80
        for path in files:
            found = find_services(path.read_bytes(), path.name)
            assert not found.manifests
            assert not found.problems
