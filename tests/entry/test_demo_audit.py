"""How the demo counts: two readers that share no code see every byte that a commit should not have changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.core.trailers import Record
from bot.entry import demo
from bot.entry.demo import audit, plain, shop, story

if TYPE_CHECKING:
    from bot.entry.demo.stage import Stage

FILES = shop.files()
RELEASE = b'  release:\n    revisions: ["dumpy-00001", "dumpy-00002"]\n    rolloutPercent: 25\n'
STARTED = {
    shop.DUMPY: FILES[shop.DUMPY].replace(b"  runLatest:\n", RELEASE),
    shop.SENTENCE: FILES[shop.SENTENCE].replace(b"weight: 100 ", b"weight: 75 ").replace(b"weight: 0 ", b"weight: 25 "),
    shop.CUSTOMER: FILES[shop.CUSTOMER]
    .replace(b"percent: 100", b"percent: 75")
    .replace(b"percent: 0\n", b"percent: 0\n  - tag: candidate\n    revisionName: customer-v4\n    percent: 25\n"),
}  # fmt: skip
WHO = {
    shop.DUMPY: ("/dumpy", "dumpy-00001", "dumpy-00002", ""),
    shop.SENTENCE: ("VirtualService:/sentence", "sentence/v1", "sentence/v2", "primary"),
    shop.CUSTOMER: ("shop/customer", "customer-v3", "customer-v4", ""),
}
MEDDLED: dict[str, tuple[str, bytes, bytes]] = {
    "legacy: the image": (shop.DUMPY, b"dumpy:v1", b"dumpy:v2"),
    "legacy: a label": (shop.DUMPY, b"  name: dumpy\n", b"  name: dumpy\n  labels: {a: b}\n"),
    "legacy: inside the mode": (shop.DUMPY, b'value: "info"', b'value: "debug"'),
    "weights: another document": (shop.SENTENCE, b"{name: v2, labels", b"{name: v3, labels"),
    "weights: another rule": (shop.SENTENCE, b"exact: use-v2", b"exact: use-v1"),
    "weights: the destination": (shop.SENTENCE, b"        subset: v2\n", b"        subset: v3\n"),
    "weights: the object": (shop.SENTENCE, b"gateways: [mesh]", b"gateways: [mesh, a]"),
    "Knative: the image": (shop.CUSTOMER, b"customer:3.4.1", b"customer:4.0.0"),
    "Knative: a label": (shop.CUSTOMER, b"namespace: shop", b"namespace: shop\n  labels: {a: b}"),
}  # fmt: skip


def message(path: str, weight: int = 25) -> str:
    """Give what the bot says in the commit of a start."""
    service, stable, candidate, route = WHO[path]
    record = Record(
        service=f"{path}#{service}",
        rollout="dumpy-0123abcd",
        step=1,
        weight=weight,
        steps=(weight, 100),
        stable=stable,
        candidate=candidate,
        pull=1,
        rules="standard",
        requested_by="mona",
        comment=1,
        route=route,
    )
    return f"Start\n\n{record.trailers()}\n"


def said(path: str, weight: int = 25) -> plain.Said:
    found = plain.Said.read(message(path, weight))
    assert found is not None
    return found


class TestOnlyTheSplit:
    """What is not the split is seen, by each of the readers alone."""

    @pytest.mark.parametrize("path", STARTED)
    def test_a_start_touches_the_split_only(self, path: str) -> None:
        before, after = FILES[path], STARTED[path]
        assert before != after
        assert audit.by_reader(before, after, path, message(path)) == 0
        assert not said(path).differs_elsewhere(before, after)
        assert said(path).holds(after)
        assert not said(path).holds(before)

    @pytest.mark.parametrize("path", STARTED)
    def test_another_share_than_the_message_says(self, path: str) -> None:
        assert not said(path, weight=26).holds(STARTED[path])

    @pytest.mark.parametrize("what", MEDDLED)
    def test_more_than_the_split(self, what: str) -> None:
        path, old, new = MEDDLED[what]
        before, after = FILES[path], STARTED[path].replace(old, new)
        assert after != STARTED[path]
        assert said(path).differs_elsewhere(before, after)
        assert audit.by_reader(before, after, path, message(path)) > 0

    @pytest.mark.parametrize("path", STARTED)
    def test_a_comment_is_seen_by_its_bytes(self, path: str) -> None:
        meddled = b"# mine\n" + STARTED[path]
        assert audit.by_reader(FILES[path], meddled, path, message(path)) == len(b"# mine\n")

    def test_the_weights_of_another_rule_are_no_part_of_it(self) -> None:
        two = FILES[shop.SENTENCE].replace(b"subset: v2}\n", b"subset: v2}\n      weight: 5\n", 1)
        after = two.replace(b"weight: 5", b"weight: 6")
        assert said(shop.SENTENCE).differs_elsewhere(two, after)
        assert audit.by_reader(two, after, shop.SENTENCE, message(shop.SENTENCE)) > 0

    @pytest.mark.parametrize("content", [b"a: [", b""], ids=["no YAML", "empty"])
    def test_what_is_left_is_no_manifest(self, content: bytes) -> None:
        path = shop.DUMPY
        assert said(path).differs_elsewhere(FILES[path], content)
        assert not said(path).holds(content)
        assert audit.by_reader(FILES[path], content, path, message(path)) > 0

    @pytest.mark.parametrize("text", ["", "Canary-Service: a#/b", "Canary-Weight: x"])
    def test_no_trailers(self, text: str) -> None:
        assert plain.Said.read(text) is None
        assert audit.by_reader(b"a", b"b", "a", text) > 0


class TestPlain:
    """A split as plain values."""

    @pytest.mark.parametrize(
        ("path", "shares", "written"),
        [
            (
                shop.DUMPY,
                {"dumpy-00001": 75, "dumpy-00002": 25},
                ["revisions: [dumpy-00001, dumpy-00002]", "rolloutPercent: 25"],
            ),
            (
                shop.SENTENCE,
                {"sentence/v1": 75, "sentence/v2": 25},
                ["weight: 75 → sentence/v1", "weight: 25 → sentence/v2"],
            ),
            (
                shop.CUSTOMER,
                {"customer-v3": 75, "@latest": 0, "customer-v4": 25},
                ["percent: 75 → customer-v3", "percent: 25 → customer-v4"],
            ),
        ],
    )
    def test_read(self, path: str, shares: dict[str, int], written: list[str]) -> None:
        name, route = WHO[path][0].rpartition("/")[2], WHO[path][3]
        document = plain.named(STARTED[path], name)
        assert plain.shares(document, route) == shares
        assert plain.written(document, route) == written

    def test_run_latest(self) -> None:
        document = plain.named(FILES[shop.DUMPY], "dumpy")
        assert (plain.shares(document), plain.written(document)) == ({"@latest": 100}, ["runLatest"])

    def test_nothing_of_that_name(self) -> None:
        assert plain.named(FILES[shop.DUMPY], "nobody") is None


class TestOwnLines:
    """The lines of a split, by indentation alone."""

    @pytest.mark.parametrize("path", [shop.DUMPY, shop.SENTENCE])
    def test_files_of_the_demo(self, path: str) -> None:
        lines = STARTED[path].decode().split("\n")
        own = [lines[number - 1] for number in sorted(audit.own_lines(STARTED[path]))]
        wanted = {
            shop.DUMPY: RELEASE.decode().splitlines(),
            shop.SENTENCE: ["      weight: 75   # stable", "      weight: 25     # canary"],
        }
        assert own == wanted[path]

    def test_the_mode_is_a_line_and_its_configuration_is_not(self) -> None:
        assert audit.own_lines(FILES[shop.DUMPY]) == {6}


def test_commits_that_change_more_are_counted_in_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shas: dict[str, bool] = {}

    def meddle(on: Stage) -> None:
        world, bot = on.run.world, on.run.app.bot.login
        world.set_role(shop.REPO, bot, "write")
        for path, old, new in [*((path, b"", b"") for path in STARTED), *MEDDLED.values()]:
            world.commit(shop.REPO, "main", {path: FILES[path]}, "Back", by="mona")
            content = STARTED[path].replace(old, new) if old else STARTED[path]
            world.commit(shop.REPO, "main", {path: content}, message(path), by=bot)
            shas[world.resolve(shop.REPO, "main")[:7]] = bool(old)

    monkeypatch.setattr(story, "PARTS", (meddle,))
    assert demo.run(serve=False, port=0, color=True, keep=False) == 1
    out = capsys.readouterr().out
    assert len(shas) == len(STARTED) + len(MEDDLED)
    for sha, is_meddled in shas.items():
        assert bool(re.search(rf"bytes outside the block in {sha}: got [1-9]", out)) == is_meddled
        assert bool(re.search(rf"the same by git's diff, {sha}: got [1-9]", out)) == is_meddled
        assert (f"only the split differs in {sha}: got False" in out) == is_meddled
