"""One direction: the core imports only the core; adapters and entries meet where a program starts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bot"
LAYERS = ("core", "manifests", "ports", "service", "adapters", "entry", "sandbox")

MAY_IMPORT = {
    "core": {"core"},
    "manifests": {"core", "manifests"},
    "ports": {"core"},
    "service": {"core", "manifests", "ports", "service"},
    "adapters": {"core", "manifests", "ports", "adapters"},
    "sandbox": {"core", "manifests", "ports", "sandbox"},
    "entry": set(LAYERS),
}
# Libraries that reach out of the process: decisions must not know them.
OUTSIDE = {
    "github",
    "httpx",
    "fastapi",
    "uvicorn",
    "sqlite3",
    "subprocess",
    "socket",
    "os",
    "requests",
    "pathlib",
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(p for p in PACKAGE.rglob("*.py") if layer_of(p) in LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    layer = layer_of(path)
    used = {name.split(".")[1] for name in imports(path) if name.startswith("bot.")} & set(LAYERS)
    assert used <= MAY_IMPORT[layer]


@pytest.mark.parametrize(
    "path", [p for p in FILES if layer_of(p) in {"core", "manifests", "ports", "service"}], ids=str
)
def test_decisions_know_nothing_of_the_outside(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & OUTSIDE
    text = path.read_text("utf-8")
    assert "datetime.now" not in text
    assert "os.environ" not in text
    assert "getenv" not in text


def test_every_layer_is_there() -> None:
    assert {layer_of(p) for p in FILES} == set(LAYERS)
