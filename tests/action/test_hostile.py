"""Whatever people write into a repository stays text: for the runner, for the job's page, for the machine.

Every run of these tests is also looked at by ``Ran.check`` (files of the environment, commands, outputs, tokens)
and by ``watch`` (programs, hosts). Numbers are rows of the table of bad inputs. Source: GitHub, "Secure use
reference"; ``reference/reliability.md`` T16, T17.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from bot.core.problems import CODES
from bot.core.text import printable
from tests.action.test_cancel import ALL
from tests.action.watch import watching
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4
from tests.scenarios.test_inputs import NOT_UNDERSTOOD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.action.conftest import Town
    from tests.action.runner import Ran, Shop

TAG = "PWNED"
TEXTS = [
    f'zzz";echo${{IFS}}"{TAG}";#',
    f"$(touch {TAG}) `id>{TAG}` ${{{{ github.token }}}}",
    f"x\n::set-output name=decision::{TAG}\n::add-mask::a",
    f"##[set-env name=PATH]{TAG} ##[error]{TAG}",
    f"::error file=a,line=1::{TAG}%0A::warning::{TAG}",
    f"::stop-commands::{TAG}\r::add-path::/{TAG}",
    f"decision=done\n{TAG}<<EOF\nx\nEOF",
    f"@{TAG} #1 GH-1 [{TAG}](https://attacker.invalid) ![](https://attacker.invalid/{TAG}.png) <img src=x>",
    f"\u202e\u200b{TAG}\u2028::error::{TAG}\x1b[31m",
]
BRANCHES = [
    f'zzz";echo${{IFS}}"{TAG}";#',
    f"$(touch${{IFS}}{TAG})",
    f"`id>{TAG}`",
    f"{TAG}%0A@x]#1",
    f"-{TAG}",
]
TALK = {"decision", "code", "service", "rollout", "step", "pull-request", "summary"}


def inert(shop: Shop, ran: Ran) -> None:
    """No text of an event where a program reads, and none that lives where a person does."""
    assert [line for line in ran.log.unguarded if TAG in line and not line.startswith("::")] == []
    assert [v for v in ran.outputs.values() if TAG in v] == []
    assert set(ran.outputs) == TALK
    assert shop.live(ran) == []
    assert TAG not in ran.err


def no_commands(ran: Ran) -> None:
    """Nothing took effect but what we say ourselves."""
    ours = {"Opened or changed with the workflow's own token"}
    assert [c for c in ran.log.commands if c.data.partition(":")[0] not in ours] == []


class TestWatch:
    """What guards all runs sees what it is there for."""

    def test_programs(self) -> None:
        with watching() as heard:
            os.system("true")  # noqa: S605
            subprocess.run(["true"], check=True)
        assert {line.partition(" ")[0] for line in heard} >= {"os.system", "subprocess.Popen"}

    def test_hosts(self) -> None:
        import socket

        with watching() as heard, socket.socket() as one:
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", 9))
            one.connect_ex(("127.0.0.1", 9))
        assert heard == ["socket.connect '127.0.0.2'"]


@pytest.mark.parametrize("turn", range(len(TEXTS)) if ALL else (0, 3, 6))
def test_titles_bodies_messages_and_reasons(shop: Shop, turn: int) -> None:
    """Each text has each place once in all turns."""
    world = shop.run.world
    title, body, message, first, review, reason, other, *_ = TEXTS[turn:] + TEXTS[:turn]
    shop.branch("v4", {PATH: VERSION_4})
    world.commit(shop.repo, "v4", {"note.md": b"x"}, message, by="mona")
    world.open_pull(shop.repo, "v4", "main", " ".join(title.split()), body, by="mona")
    (check,) = shop.runner.settle()
    assert (check.event.name, check.status) == ("pull_request", 0)
    shop.write(1, f"{first}\n\n/canary 25", by="kim")
    world.review(shop.repo, 1, f"{review}\n\n/canary status", by="kim")
    shop.runner.settle()
    assert shop.split("v4") == {"customer-v3": 75, "customer-v4": 25}
    shop.merge(1)
    shop.write(shop.step().number, f"/hold -- {' '.join(reason.split())}")
    shop.write(1, f"/canary {' '.join(other.split())}")
    shop.runner.settle()
    shop.runner.schedule()
    for ran in shop.runner.runs:
        assert ran.status == 0
        inert(shop, ran)
        no_commands(ran)


@pytest.mark.parametrize("name", BRANCHES)
def test_names_of_branches(shop: Shop, name: str) -> None:
    shop.branch(name, {PATH: VERSION_4})
    shop.run.world.open_pull(shop.repo, name, "main", "Four", by="mona")
    shop.runner.settle()
    assert shop.say(1, "/canary 25").code == "applied"
    for ran in shop.runner.runs:
        assert ran.status == 0
        inert(shop, ran)
        no_commands(ran)


@pytest.fixture(scope="module")
def table(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One pull request for all comments that change nothing."""
    shop = town.shop(tmp_path_factory.mktemp("table"))
    shop.feature()
    yield shop
    assert town.server.errors == []


