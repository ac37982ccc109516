"""The mechanics of the machine's stories: how people act, how time passes, and how the bot is heard and killed."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis.stateful import RuleBasedStateMachine, invariant

from bot.sandbox.errors import ApiError
from tests.scenarios.closed import Restless
from tests.scenarios.facts import MANIFEST, PATH, REPO, Said, Wrong
from tests.scenarios.resting import always, at_rest, fail_if_wrong
from tests.scenarios.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.model import Pull
    from tests.scenarios.closed import Closed, Heard

ROLES = {"ada": "admin", "mona": "write", "kim": "write", "tess": "triage", "rita": "read"}
PEOPLE = (*ROLES, "olga", "helper[bot]")
# A text, its verbs, and the hours of its hold.
COMMANDS: dict[str, tuple[str, ...]] = {
    "/canary 25": ("canary",),
    "/canary 5": ("canary",),
    "/canary 0": ("canary",),
    "/canary 10 60 100": ("canary",),
    "/canary 100": ("canary",),
    "/canary 50": ("canary",),
    "/canary 10 40 70 100": ("canary",),
    "/promote": ("promote",),
    "/canary promote": ("promote",),
    "/promote full": ("promote",),
    "/promote 50": ("promote",),
    "/rollback": ("rollback",),
    "/rollback -- errors, see #1 and @kim": ("rollback",),
    "/canary rollback": ("rollback",),
    "/hold": ("hold",),
    "/hold for 2h -- lunch": ("hold",),
    "/resume": ("resume",),
    "/canary resume": ("resume",),
    "/canary cancel": ("cancel",),
    "/canary status": ("status",),
    "/canary why": ("why",),
    "/canary plan 50": ("plan",),
    "/canary customer 25": ("canary",),
    "/hold\n/canary promote": ("hold",),
    "/promote\n/canary rollback": (),
    "/canary 25\n/canary 50": (),
    "/canary lots": (),
    "/canary promte": (),
    "/canary adopt": ("adopt",),
    "/canary retry": ("retry",),
    "/canary freeze": ("freeze",),
    "/canary freeze for 2h -- incident": ("freeze",),
    "/canary unfreeze": ("unfreeze",),
    "/traffic customer-v3=100": ("traffic",),
    "/tag customer-v3=old": ("tag",),
}
OFTEN = (
    "/promote",
    "/rollback",
    "/hold",
    "/resume",
    "/canary 25",
    "/promote",
    "/canary adopt",
    "/canary retry",
)
TALK = ("Looks good to me", "> /canary 25", "`/rollback`", "/deploy now", "", "    /promote")
WAITS = (1, 6, 31, 31, 31, 61, 5 * 60, 26 * 60, 80 * 60)  # minutes
CONFIGURATIONS = (
    "standard",
    "fast",
    "manual",
    "cautious",
    "cautious",
    "freeze",
    "freeze",
    "later",
    "broken",
    "plain",
)
TRAPS = ("kill", "kill", "edit", "close", "push", "demote", "merge")
MOST_TIMERS = 6  # a gate is asked every minute; of so many looks the rest come late, as on a busy machine
NUMBERS = Counter[str]()
"""Of all stories so far."""


class Killed(BaseException):
    """The bot's process ends here."""


