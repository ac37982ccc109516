"""Diffs as git shows them, and counts that do not take the editor's word."""

from __future__ import annotations

import pytest

from bot.core.traffic import Target
from bot.manifests.diff import bytes_outside, changed_lines, unified
from bot.manifests.knative import Manifest, edit_service, find_services
from tests.manifests.oracle import assert_right

BEFORE = b"""\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
spec:
  template: {spec: {}}
  traffic:
  - revisionName: a
    percent: 100
status: {}
"""
AFTER = BEFORE.replace(b"percent: 100", b"percent: 75\n  - revisionName: b\n    percent: 25")
TARGETS = (Target(revision="a", percent=75, slot=0), Target(revision="b", percent=25))


def manifest() -> Manifest:
    return find_services(BEFORE, "a.yaml").manifests[0]


DIFF = """\
--- a/apps/a.yaml
+++ b/apps/a.yaml
@@ -6,5 +6,7 @@
   template: {spec: {}}
   traffic:
   - revisionName: a
-    percent: 100
+    percent: 75
+  - revisionName: b
+    percent: 25
 status: {}
"""


class TestUnified:
    """The diff is git's."""

    def test_edit(self) -> None:
        assert unified(BEFORE, AFTER, "apps/a.yaml") == DIFF

    def test_carriage_returns_and_byte_order_mark_are_not_shown(self) -> None:
        before, after = (b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") for text in (BEFORE, AFTER))
        assert unified(before, after, "apps/a.yaml") == DIFF

    def test_no_final_newline(self) -> None:
        assert unified(b"a\nb", b"a\nc", "x") == (
            "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n"
            "-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
        )

    def test_nothing_differs(self) -> None:
        assert not unified(BEFORE, BEFORE, "x")

    def test_other_separators_are_no_lines(self) -> None:
        assert "+b\u2028c\x0cd" in unified(b"a\n", "b\u2028c\x0cd\n".encode(), "x")


class TestCounts:
    """Changed lines, and changed bytes outside the block."""

    def test_changed_lines(self) -> None:
        assert changed_lines(BEFORE, AFTER) == 3
        assert changed_lines(BEFORE, BEFORE) == 0

    def test_an_edit_changes_nothing_outside(self) -> None:
        assert edit_service(BEFORE, "a.yaml", manifest(), targets=TARGETS) == AFTER
        assert bytes_outside(BEFORE, AFTER, manifest()) == 0

    @pytest.mark.parametrize(
        ("damaged", "count"),
        [
            pytest.param(AFTER + b"# x\n", 4, id="a line more"),
            pytest.param(AFTER.replace(b"status: {}\n", b""), 11, id="a line less"),
            pytest.param(AFTER.replace(b"kind: Service", b"kind:  Service"), 29, id="a space more"),
            pytest.param(AFTER.replace(b"status: {}\n", b"status: {}"), 21, id="the last newline"),
            pytest.param(AFTER.replace(b"\n", b"\r\n"), 116 + 123, id="other line ends"),
            pytest.param(
                AFTER.replace(b"name: customer", b"name: other"), len(AFTER) - 3, id="another service"
            ),
        ],
    )
    def test_damage_is_seen(self, damaged: bytes, count: int) -> None:
        assert bytes_outside(BEFORE, damaged, manifest()) == count
        with pytest.raises(AssertionError):
            assert_right(BEFORE, damaged, (None, "customer"), TARGETS)

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(AFTER.replace(b"75", b"74"), id="another percent"),
            pytest.param(AFTER.replace(b"Name: b", b"Name: c"), id="another revision"),
            pytest.param(AFTER.replace(b": 25", b": '25'"), id="a quoted percent"),
            pytest.param(AFTER.replace(b": 25", b": 25\n    tag: no"), id="a field too many"),
            pytest.param(AFTER.replace(b": 25", b": 25\n  - percent: 0"), id="an entry too many"),
            pytest.param(AFTER.replace(b"{spec: {}}", b"{spec: {a: 1}}"), id="another template"),
        ],
    )
    def test_second_opinion_sees_wrong_values(self, wrong: bytes) -> None:
        assert_right(BEFORE, AFTER, (None, "customer"), TARGETS)
        with pytest.raises(AssertionError):
            assert_right(BEFORE, wrong, (None, "customer"), TARGETS)