ROWS = [row for row in NOT_UNDERSTOOD if str(row.id)[:2].isdecimal() and 27 <= int(str(row.id)[:2]) <= 39]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("comment", "code", "says"), ROWS)
def test_rows_27_to_39(table: Shop, comment: str, code: str, says: str) -> None:
    said = table.write(1, comment)
    (ran,) = table.runner.settle()
    reply = table.reply_to(said)
    assert (reply.decision, reply.code) == ("not-understood", code)
    assert says in reply.text
    assert (ran.status, ran.outputs["decision"], ran.outputs["code"]) == (0, "not-understood", code)
    assert [line for line in ran.log.unguarded if line] == ["1 comment answered"]
    assert ran.log.commands == ()
    assert "49" not in ran.outputs["summary"]
    assert table.live(ran) == []
    assert [w for w in ran.writes if not w.endswith(("/reactions", "/comments"))] == []


@pytest.mark.parametrize(
    "comment",
    [
        f"/canary 25 ::set-output name=x::{TAG}",
        f"/canary ##[set-env name=PATH]{TAG}",
        f"/canary {TAG}<<EOF",
        f"/canary {TAG} 25",
        f"/canary 25\r::add-mask::{TAG}",
        f"/canary help ::error::{TAG}",
        f"/hold -- %0A::error::{TAG}\n::add-path::{TAG}",
        f"/promote {TAG}\n##[error]{TAG}\n/rollback",
        "/canary " + "::error::" * 100,
    ],
)
def test_commands_of_the_runner_in_a_comment(table: Shop, comment: str) -> None:
    table.write(1, comment)
    (ran,) = table.runner.settle()
    assert ran.status == 0
    assert ran.log.commands == ()
    inert(table, ran)


# --- manifests ------------------------------------------------------------------------------------

VALUES = [
    pytest.param(b"name: customer\n", f'name: "a\\n::error::{TAG}"\n'.encode(), id="a name with a line end"),
    pytest.param(
        b"name: customer\n", f"name: '##[set-env name=X]{TAG}'\n".encode(), id="a name with a command"
    ),
    pytest.param(b"tag: current", f'tag: "x%0A::error::{TAG}"'.encode(), id="a tag"),
    pytest.param(
        b"tag: current", f'tag: "[{TAG}](https://attacker.invalid) @{TAG}"'.encode(), id="a tag with a link"
    ),
    pytest.param(
        b"revisionName: customer-v3", f'revisionName: "a,line=1::{TAG}\\r::x"'.encode(), id="a revision"
    ),
    pytest.param(b"percent: 100", f'percent: "100\\n::set-output name=a::{TAG}"'.encode(), id="a percent"),
    pytest.param(b"percent: 100", f'percent: 90\n    "::error::{TAG}": 1'.encode(), id="a key"),
    pytest.param(b"kind: Service", f'kind: Service\n"a\\n::error::{TAG}": [}}'.encode(), id="no YAML"),
]


@pytest.mark.parametrize(("old", "new"), VALUES)
def test_values_of_manifests(shop: Shop, old: bytes, new: bytes) -> None:
    assert old in VERSION_4
    shop.feature(VERSION_4.replace(old, new, 1))
    judged(shop, PATH)
    shop.write(1, "/canary 25")
    for ran in shop.runner.settle():
        inert(shop, ran)


@pytest.mark.parametrize(
    "path",
    [
        f"apps/a,line=1::error::{TAG}.yaml",
        f"apps/x%0A::set-output name=a::{TAG}.yaml",
        f"apps/[{TAG}](https:attacker.invalid) @{TAG} #1.yaml",
        f"apps/##[error]{TAG}`id`.yaml",
        f"apps/$(touch {TAG});&|<b>.yaml",
    ],
)
def test_names_of_files(shop: Shop, path: str) -> None:
    shop.feature(VERSION_4.replace(b"percent: 100", b"percent: 90"), path=path)
    judged(shop, path)


