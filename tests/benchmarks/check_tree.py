"""How long ``canary check`` takes on trees of generated files, one of them ten times the other.

``python -m tests.benchmarks.check_tree [SHARE]``: SHARE percent of the files are Knative Services (default 10), the
others something else.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bot.entry.check_command import check_all
from bot.entry.checking.walk import files

SIZES = (1_000, 10_000)
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n" + "  key: value\n" * 20
SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: s
spec:
  template:
    metadata:
      name: s-2
    spec:
      containers:
        - image: shop/s:2
  traffic:
    - revisionName: s-1
      percent: 90
    - revisionName: s-2
      percent: 10
"""


def measure(count: int, share: int) -> float:
    """Give the seconds that a tree of so many files takes."""
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            place = Path(folder) / f"d{i // 100}" / f"{i}.yaml"
            place.parent.mkdir(exist_ok=True)
            place.write_text(SERVICE if i % 100 < share else OTHER)
        begun = time.perf_counter()
        seen = sum(checked.objects for checked in check_all(files([folder])))
        took = time.perf_counter() - begun
    if seen != count * share // 100:
        raise AssertionError(seen)
    return took


if __name__ == "__main__":
    percent = int(sys.argv[1]) if sys.argv[1:] else 10
    times = [measure(count, percent) for count in SIZES]
    for size, seconds in zip(SIZES, times, strict=True):
        print(f"{size} files, {percent} % services: {seconds:.1f} s")  # noqa: T201 - the result
    print(f"ratio of times {times[1] / times[0]:.1f}, of files {SIZES[1] // SIZES[0]}")  # noqa: T201 - same
