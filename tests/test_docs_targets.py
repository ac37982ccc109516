"""``docs/targets.md`` shows what the bot writes: every file, comment and diff of it is tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.manifests.workload import find

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "targets.md").read_text("utf-8")
SHOWN = re.findall(
    r"## ([^\n]+)\n(?:(?!\n## ).)*?```yaml\n(.*?)```\n\n> `([^`]+)`\n\n```diff\n(.*?)```", TEXT, re.DOTALL
)


def test_every_block_is_tried() -> None:
    assert len(SHOWN) == TEXT.count("```yaml") == TEXT.count("```diff") > 3


@pytest.mark.parametrize(("title", "manifest", "comment", "diff"), SHOWN, ids=[shown[0] for shown in SHOWN])
def test_the_bot_writes_what_is_shown(
    tmp_path: Path, title: str, manifest: str, comment: str, diff: str
) -> None:
    assert title
    (tmp_path / "a.yaml").write_text(manifest, "utf-8")
    (there,) = find(manifest.encode(), "a.yaml").workloads
    command = [sys.executable, "-m", "bot", "comment", comment, "a.yaml", "--write"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stdout
    written = (tmp_path / "a.yaml").read_text("utf-8")
    assert find(written.encode(), "a.yaml").workloads[0].split != there.split
    before = "".join(line[1:] for line in diff.splitlines(keepends=True) if not line.startswith("+"))
    after = "".join(line[1:] for line in diff.splitlines(keepends=True) if not line.startswith("-"))
    assert manifest.count(before) == 1
    assert written == manifest.replace(before, after)
