"""Material that lies beside the project and is not part of it."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """Give a folder or file of the shared material, or skip the test and say why."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared material {name!r} is not beside this checkout", allow_module_level=True)
    return path
