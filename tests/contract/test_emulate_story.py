"""The bot unchanged against somebody else's GitHub: only base URL, key and secret are the emulator's.

Each part is played once in a run of pytest, by whichever process needs it first; what passed between
bot and emulator is then judged as a whole and compared with the checked-in list, in both directions.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.contract import emulate_mends as mends
from tests.contract.emulate_deviations import ANSWERS, LISTED, WEBHOOKS, changes, differences
from tests.contract.emulate_peer import ALWAYS, MENDS
from tests.contract.emulate_run import NAMES, Evidence, Run, play
from tests.contract.lane import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable

OUR_MENDS = {mend.name for mend in (*MENDS, *ALWAYS)} | set(mends.OF_WEBHOOKS)


def evidence(name: str, factory: pytest.TempPathFactory) -> Evidence:
    """Play a part, or take what another test or process of this run has from playing it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    kept = shared / f"emulate-{name}.pickle"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(play(name, factory.mktemp(f"emulate-{name}"))))
        # Written above, in a folder of this run.
        found: Evidence = pickle.loads(kept.read_bytes())  # noqa: S301
    return found


@pytest.mark.parametrize("name", NAMES)
def test_part(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = evidence(name, tmp_path_factory)
    assert found.recorded or found.seen


@pytest.mark.timeout(300)  # alone it plays everything, perhaps on a busy machine
def test_as_listed(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    run = Run()
    for name in NAMES:
        run.take(evidence(name, tmp_path_factory))
    record_property(FIGURES, run.figures())

    assert [str(violation) for violation in run.requests] == []
    assert run.counts["requests"] > 500
    assert len({operation for operation, _ in run.answers}) > 25
    assert changes(run.seen) == []
    answers = {f"{operation} {status}": sentence for (operation, status), sentence in run.answers.items()}
    assert differences("answer", answers, {f"{op} {status}" for op, status in ANSWERS}) == []
    assert differences("webhook", run.webhooks, set(WEBHOOKS)) == []
    assert sorted(OUR_MENDS - run.mends.keys()) == []  # a mend that nothing needs is to be removed


def test_each_mend_has_its_entry() -> None:
    """Nothing is changed on the way that the list does not tell."""
    assert LISTED.keys() >= OUR_MENDS
