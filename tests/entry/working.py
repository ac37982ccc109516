"""A real git repository in a temporary folder, and the command line run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CUSTOMER = """\
# Storefront customer service. Owners: team-shop.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: customer
  namespace: shop
spec:
  template:
    metadata:
      name: customer-v3   # bump with every change of the template
    spec:
      containers:
        - image: quay.io/shop/customer:3.4.1
  # Who gets what. Every tag is a URL of its own.
  traffic:
  - tag: current
    revisionName: customer-v3
    percent: 100
  - tag: latest
    latestRevision: true
    percent: 0
"""
NEXT = CUSTOMER.replace("3.4.1", "3.5.0").replace("name: customer-v3 ", "name: customer-v4 ")
AT_25 = NEXT.replace("percent: 100", "percent: 75") + (
    "  - tag: candidate\n    revisionName: customer-v4\n    percent: 25\n"
)

STARTED = """\
Start customer-v4 at 25 %

Asked for by mona on #7.

Canary-Service: customer.yaml#shop/customer
Canary-Rollout: customer-e30fca3c
Canary-Step: 1/3
Canary-Weight: 25
Canary-Steps: 25 50 100
Canary-Stable: customer-v3
Canary-Candidate: customer-v4
Canary-Pull: 7
Canary-Rules: standard
Canary-Requested-By: mona
Canary-Comment: 12
"""

ROOT = Path(__file__).resolve().parents[2]


def isolated(home: Path) -> dict[str, str]:
    """Give an environment in which git reads nobody's configuration."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "CANARY_"))}
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _MONA}
    return kept | who | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(home)}


_MONA = (("NAME", "mona"), ("EMAIL", "mona@example.org"), ("DATE", "2026-03-01T12:00:00Z"))


class Working:
    """One working tree on branch ``main``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = isolated(folder.parent)
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--template=", "-b", "main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout

    def put(self, path: str, text: str | bytes) -> Path:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
        return place

    def commit(self, message: str = "More", **files: str | bytes) -> str:
        """Write files (``__`` stands for a dot) and commit everything."""
        for name, text in files.items():
            self.put(name.replace("__", "."), text)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def status(self) -> str:
        return self.git("status", "--porcelain")


def process(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m bot`` as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=(environment or isolated(folder)) | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
