"""Rollouts over generated manifests of every kind and style, checked by readers that are not the bot's."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from bot.core import moving
from bot.core.problems import Declined
from bot.core.traffic import Shape
from bot.manifests.weighted import set_weights
from bot.manifests.workload import Workload, edit, find, may_hold
from tests.contract.lane import FIGURES
from tests.manifests.crds import Watch
from tests.manifests.every_oracle import assert_edit
from tests.manifests.every_rollout import Walk, again, pair_of, refusal, rules_of
from tests.manifests.kinds import KINDS, File, files
from tests.manifests.oracle import as_strings
from tests.scenarios.test_targets import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

FUZZ = int(os.environ.get("CANARY_FUZZ", "1"))
WEIGHTED = [kind for kind in KINDS if kind not in {"Service", "Route", "Service, mode"}]
EVERY = pytest.mark.parametrize("kind", KINDS)
# An example is a file: it is shown as it is found, which is sooner than a smaller one.
PHASES = tuple(phase for phase in Phase if phase is not Phase.shrink)


def examples(count: int) -> settings:
    return settings(
        max_examples=count * FUZZ, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES
    )


def the(file: File) -> list[Workload]:
    """Give the workload of a file, once for each rule that a rollout may be about."""
    assert may_hold(file.content)
    found = find(file.content, "shop.yaml")
    assert found.problems == (), found.problems
    assert len(found.workloads) == 1
    return list(rules_of(found.workloads[0]))


def begin(file: File, data: st.DataObject, watch: Watch) -> Walk:
    """Give a walk on one of the file's rules, with either destination as the candidate."""
    workload = data.draw(st.sampled_from(the(file)))
    # What the platform refuses before any edit is somebody else's test.
    assume(refusal(file.content, workload) is None)
    names = pair_of(workload)
    if workload.split.shape is Shape.WEIGHTS and data.draw(st.booleans()):
        names = names[::-1]
    return Walk(file.content, workload, names, watch)


@EVERY
def test_a_rollout(kind: str, record_property: Callable[[str, object], None]) -> None:
    """Start, steps, finish or not, rollback: each is exactly what was wanted, and nothing else."""
    done: Counter[str] = Counter()
    watch = Watch()

    @examples(12)
    @given(file=files((kind,)), data=st.data())
    def rollout(file: File, data: st.DataObject) -> None:
        walk = begin(file, data, watch)
        weights = data.draw(st.lists(st.integers(1, 99), min_size=1, max_size=3))
        finish = data.draw(st.booleans())
        moves: list[Callable[[Walk], Walk]] = [lambda w: w.start(weights[0])]
        moves += [lambda w, weight=weight: w.to(weight) for weight in weights[1:]]  # type: ignore[misc]
        moves += [lambda w: w.to(100)] if finish else []
        for move in [*moves, Walk.back]:
            try:
                walk = move(walk)
            except Declined as declined:
                # A comment or a line break in flow style that an entry would be torn from.
                assert {p.code for p in declined.problems} == {"traffic-block-unusual"}, declined  # noqa: PT017
                done["declined"] += 1
                return
            done["edits"] += 1
        done["whole rollouts"] += 1

    rollout()
    record_property(FIGURES, f"generated, {kind}: " + ", ".join(f"{k} {v}" for k, v in sorted(done.items())))
    assert watch.wrong == []
    assert done["whole rollouts"]


@EVERY
def test_an_edit_and_its_inverse(kind: str) -> None:
    """What was written can be written back, and the file is the first one again, byte for byte.

    An entry or a field that went takes its look with it, and a mode that changed its name: these come back from
    the file's history only.
    """
    done: Counter[str] = Counter()

    @examples(8)
    @given(file=files((kind,)), data=st.data())
    def there_and_back(file: File, data: st.DataObject) -> None:
        first = begin(file, data, Watch())
        stable, candidate = first.names
        shown = [t.revision for t in first.workload.split.targets]
        assume(first.invertible)
        weight = data.draw(st.integers(1, 99))
        split = moving.to_weight(first.workload.split, stable=stable, candidate=candidate, weight=weight)
        later_fields = {t.slot: as_strings(t).keys() for t in split.targets}
        kept = all(
            later_fields.get(t.slot, frozenset()) >= as_strings(t).keys()
            for t in first.workload.split.targets
        )
        if first.workload.split.shape is Shape.RELEASE:
            kept = [t.revision for t in split.targets] == shown
        assume(kept)
        try:
            later = first.to(weight)
            back = first.taken_back(later)
        except Declined as declined:
            assert {p.code for p in declined.problems} == {"traffic-block-unusual"}, declined  # noqa: PT017
            return
        assert back == file.content
        done["right"] += 1

    there_and_back()
    assert done["right"] > 0


