"""The organisation's file: what it says holds in all of its repositories, and what it locks cannot be loosened."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.scenarios.moves import begin, run_of, sweep
from tests.scenarios.stage import CUSTOMER, PATH, PEOPLE, Stage
from tests.scenarios.test_configuration import CONFIG, configure, forget, record, why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.entry.rehearsal import Rehearsal

_numbers = itertools.count(1)
LOCKED = "version: 1\nrules: standard\nlocked: [rules]\n"
FROZEN = "version: 1\nfreezes:\n- {name: all year, deny: 'FREQ=DAILY', for: 23h, timezone: UTC}\nlocked: [freezes]\n"


@pytest.fixture
def owned(running_bot: Rehearsal) -> Iterator[Stage]:
    """A repository of an organisation of its own; fails when a reply was left unread."""
    repo = f"guild-{next(_numbers)}/shop"
    running_bot.world.create_repository(repo, {PATH: CUSTOMER}, by="ada")
    for login, role in PEOPLE.items():
        running_bot.world.set_role(repo, login, role)
    running_bot.install(repo)
    running_bot.settle()
    stage = Stage(running_bot, repo)
    yield stage
    running_bot.server.faults.clear()
    running_bot.settle()
    assert stage.unread() == []
    for name in [
        r.full_name for r in running_bot.world.repositories() if r.owner.login == repo.partition("/")[0]
    ]:
        folder = running_bot.world.repository(name).git.path
        running_bot.world.delete_repository(name)
        shutil.rmtree(folder)
    running_bot.settle()


def theirs(stage: Stage) -> str:
    return f"{stage.repo.partition('/')[0]}/.github"


def found(stage: Stage, text: str, *, install: bool = True) -> None:
    """Give the organisation its file."""
    world, name = stage.run.world, theirs(stage)
    world.create_repository(name, {CONFIG: text.encode()}, by="ada")
    if install:
        stage.run.install(name)
    stage.settle()


def change(stage: Stage, text: str | None) -> str:
    content = None if text is None else text.encode()
    sha = stage.run.world.commit(theirs(stage), "main", {CONFIG: content}, "Change", by="ada")
    stage.settle()
    return sha


def test_it_holds_where_the_repository_has_no_file(owned: Stage) -> None:
    found(owned, "version: 1\nrules: fast\n")
    begin(owned)
    assert record(owned).rules == "fast"
    pin = record(owned).pin
    assert pin is not None
    assert (pin.repository, len(pin.organisation)) == ("", 40)
    owned.later(minutes=6)
    assert owned.split()["customer-v4"] == 50
    change(owned, "version: 1\nrules: manual\n")
    owned.later(minutes=6)
    owned.notice(1, "done")


def test_the_repositorys_goes_over_it(owned: Stage) -> None:
    found(owned, "version: 1\nrules: fast\n")
    sha = configure(owned, "version: 1\nrules: standard\n")
    begin(owned)
    assert record(owned).rules == "standard"
    assert record(owned).config.startswith(f"{sha} ")


def test_where_it_is_not_installed_there_is_none(owned: Stage) -> None:
    found(owned, "version: 1\nrules: fast\n", install=False)
    begin(owned)
    assert (record(owned).rules, record(owned).config) == ("standard", "")


def test_that_there_is_none_is_believed_for_five_minutes(owned: Stage) -> None:
    asked = f"/repos/{theirs(owned)}/commits"
    owned.run.world.create_repository(theirs(owned), {"README.md": b"Guild\n"}, by="ada")
    owned.run.install(theirs(owned))
    owned.settle()
    owned.run.server.requests.clear()
    begin(owned)
    assert [r.path for r in owned.run.server.requests].count(asked) == 1
    change(owned, FROZEN)
    step = owned.step().number
    owned.later(minutes=31)
    reply = owned.say(step, "/promote")
    assert reply.code == "remembered"
    assert f"Freeze `all year` (`{theirs(owned)}:{CONFIG}:3:" in reply.text


def test_what_is_looser_than_a_lock_begins_nothing(owned: Stage) -> None:
    found(owned, LOCKED)
    configure(owned, "version: 1\nrules: fast\n")
    reply = owned.say(owned.feature(), "/canary 25")
    assert reply.code == "config-invalid"
    assert (
        f"The organisation locked `rules` in `{theirs(owned)}:{CONFIG}:2:1`: `fast` is looser than `standard`"
        in (reply.text)
    )
    assert f"(`{CONFIG}:2:1`)" in reply.text
    assert "Remove `rules`, or make it stricter." in reply.text


def test_a_new_lock_stops_what_is_looser_and_rollback_and_hold_pass(owned: Stage) -> None:
    found(owned, "version: 1\nrules: standard\n")
    configure(owned, "version: 1\nrules: fast\n")
    number = begin(owned)
    change(owned, LOCKED)
    owned.later(minutes=6)
    assert owned.split()["customer-v4"] == 25
    assert "The organisation locked `rules`" in why(owned)
    step = owned.step().number
    assert owned.say(step, "/hold").code == "applied"
    assert owned.say(number, "/rollback").code == "proposed"
    owned.notice(step, "closed-rollback")


def test_mended_it_goes_on(owned: Stage) -> None:
    found(owned, LOCKED)
    begin(owned)
    configure(owned, "version: 1\nrules: fast\n")
    assert owned.say(owned.step().number, "/promote").code == "config-invalid"
    configure(owned, "version: 1\nrules: standard\n")
    assert owned.say(owned.step().number, "/promote").code == "remembered"
    configure(owned, "version: 1\nrules: fast\n")
    owned.later(minutes=31)
    assert owned.split()["customer-v4"] == 25
    configure(owned, "version: 1\nrules: standard\n")
    sweep(owned)
    assert owned.split()["customer-v4"] == 50


@pytest.mark.parametrize("kind", ["403", "500"])
def test_one_that_cannot_be_read_stops_and_is_asked_again(owned: Stage, kind: str) -> None:
    found(owned, "version: 1\n")
    begin(owned)
    step = owned.step().number
    assert owned.say(step, "/promote").code == "remembered"
    owned.run.server.faults.add("GET", f"/repos/{theirs(owned)}/commits", kind, times=1000)
    owned.later(minutes=31)
    assert owned.split()["customer-v4"] == 25
    reply = owned.say(step, "/promote")
    assert reply.code == "config-unreadable"
    assert f"`{theirs(owned)}:{CONFIG}` cannot be read: " in reply.text
    assert owned.check(step, "canary / gate")[0] is None
    owned.run.server.faults.clear()
    owned.later(minutes=11)
    assert owned.split()["customer-v4"] == 50


def test_one_that_cannot_be_read_stops_no_hold_and_no_rollback(owned: Stage) -> None:
    found(owned, "version: 1\n")
    begin(owned)
    step = owned.step().number
    owned.run.server.faults.add("GET", f"/repos/{theirs(owned)}/commits", "403", times=1000)
    assert owned.say(step, "/hold").code == "applied"
    assert owned.say(step, "/rollback").code == "proposed"
    owned.notice(step, "closed-rollback")


def test_a_broken_one_stops_in_words(owned: Stage) -> None:
    found(owned, "version: 1\nrule: fast\n")
    reply = owned.say(owned.feature(), "/canary 25")
    assert reply.code == "config-invalid"
    assert f"(`{theirs(owned)}:{CONFIG}:2:1`)" in reply.text


def test_a_pinned_one_whose_history_is_gone(owned: Stage) -> None:
    found(owned, "version: 1\nrules: fast\n")
    begin(owned)
    step = owned.step().number
    forget(owned)
    owned.run.world.delete_repository(theirs(owned))
    owned.later(minutes=6)
    assert owned.split()["customer-v4"] == 25
    reply = owned.say(step, "/promote")
    assert reply.code == "config-unreadable"
    assert f"follows `{theirs(owned)}:{CONFIG}` of the commit" in reply.text
    assert owned.say(step, "/rollback").code == "proposed"
    owned.notice(step, "closed-rollback")


def test_a_pull_request_that_loosens_a_lock(owned: Stage) -> None:
    found(owned, LOCKED)
    owned.branch("rules", {CONFIG: b"version: 1\nrules: fast\n"})
    number = owned.run.world.open_pull(owned.repo, "rules", "main", "Faster", by="mona").number
    owned.settle()
    assert owned.check(number, "canary / plan") == ("failure", "1 problem in the rules")
    (one,) = run_of(owned, number, "canary / plan").output["annotations"]
    assert (one["path"], one["start_line"], one["start_column"]) == (CONFIG, 2, 1)


def test_a_pull_request_to_the_organisations_own_file(owned: Stage) -> None:
    found(owned, "version: 1\n")
    name = theirs(owned)
    for login, role in PEOPLE.items():
        owned.run.world.set_role(name, login, role)
    other = Stage(owned.run, name)
    other.branch("locks", {CONFIG: b"version: 1\nrules: standard\nlocked: [rules, auto]\n"})
    number = owned.run.world.open_pull(name, "locks", "main", "Lock", by="mona").number
    owned.settle()
    (one,) = run_of(other, number, "canary / plan").output["annotations"]
    assert one["message"].startswith("auto is locked, and this file does not say it.")
    other.push("locks", b"version: 1\nrules: standard\nlocked: [rules]\n", path=CONFIG)
    assert other.check(number, "canary / plan") == ("success", "The rules are valid")
    assert (
        "Repositories cannot loosen `rules`, before nothing."
        in (run_of(other, number, "canary / plan").output["summary"])
    )