class Story(RuleBasedStateMachine):
    """One story in one repository."""

    run: Closed

    def __init__(self) -> None:
        super().__init__()
        self.story: list[str] = []
        self.versions = 3
        self.rested = self.swept = True
        self.lost = self.deaf = False
        self.ambush: tuple[int, Callable[[], object], str] | None = None
        self.run.begin()
        self.run.before, self.run.after = self._hear_before, self._hear_after
        world = self.run.world
        for login in PEOPLE[:-1]:
            world.add_user(login)
        world.create_repository(REPO, {PATH: MANIFEST, "README.md": b"Shop\n"}, by="ada")
        for login, role in ROLES.items():
            world.set_role(REPO, login, role)
        helper = world.create_app("helper", "x" * 32, private_key_pem=self.run.app.private_key_pem)
        self.run.world.install(self.run.app, REPO)
        world.install(helper, REPO)
        self.seen = Witness(self.run)
        self.seen.begin()
        NUMBERS["stories"] += 1

    # how a move is made -----------------------------------------------------------------------

    def does(self, words: str, act: Callable[[], object], *, hurry: bool = False) -> bool:
        """Have a person do something; what GitHub refuses is no move."""
        self.run.clock.advance(timedelta(seconds=7))
        try:
            act()
        except ApiError as refusal:
            self.story.append(f"{words} (refused: {refusal.status})")
            return False
        self.story.append(words)
        self.seen.see_main()
        NUMBERS["moves"] += 1
        self.rested = False
        if not hurry:
            self.settle()
        return True

    def settle(self, how: Callable[[], object] | None = None) -> None:
        """Let the bot do all that it can do now."""
        try:
            (how or self.run.settle)()
        except Restless as restless:
            self.seen.expect(False, f"the bot does not come to rest: {restless}")
        except Killed:
            self.story.append("  (the bot is killed in the middle of this, and started again)")
            self.run.stop()
            self.run.start()
            self.run.sweep()
            self.run.settle()
        self.rested = True

    def _hear_before(self, heard: Heard) -> None:
        NUMBERS["requests"] += 1
        self.seen.before(heard)
        if self.ambush is not None and heard.method != "GET" and heard.path.startswith(f"/repos/{REPO}"):
            left, act, words = self.ambush
            self.ambush = None if left == 0 else (left - 1, act, words)
            if left == 0:
                self.story.append(f"  (before {heard.method} {heard.path}: {words})")
                self.seen.unsure = self.run.looks
                act()
                self.seen.see_main()

    def _hear_after(self, heard: Heard) -> None:
        self.seen.after(heard)

    # what people do -----------------------------------------------------------------------

    def feature_of(self, by: str, *, hurry: bool = False) -> bool:
        """Open a pull request with a new version."""
        self.versions += 1
        name = f"v{self.versions}"
        content = next_version(self.seen.main(), self.versions)

        def act() -> None:
            self.run.world.create_branch(REPO, name)
            self.run.world.commit(REPO, name, {PATH: content}, f"Customer {name}", by=by)
            self.run.world.open_pull(REPO, name, "main", f"Customer {name}", by=by)

        return self.does(f"{by} opens a pull request of {name}", act, hurry=hurry)

    def say_here(self, number: int, by: str, text: str, *, hurry: bool = False) -> None:
        """Have somebody comment."""

        def act() -> None:
            comment = self.run.world.comment(REPO, number, text, by=by)
            key = f"comment/{comment.id}"
            if text in COMMANDS and not by.endswith("[bot]"):
                long = any(line.startswith("/canary") for line in text.split("\n"))
                hours = 2 if "2h" in text else None
                said = Said(key, number, by, COMMANDS[text], self.run.clock.now(), hours, long)
                self.seen.said[key] = said

        self.does(f"{by} says {text!r} on #{number}", act, hurry=hurry)

    def _close(self, pull: Pull, by: str) -> None:
        self.run.world.close_pull(REPO, pull.number, by=by)
        self.seen.closed.add(pull.number)

    def _by_hand(self, content: bytes) -> None:
        world = self.run.world
        if content != self.seen.main():
            before = self.seen.see_main
            before()
            sha = world.commit(REPO, "main", {PATH: content}, "By hand", by="ada")
            self.seen.by_hand.add(sha)
            self.swept = False

    # time and the bot's process --------------------------------------------------------------

    def wait_for(self, minutes: int, *, down: bool = False) -> None:
        """Let time pass; a bot that is not down looks when it is due, and sweeps at the end."""
        self.story.append(f"{minutes} minutes pass{' without the bot' if down else ''}")
        NUMBERS["moves"] += 1
        self.swept = False
        end = self.run.clock.now() + timedelta(minutes=minutes)
        if not down:
            self.settle()
            for _ in range(MOST_TIMERS):
                due = self.run.due()
                if due is None or due >= end:
                    break
                self.run.clock.advance(max(due - self.run.clock.now(), timedelta(0)))
                self.settle()
        self.run.clock.advance(max(end - self.run.clock.now(), timedelta(0)))
        self.deaf = self.deaf or self.lost or down
        if minutes >= 10:
            self.sweep()
        else:
            self.settle()

    def sweep(self) -> None:
        """Let the bot look for what no webhook told, as it does every ten minutes."""

        def all_of_it() -> None:
            self.run.sweep()
            self.run.settle()

        self.settle(all_of_it)
        self.lost = False
        self.swept = True

    # traps -----------------------------------------------------------------------------------

    def _kill(self) -> None:
        raise Killed

    def _close_a_step(self) -> None:
        for pull, _, _ in self.seen.steps():
            self._close(pull, "ada")

    def _push_to_a_step(self) -> None:
        for pull, _, _ in self.seen.steps():
            self.run.world.commit(REPO, pull.head_ref, {"README.md": b"Between\n"}, "Between", by="ada")

    def _merge_a_step(self) -> None:
        for pull, _, _ in self.seen.steps():
            try:
                self.run.world.merge(REPO, pull.number, by="ada")
            except ApiError:
                return

    # what always holds ------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        """Judge what was done, and, where the bot had its chance, what is still to be done."""
        try:
            self.seen.see_main()
            always(self.seen)
            if self.rested and not self.lost and self.ambush is None:
                at_rest(self.seen, swept=self.swept, deaf=self.deaf)
            fail_if_wrong(self.seen)
        except Wrong as wrong:
            raise Wrong(f"{wrong}\n\nThe story:\n" + "\n".join(self.story)) from None

    def teardown(self) -> None:
        NUMBERS["merges of the bot"] += self.seen.merges
        NUMBERS["green checks"] += self.seen.greens
        self.run.before = self.run.after = lambda _: None


def next_version(content: bytes, number: int) -> bytes:
    """Give the file with another template and its revision's name."""
    content = re.sub(rb"(?m)^(      name: )\S+", rb"\g<1>customer-v%d" % number, content)
    return re.sub(rb"customer:\d+\.\d+\.\d+", rb"customer:%d.0.0" % number, content)


def edited(content: bytes, what: str, weight: int) -> bytes:
    """Give the file after an edit by a person. ``weight`` is the share of the last revision with a name."""
    if what == "level":
        return re.sub(rb'level: "(\d+)"', lambda m: b'level: "%d"' % (int(m[1]) + 1), content)
    if what == "remark":
        return content.replace(b"  # Who gets what.", b"  # Who gets what, and why.")
    if what == "image":
        return re.sub(rb"(customer:\d+\.\d+\.)(\d+)", lambda m: m[1] + b"%d" % (int(m[2]) + 1), content)
    if what == "template":
        content = re.sub(rb"(customer:\d+\.\d+\.)(\d+)", lambda m: m[1] + b"%d" % (int(m[2]) + 1), content)
        return re.sub(rb"(?m)^(      name: customer-v\w+)", rb"\1x", content)
    shares = re.findall(rb"percent: (\d+)", content)
    if len(shares) < 2:
        return content
    wanted = iter([100 - weight, *(0 for _ in shares[2:]), weight])
    return re.sub(rb"percent: \d+", lambda _: b"percent: %d" % next(wanted), content)