@pytest.mark.parametrize("path", [f"apps/a\n::error::{TAG}.yaml", f"apps/\u202e{TAG}\u2028.yaml"])
def test_names_of_files_that_no_annotation_can_tell(shop: Shop, path: str) -> None:
    shop.feature(VERSION_4.replace(b"percent: 100", b"percent: 90"), path=path)
    aside(shop)


def test_a_template(shop: Shop) -> None:
    shop.feature(VERSION_4.replace(b"percent: 100", f"percent: {{{{ .Values.{TAG} }}}}".encode()))
    aside(shop)


def aside(shop: Shop) -> None:
    """What the bot does not edit is told and does not fail: a required check must not block for ever."""
    assert (shop.last.status, shop.last.decision, shop.last.log.commands) == (0, "none", ())
    assert TAG in shop.last.summary
    inert(shop, shop.last)


def judged(shop: Shop, path: str) -> None:
    """The manifest is found invalid, in annotations of ours on this file, and in nothing else."""
    ran = shop.runner.runs[0]
    assert (ran.event.name, ran.status, ran.decision) == ("pull_request", 1, "declined")
    assert ran.log.commands
    for command in ran.log.commands:
        assert command.name == "error"
        assert set(command.properties) <= {"file", "line", "endline", "col", "title"}
        assert command.properties["file"] == printable(path)
        assert command.properties["title"] in CODES
        assert command.data == printable(command.data, longest=10_000)
    commands = [line for line in ran.log.unguarded if line.lstrip().startswith("::") or "##[" in line]
    assert len(commands) == len(ran.log.commands)
    inert(shop, ran)


# --- GitHub's own words ---------------------------------------------------------------------------


FAULTS = [("PUT", "422"), ("GET", "403"), ("POST", "403"), ("GET", "500")]
SAID = [(fault, text) for i, fault in enumerate(FAULTS) for j, text in enumerate(TEXTS) if ALL or j % 4 == i]


@pytest.mark.parametrize(("fault", "text"), SAID, ids=range(len(SAID)))
def test_refusals_that_repeat_somebodys_words(
    shop: Shop, town: Town, fault: tuple[str, str], text: str
) -> None:
    shop.branch("v4", {PATH: VERSION_4})
    shop.run.world.open_pull(shop.repo, "v4", "main", "Four", by="mona")
    town.server.faults.add(fault[0], f"^/repos/{shop.repo}/", fault[1], 100, message=text)
    shop.write(1, "/canary 25")
    for ran in shop.runner.settle():
        assert {c.name for c in ran.log.commands} <= {"error", "notice"}
        assert {c.properties.get("title") for c in ran.log.commands} <= {"canary"}
        assert shop.live(ran) == []
        assert [
            line for line in ran.log.unguarded if TAG in line and not line.startswith("::error title=")
        ] == []


# --- in a process of its own ----------------------------------------------------------------------

GUARDED = """
import os, sys
BAD = ("subprocess", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.", "ctypes.dlopen")
def hook(event, arguments):
    if event.startswith(BAD):
        os.write(2, f"forbidden: {event} {arguments!r}".encode())
        os._exit(99)
sys.addaudithook(hook)
if len(sys.argv) > 1:
    os.system("true")
sys.argv = ["canary", "action"]
from bot.entry.start import main
sys.exit(main())
"""


def test_a_process_starts_no_program_and_needs_no_utf_8(live_town: Town, tmp_path: Path) -> None:
    shop = live_town.shop(tmp_path)
    shop.branch(BRANCHES[1], {PATH: CUSTOMER.replace(b"percent: 100", '"é→": 1, percent: ::'.encode())})
    shop.run.world.open_pull(shop.repo, BRANCHES[1], "main", TEXTS[0], by="mona")
    (check,) = shop.runner.events()
    said = shop.event_of(1, f"{TEXTS[3]}\n\n/canary {TEXTS[1]}")
    for event, status in ((check, 1), (said, 0)):
        _, wait = shop.runner.process(event, "-E", "-s", "-c", GUARDED, LC_ALL="C", PYTHONIOENCODING="ascii")
        ran = wait()
        assert (ran.status, ran.err) == (status, ""), ran.out
        inert(shop, ran)
    _, wait = shop.runner.process(said, "-E", "-s", "-c", GUARDED, "try")
    tried = wait()
    assert tried.status == 99  # the guard sees what it is there for
    assert tried.err.startswith("forbidden: os.system")
