"""``canary migrate``: a legacy file on standard output or in place, or words and nothing written."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from tests.entry.working import CUSTOMER, process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.conftest import Prompt

OLD = """\
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata:
  name: shop
spec:
  release:
    revisions: [shop-1, shop-2]   # stable, candidate
    rolloutPercent: 10  # more tomorrow
    configuration:
      revisionTemplate:
        spec:
          servingState: Active
          container:
            image: shop:2  # bumped
"""
NEW = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: shop
spec:
  template:
    spec:
      containers:
      - image: shop:2  # bumped
  traffic:   # stable, candidate
  - tag: current
    revisionName: shop-1
    percent: 90
  - tag: candidate
    revisionName: shop-2
    percent: 10  # more tomorrow
  - tag: latest
    latestRevision: true
"""
NOTE = "Note: shop.yaml:12:11: Dropped `servingState`, which v1 does not have.\n"
TWO = OLD + "---\n" + OLD.replace("name: shop", "name: cart")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(OLD, NEW, id="LF"),
        pytest.param(OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n"), id="CR LF"),
        pytest.param("\ufeff" + OLD, "\ufeff" + NEW, id="byte-order mark"),
        pytest.param(OLD[:-1], NEW[:-1], id="no last newline"),
    ],
)
def test_bytes(before: str, after: str, canary: Prompt, tmp_path: Path) -> None:
    place = tmp_path / "shop.yaml"
    place.write_bytes(before.encode())
    ran = canary("migrate", "shop.yaml", folder=tmp_path)
    assert (ran.status, ran.out, ran.err) == (0, after, NOTE)
    assert place.read_bytes() == before.encode()

    ran = canary("migrate", "shop.yaml", "--write", folder=tmp_path)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("Wrote shop.yaml: ")
    assert ran.err.endswith(NOTE)
    assert place.read_bytes() == after.encode()


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_bytes(OLD.replace("\n", "\r\n").encode())
    done = process(tmp_path, "migrate", "shop.yaml", "--write")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "shop.yaml").read_bytes() == NEW.replace("\n", "\r\n").encode()


def test_standard_input(canary: Prompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(OLD.encode())))
    ran = canary("migrate", "-", folder=tmp_path)
    assert (ran.status, ran.out) == (0, NEW)
    assert ran.err == NOTE.replace("shop.yaml", "<stdin>")
    ran = canary("migrate", "-", "--write", folder=tmp_path)
    assert (ran.status, ran.out) == (2, "")


def test_already_v1(canary: Prompt, tmp_path: Path) -> None:
    place = tmp_path / "shop.yaml"
    place.write_text(CUSTOMER)
    before = place.stat()
    for arguments, out in (((), CUSTOMER), (("--write",), "")):
        ran = canary("migrate", "shop.yaml", *arguments, folder=tmp_path)
        assert (ran.status, ran.out) == (0, out)
        assert ran.err == "Nothing to migrate: shop.yaml is written for serving.knative.dev/v1 already.\n"
    assert (place.stat().st_mtime_ns, place.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_all_services_or_one(canary: Prompt, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    new = NEW.replace("name: shop", "name: cart")
    assert canary("migrate", "two.yaml", folder=tmp_path).out == f"{NEW}---\n{new}"
    assert canary("migrate", "two.yaml", "--service", "cart", folder=tmp_path).out == f"{OLD}---\n{new}"
    ran = canary("migrate", "two.yaml", "--service", "basket", folder=tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.endswith("holds no service `basket`. (unknown-service)\nIt holds `shop`, `cart`.\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "rolloutPercent: 10", "rolloutPercent: 100", "shop.yaml:8:21: The server of v1alpha1", id="alpha"
        ),
        pytest.param("  release:", "  manual:", "shop.yaml:6:3: The server of v1alpha1 refuses", id="manual"),
        pytest.param(
            "      revisionT", "      build: {}\n      revisionT", "shop.yaml:10:7: `build cannot", id="build"
        ),
        pytest.param("name: shop", "name: '{{ .n }}'", "shop.yaml:3:1: The service's name", id="template"),
    ],
)
def test_refused(old: str, new: str, said: str, canary: Prompt, tmp_path: Path) -> None:
    text = OLD.replace(old, new)
    (tmp_path / "shop.yaml").write_text(text)
    ran = canary("migrate", "shop.yaml", "--write", folder=tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"Error: {said}")
    assert (tmp_path / "shop.yaml").read_text() == text


def test_no_file_a_folder_and_a_link(canary: Prompt, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "shop.yaml").write_text(OLD)
    (tmp_path / "link.yaml").symlink_to("shop.yaml")
    for arguments, code in (
        (("none.yaml",), "file-missing"),
        (("folder",), "path-refused"),
        (("link.yaml", "--write"), "path-refused"),
    ):
        ran = canary("migrate", *arguments, folder=tmp_path)
        assert (ran.status, ran.out) == (1, "")
        assert f"({code})" in ran.err
    assert (tmp_path / "shop.yaml").read_text() == OLD


def test_a_terminal_gets_no_control_characters(canary: Prompt, tmp_path: Path) -> None:
    name = "a\x1b[31m.yaml"
    (tmp_path / name).write_text(OLD.replace("Percent: 10", "Percent: 100"))
    ran = canary("migrate", name, folder=tmp_path)
    assert ran.status == 1
    assert "\x1b" not in ran.err
