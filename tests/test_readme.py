"""The documents say only what is so: tables, commands, examples and links are run or read here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.core.problems import CODES
from bot.core.rules import read_config
from bot.core.usage import USAGES
from tests import docs_tables

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = sorted(p for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md")])
CUSTOMER = ROOT / "bot" / "entry" / "demo" / "manifests" / "customer.yaml"


def block(after: str, language: str) -> str:
    """Give the first fenced block of a language behind a text of the README."""
    found = re.search(rf"```{language}\n(.*?)```", README[README.index(after) :], re.DOTALL)
    assert found is not None
    return found[1]


def test_the_tables_are_fresh() -> None:
    assert docs_tables.filled(README) == README, "run: python -m tests.docs_tables --write"


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=mona", "-c", "user.email=mona@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_the_first_example_is_what_the_bot_writes(tmp_path: Path) -> None:
    manifest = tmp_path / "apps" / "customer.yaml"
    manifest.parent.mkdir()
    manifest.write_bytes(CUSTOMER.read_bytes())
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "Customer")
    text = manifest.read_text("utf-8")
    manifest.write_text(
        text.replace("customer-v3   #", "customer-v4   #").replace(":3.4.1", ":4.0.0"), "utf-8"
    )

    command = block("In a working tree", "console").strip()
    assert command == 'canary comment "/canary 25" apps/customer.yaml'
    words = [sys.executable, "-m", "bot", "comment", "/canary 25", "apps/customer.yaml"]
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, check=False, capture_output=True, text=True, env=here)
    assert done.returncode == 0, done.stderr
    assert block("commented on", "diff") in done.stdout


def test_the_example_configuration_is_valid() -> None:
    config = read_config(block("A repository needs no configuration", "yaml"), ("standard", "fast"))
    assert config.rules_for("customer") == "fast"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_into_the_repository_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


def test_every_command_and_code_is_documented() -> None:
    assert all(f"`{form.replace('|', chr(92) + '|')}`" in README for usage in USAGES for form in usage.forms)
    assert all(f"| `{code}` |" in README for code in CODES)


def test_every_code_is_used_by_the_program() -> None:
    sources = "".join(p.read_text("utf-8") for p in (ROOT / "bot").rglob("*.py") if p.name != "problems.py")
    assert [code for code in CODES if f'"{code}"' not in sources] == []


@pytest.mark.parametrize("marker", ["demo", "tests"])
def test_the_two_commands_stand_where_ci_reads_them(marker: str) -> None:
    assert README.count(f"<!-- {marker} -->\n```console\n") == 1


def test_workflows_are_least_privileged_and_pinned() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text("utf-8")
        assert "\npermissions: {}\n" in text
        uses = re.findall(r"uses: (\S+)", text)
        assert uses
        assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", use) for use in uses)
