"""kn's operations on real bytes: any manifest that is written somehow, any flags that kn takes for it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bot.core.kn.flags import LATEST, Flags
from bot.core.kn.update import Refusal, update
from bot.core.problems import Declined
from bot.manifests.diff import bytes_outside
from bot.manifests.judge import server_refusal
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.oracle import assert_right
from tests.manifests.test_corpus import Tally, edited, report
from tests.manifests.test_properties import manifests, read
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NEW = ["customer-v9", "customer-00042"]


def typed(data: st.DataObject, manifest: Manifest, *, untags: bool = True) -> Flags:
    """Give flags about what the block holds and about what it does not, mostly such as kn takes."""
    held = [t.tag for t in manifest.targets if t.tag]
    names = [t.revision for t in manifest.targets if t.revision]
    gone = data.draw(st.lists(st.sampled_from(held), unique=True, max_size=2)) if untags and held else []
    fresh = data.draw(st.lists(st.sampled_from(["blue", "no", "green"]), unique=True, max_size=2))
    tags = [f"{data.draw(st.sampled_from([*names, *NEW]))}={tag}" for tag in fresh]
    refs = data.draw(
        st.lists(st.sampled_from([LATEST, *held, *names, *NEW]), unique=True, min_size=0, max_size=3)
    )
    first = data.draw(st.integers(0, 100))
    parts = {1: [100], 2: [first, 100 - first], 3: [0, first, 100 - first]}.get(len(refs), [])
    shares = tuple(f"{ref}={part}" for ref, part in zip(refs, parts, strict=True))
    return Flags(tuple(gone), tuple(tags), shares)


class TestEdit:
    """The file holds exactly what kn makes of its block, and every other byte is the byte that was there."""

    @SLOW
    @given(content=manifests(), data=st.data())
    def test_any_operation(self, content: bytes, data: st.DataObject) -> None:
        manifest = read(content)
        wanted = update(manifest.targets, typed(data, manifest), service=manifest.name)
        assume(not isinstance(wanted, Refusal))
        assert not isinstance(wanted, Refusal)
        try:
            after = edit_service(content, "service.yaml", manifest, targets=wanted)
        except Declined as declined:
            assert {p.code for p in declined.problems} == {"traffic-block-unusual"}  # noqa: PT017 - rare, and right
            assume(False)
        assert read(after).targets == wanted
        assert_right(content, after, (None, "customer"), wanted)
        assert bytes_outside(content, after, manifest) == 0

    @SLOW
    @given(content=manifests(), data=st.data())
    def test_twice_is_once(self, content: bytes, data: st.DataObject) -> None:
        manifest = read(content)
        held = [t.tag for t in manifest.targets if t.tag]
        assume(len(held) == len(set(held)))
        flags = typed(data, manifest, untags=False)
        wanted = update(manifest.targets, flags, service=manifest.name)
        assume(not isinstance(wanted, Refusal))
        assert not isinstance(wanted, Refusal)
        try:
            once = edit_service(content, "service.yaml", manifest, targets=wanted)
        except Declined:
            assume(False)
        again = read(once)
        targets = update(again.targets, flags, service=manifest.name)
        assert not isinstance(targets, Refusal)
        assert edit_service(once, "service.yaml", again, targets=targets) is once


def operations(manifest: Manifest) -> Iterator[tuple[str, Flags]]:
    """Give what people type: a canary, all to one, a tag, a tag away, a tag moved."""
    new = f"{manifest.name}-new"
    yield "canary", Flags(traffic=(f"{LATEST}=90,{new}=10",))
    yield "all to the latest", Flags(traffic=("100",))
    yield "all to a new one", Flags(traffic=(f"{new}=100%",))
    yield "tag", Flags(tag=(f"{new}=kn-next",))
    for tag in dict.fromkeys(t.tag for t in manifest.targets if t.tag):
        yield "untag", Flags(untag=(tag,))
        yield "move a tag", Flags(untag=(tag,), tag=(f"{new}={tag}",))
        yield "canary by tag", Flags(traffic=(f"{tag}=95", f"{new}=5"))


def test_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    """Every operation on every service of real files: its own lines only, or a refusal in words."""
    tally = Tally()
    for path in sorted(shared("corpus").glob("*/*.yaml")):
        content = path.read_bytes()
        found = find_services(content, path.name).manifests
        ids = Counter(manifest.id for manifest in found)
        for manifest in (m for m in found if ids[m.id] == 1 and m.kind == "Service"):
            for label, flags in operations(manifest):
                wanted = update(manifest.targets, flags, service=manifest.name)
                assert not isinstance(wanted, Refusal), (path.name, label, wanted)
                if server_refusal(manifest, wanted) is not None:
                    tally.counts["refused by the server's rules"] += 1
                    continue
                edited(tally, label, (content, manifest), wanted)
    report(capsys, tally)
    assert tally.counts["canary"] >= 150
    assert tally.counts["untag"] >= 10
