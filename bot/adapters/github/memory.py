"""What one forge remembers between requests: nothing that can change without being asked for again."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.adapters.github.authorship import Identity
from bot.adapters.github.caching import Fresh, Lru
from bot.adapters.github.values import understood
from bot.core.problems import OutsideFailure
from bot.ports import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.adapters.github.client import Client
    from bot.adapters.github.git import Entry
    from bot.ports import ChangedFile, Clock, Commit, Comparison, File, Landed, Tree

LARGEST_KEPT = 256 * 1024  # bytes of a file; larger ones are read again
ABSENT = timedelta(minutes=5)
"""How long an organisation without a file is believed to have none."""
_TREE_FILES = 200_000  # of all trees that are kept; some 250 bytes each
_BLOB_BYTES = 32 * 1024 * 1024  # of all contents that are kept by name


class Memory:
    """Caches of immutable reads, the default branches for a minute, and the App's identity for good.

    Safe to share between threads. Keys begin with the installation and the repository, so that
    nothing read with one installation's rights is ever shown to another.
    """

    def __init__(self, clock: Clock) -> None:
        self.files: Lru[File] = Lru(512)
        # Absent files, and the commits of which something was read: see ``Reading.file``.
        self.absent: Lru[bool] = Lru(2_048)
        self.read_from: Lru[bool] = Lru(2_048)
        self.histories: Lru[tuple[Commit, ...]] = Lru(512)
        self.changes: Lru[tuple[ChangedFile, ...]] = Lru(256)
        self.folders: Lru[tuple[tuple[Entry, ...], ...]] = Lru(64)
        self.landed: Lru[Landed] = Lru(256)
        self.comparisons: Lru[Comparison] = Lru(128)
        # One more for each, so that nothing weighs nothing.
        self.trees: Lru[Tree] = Lru(_TREE_FILES, lambda tree: len(tree.files) + 1)
        self.blobs: Lru[bytes] = Lru(_BLOB_BYTES, lambda content: len(content) + 1)
        self.owner_kinds: Lru[str] = Lru(2_048)  # "User" or "Organization", as pull requests bring it along
        self.no_organisation_file: Fresh[bool] = Fresh(ABSENT, clock.now)
        self.default_branches: Fresh[str] = Fresh(timedelta(seconds=60), clock.now)
        self._identity: Identity | None = None
        self._lock = threading.Lock()

    def identity(self, as_app: Callable[[], Client], client: Client) -> Identity:
        """Give the App's identity: two requests, once per process.

        Args:
            as_app: Makes a client that is the App.
            client: Any client of an installation: the App itself may not read accounts.

        Raises:
            OutsideFailure: GitHub did not answer, or does not know the App.
        """
        with self._lock:
            if self._identity is None:
                app = as_app()
                try:
                    itself = app.get("/app")
                    with understood("the App"):
                        number, slug = int(itself["id"]), str(itself["slug"])
                    account = client.get(f"/users/{slug}%5Bbot%5D")
                except Missing:
                    raise OutsideFailure("GitHub does not know the App's account.") from None
                finally:
                    app.close()
                with understood("the App's account"):
                    self._identity = Identity(number, int(account["id"]))
            return self._identity
