"""Small bounded caches, safe to share between threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime, timedelta

V = TypeVar("V")


class Lru(Generic[V]):
    """The most recently used values of things that cannot change.

    Args:
        limit: How many values are kept, or how much all of them may weigh.
        weigh: What one value weighs; one that weighs more than ``limit`` is not kept.
    """

    def __init__(self, limit: int, weigh: Callable[[V], int] = lambda _value: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Give the value, or ``None``."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value and let go of those that were not asked for the longest."""
        with self._lock:
            self._let_go(key)
            weight = self._weigh(value)
            if weight > self._limit:
                return
            self._values[key] = value
            self._weight += weight
            while self._weight > self._limit:
                self._let_go(next(iter(self._values)))

    def _let_go(self, key: Hashable) -> None:
        if key in self._values:
            self._weight -= self._weigh(self._values.pop(key))

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)


class Fresh(Generic[V]):
    """Values that are believed for a short time.

    Args:
        lifetime: How long a value is believed.
        now: The time, aware.
        limit: How many values are kept.
    """

    def __init__(self, lifetime: timedelta, now: Callable[[], datetime], *, limit: int = 2_000) -> None:
        self._lifetime = lifetime
        self._now = now
        self._values: Lru[tuple[datetime, V]] = Lru(limit)

    def get(self, key: Hashable) -> V | None:
        """Give the value if it is young enough, else ``None``."""
        kept = self._values.get(key)
        # A clock that was set back must not make a value immortal, hence the lower bound.
        if kept is None or not kept[0] <= self._now() < kept[0] + self._lifetime:
            return None
        return kept[1]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value from now on."""
        self._values.put(key, (self._now(), value))