@examples(40)
@given(file=files(tuple(WEIGHTED)), data=st.data())
def test_weights_that_were_missing_go_again(file: File, data: st.DataObject) -> None:
    """The seam never takes a weight away; the editor below it can, unless a comment would go with it."""
    first = begin(file, data, Watch())
    later = first.to(data.draw(st.integers(0, 100)))
    assert first.workload.rule is not None
    assert later.workload.rule is not None
    written = tuple(d.weight for d in first.workload.rule.weights.destinations)
    try:
        assert set_weights(later.content, later.workload.rule, written) == file.content
    except Declined as declined:
        assert None in written
        assert {p.code for p in declined.problems} == {"traffic-block-unusual"}  # noqa: PT017


def test_a_comment_in_flow_style_stays_with_its_field() -> None:
    text = CASES["HTTPRoute"].content.decode()
    stable, candidate = re.findall(r"{name: storefront-v.*}", text)
    content = text.replace(stable, "{port: 8080, weight: 1, name: storefront-v1}").replace(
        candidate, "{\n      port: 8080,  # of the pods\n      name: storefront-v2\n    }"
    )
    (one,) = find(content.encode(), "a.yaml").workloads
    after = Walk(content.encode(), one, ("storefront-v1", "storefront-v2")).to(60).content
    assert b"port: 8080,  # of the pods\n      weight: 60,\n      name: storefront-v2\n" in after


def test_a_mode_in_a_list_is_not_passed_over() -> None:
    legacy = CASES["release"].content.decode()
    entry = "".join(f"  {line}\n" for line in legacy.splitlines())
    content = f"apiVersion: v1\nkind: List\nitems:\n- {entry[2:]}---\n{legacy}"
    found = find(content.encode(), "a.yaml")
    assert [(p.code, p.place and p.place.line) for p in found.problems] == [("not-built-yet", 9)]
    assert [w.document for w in found.workloads] == [1]


class TestTheOracle:
    """The oracle sees what is wrong."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param("3s", "5s", id="another value of the object"),
            pytest.param("# stable", "# Stable", id="another comment"),
            pytest.param("weight: 75", "weight: 76", id="another weight"),
            pytest.param("weight: 75", 'weight: "75"', id="a weight as text"),
            pytest.param("weight: 75", "weight: 75.0", id="a weight with a fraction"),
            pytest.param("weight: 75", "weight: 0113", id="75 in YAML 1.1 only"),
            pytest.param("timeout: 3s", "timeout:  3s", id="white space elsewhere"),
            pytest.param("\n    timeout", "\r\n    timeout", id="another line end"),
            pytest.param("kind: DestinationRule", "kind: destinationRule", id="another document"),
            pytest.param("  - name: primary", "  - name: primary\n    retries: {}", id="a field more"),
            pytest.param("\n---\n", "\n\n---\n", id="a line more"),
        ],
    )
    def test_bites(self, old: str, new: str) -> None:
        content = CASES["VirtualService"].content
        (workload,) = find(content, "a.yaml").workloads
        split = moving.to_weight(workload.split, stable="storefront/v1", candidate="storefront/v2", weight=25)
        after = edit(content, workload, split)
        assert_edit(content, after, (workload, again(after, workload)), split)
        broken = after.replace(old.encode(), new.encode(), 1)
        assert broken != after
        with pytest.raises(AssertionError):
            assert_edit(content, broken, (workload, workload), split)

    @pytest.mark.parametrize("kind", ["Route", "release", "runLatest"])
    @pytest.mark.parametrize("place", [0, 1, -1])
    def test_bites_on_any_line_outside(self, kind: str, place: int) -> None:
        case = CASES[kind]
        (workload,) = find(case.content, "a.yaml").workloads
        split = moving.to_weight(workload.split, stable=case.names[0], candidate=case.names[1], weight=25)
        after = edit(case.content, workload, split)
        found = again(after, workload)
        assert_edit(case.content, after, (workload, found), split)
        lines = after.split(b"\n")
        if place == -1:
            lines[-1] = b"# more"
        else:
            lines[place] += b" # more"
        with pytest.raises(AssertionError):
            assert_edit(case.content, b"\n".join(lines), (workload, found), split)
