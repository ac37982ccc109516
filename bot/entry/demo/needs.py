"""What the sandbox needs of the machine."""

from __future__ import annotations

import re
import subprocess

OLDEST_GIT = (2, 38)  # ``git merge-tree --write-tree``


def missing() -> str | None:
    """Say in words what is missing; ``None`` when all is there."""
    wanted = ".".join(map(str, OLDEST_GIT))
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, check=False)
    except OSError:
        return f"git {wanted} or later is needed, and there is no git on the PATH"
    found = re.search(rb"(\d+)\.(\d+)\S*", done.stdout)
    if done.returncode != 0 or found is None:
        return f"git {wanted} or later is needed, and `git --version` does not say which this is"
    if (int(found[1]), int(found[2])) < OLDEST_GIT:
        return f"git {wanted} or later is needed; this is git {found[0].decode('ascii', 'replace')}"
    return None
