"""What happened in a repository, known without the bot's own reasoning, and what must never have happened.

The witness hears every request of the bot and sees every commit on the base branch. It knows the plans from the
recorded steps, who may what from the sandbox, time, freezes and holds from the story, and judges each merge, each
green check and each commit by itself. Only markers and names of branches are read as the bot writes them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.core.gates import Outcome
from bot.core.markers import Answer
from bot.ports import Role
from bot.service.journal import Authorised
from tests.scenarios.facts import (
    AUTOMATIC,
    BRANCH,
    BY_PEOPLE,
    FREEZES,
    GATED,
    HOLDS_EARLY,
    NEEDED,
    PATH,
    REPO,
    TRAILER,
    Configured,
    Plan,
    Said,
    outside,
    shares,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.sandbox.model import Commit, Pull
    from tests.scenarios.closed import Closed, Heard


@dataclass(slots=True)
class Witness:
    """Sees one repository from its first commit on.

    ``ruled`` are rollouts that the rules turned back, for a gate that failed. ``by_hand`` are commits of people that
    change the block on the base branch, ``blamed`` pull requests to which a person pushed another block. ``unsure`` is
    a look in which somebody came between: what was read in it may be old.
    """

    run: Closed
    plans: dict[str, Plan] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    blamed: set[int] = field(default_factory=set)
    config: Configured = field(default_factory=Configured)
    frozen: list[datetime | None] = field(default_factory=list)
    adopted: dict[str, dict[str, int]] = field(default_factory=dict)
    bad_since: datetime | None = None
    held: dict[str, datetime | None] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    back: set[str] = field(default_factory=set)
    ruled: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    reopened: set[int] = field(default_factory=set)
    made: set[tuple[str, str, str]] = field(default_factory=set)
    current: str = ""
    recorded: int = 0
    arrived: datetime | None = None
    arrivals: dict[tuple[str, int], datetime] = field(default_factory=dict)
    unsure: int = -1
    merging: bool = False
    wrong: list[str] = field(default_factory=list)
    merges: int = 0
    greens: int = 0
    _tip: str = ""

    @property
    def world(self) -> Any:
        """The world it is in."""
        return self.run.world

    @property
    def now(self) -> datetime:
        """The time."""
        return self.run.clock.now()

    def main(self) -> bytes:
        """Give the manifest on the base branch."""
        content: bytes = self.world.read(REPO, "main", PATH)
        return content

    # what is there ----------------------------------------------------------------------------

    def pulls(self, *, state: str = "all") -> list[Pull]:
        """Give the pull requests, oldest first."""
        return [p for p in self.world.repository(REPO).pulls if state in {"all", p.state}]

    def goal(self, pull: Pull) -> tuple[Plan, str] | None:
        """Give the plan and the goal of a pull request of the bot that is about a rollout."""
        found = BRANCH.fullmatch(pull.head_ref)
        plan = self.plans.get(f"customer-{found[1]}") if found else None
        return (plan, found[2]) if found and plan and pull.author is self.run.app.bot else None

    def is_start(self, pull: Pull) -> bool:
        """Tell whether a pull request of the bot begins a rollout."""
        return '"kind":"start"' in (pull.body or "")

    def steps(self) -> list[tuple[Pull, Plan, int]]:
        """Give the open pull requests of steps."""
        found = []
        for pull in self.pulls(state="open"):
            goal = self.goal(pull)
            if goal is not None and goal[1] != "rollback" and not self.is_start(pull):
                found.append((pull, goal[0], int(goal[1])))
        return found

    def backs(self) -> list[tuple[Pull, Plan]]:
        """Give the open pull requests that roll back."""
        goals = ((p, self.goal(p)) for p in self.pulls(state="open"))
        return [(p, g[0]) for p, g in goals if g is not None and g[1] == "rollback"]

    def weight(self) -> tuple[Plan, int] | None:
        """Give the rollout that goes on and the share that the base branch shows; ``None``: none, or drifted."""
        plan = self.plans.get(self.current)
        if plan is None:
            return None
        there = shares(self.main())
        reached = [w for w in plan.steps if w >= self.recorded and plan.split(w) == there]
        if reached:
            return plan, reached[0]
        accepted = self.adopted.get(plan.rollout) == there or self._waits("adopt")
        own = there.get(plan.candidate, 0)
        return (plan, own) if accepted and there == plan.split(own) else None

    # what may be ------------------------------------------------------------------------------

    def hindrance(self, pull: Pull) -> str:
        """Say why a step may not be merged now, by plan, time, hold, freeze and people; empty where it may."""
        goal = self.goal(pull)
        if goal is None or goal[1] == "rollback":
            return "it is no step"
        plan, weight = goal[0], int(goal[1])
        there = self.weight()
        if there is None or there[0] is not plan:
            return f"the base branch holds {shares(self.main())}, which is no step of {plan}"
        if plan.after(there[1]) != weight:
            return f"the step behind {there[1]} is {plan.after(there[1])}, not {weight}"
        if shares(self.world.read(REPO, pull.head_sha, PATH)) != plan.split(weight):
            return "its head holds another split"
        if self.arrived is not None and self.now < self.arrived + plan.bake(there[1]):
            return f"{there[1]} % came at {self.arrived}, now is {self.now}: it bakes {plan.bake(there[1])}"
        return self._frozen() or self._judged(plan, there[1]) or self._stopped(plan)

    def _frozen(self) -> str:
        if self.config.freezes(self.now):
            return f"a freeze: {self.config}"
        typed = [until for until in self.frozen if until is None or until > self.now]
        return f"a freeze that was typed: {typed}" if typed and not self._waits("unfreeze") else ""

    def _judged(self, plan: Plan, weight: int) -> str:
        """Say which gate does not pass; what it said a moment ago still counts."""
        if weight == 0 or plan.rules not in GATED:
            return ""
        if (plan.rules, max(w for w in (5, 25, 50) if w <= max(weight, 5))) in BY_PEOPLE:
            return "people have to approve"
        fresh = timedelta(minutes=1) if self.merging else timedelta(minutes=5)
        bad = self.bad_since is not None and self.now - self.bad_since > fresh
        return f"the gate says {self.run.gate} since {self.bad_since}" if bad else ""

    def hold_what_was_closed(self) -> None:
        """Take note that the bot has seen what people closed: that means hold."""
        for number in self.closed:
            goal = self.goal(self.world.pull(REPO, number))
            if goal is not None and goal[1] != "rollback" and goal[0].rollout == self.current:
                self.paused.add(goal[0].rollout)

    def _stopped(self, plan: Plan) -> str:
        if plan.rollout in self.ended:
            return "the rollout was cancelled"
        if self._waits("resume"):
            return ""
        if plan.rollout in self.back:
            return "a rollback was accepted, and nobody has resumed"
        if plan.rollout in self.paused:
            return "its step was closed, and nobody has resumed"
        until = self.held.get(plan.rollout, self.now)
        return "it is on hold" if until is None or until > self.now else ""

    def _waits(self, verb: str) -> bool:
        """Whether a command of somebody who may give it has no answer yet: its effects come before it."""
        return any(
            verb in s.verbs and s.answer is None and self.world.role_of(REPO, s.by) >= NEEDED[verb]
            for s in self.said.values()
        )

    def wished(self) -> bool:
        """Tell whether somebody who may promote has asked for a promotion that has not come yet."""
        return any(
            {"promote", "resume"} & set(s.verbs)
            and (s.answer is None or s.answer.decision == "pending")
            and self.world.role_of(REPO, s.by) >= Role.WRITE
            for s in self.said.values()
        )

    # what the bot does ------------------------------------------------------------------------

    def before(self, heard: Heard) -> None:
        """Judge a request that the bot is about to send."""
        self.see_main()
        found = re.fullmatch(r".*/pulls/([0-9]+)/merge", heard.path)
        if heard.method == "PUT" and found:
            self._merging(int(found[1]), heard)
        if heard.method == "POST" and heard.path.endswith("/pulls"):
            self._opening(json.loads(heard.body)["head"])
        if heard.path.endswith("/git/trees") and heard.method == "POST":
            paths = [entry["path"] for entry in json.loads(heard.body)["tree"]]
            self.expect(paths in ([PATH], [FREEZES]), f"the bot commits {paths}")

    def after(self, heard: Heard) -> None:
        """Take note of what the bot has done."""
        if heard.status >= 400 or heard.method == "GET":
            return
        if heard.path.endswith("/git/commits"):
            self._committed(json.loads(heard.answer)["sha"])
        elif "/contents/" in heard.path:
            self._committed(json.loads(heard.answer)["commit"]["sha"])
        elif "/check-runs" in heard.path:
            self._checked(json.loads(heard.answer))
        elif re.search(r"/comments(/[0-9]+)?$", heard.path):
            self._told(json.loads(heard.body)["body"])
        self.see_main()

    def expect(self, fact: bool, words: str) -> None:  # noqa: FBT001 - like an assertion
        """Remember what must not be; the story fails at its next move."""
        if not fact:
            self.wrong.append(words)

    @property
    def is_sure(self) -> bool:
        """Whether nobody came between what the bot read and what it writes."""
        return self.unsure != self.run.looks

    def _merging(self, number: int, heard: Heard) -> None:
        pull = self.world.pull(REPO, number)
        self.merges += 1
        if not self.is_sure or pull.state != "open":
            return
        goal = self.goal(pull)
        if goal is not None and goal[1] == "rollback":
            ruled = goal[0].rollout in self.ruled
            self.expect(ruled, f"the bot merges the rollback #{number}, which no gate asked for")
            return
        self.merging = True
        why = self.hindrance(pull)
        self.merging = False
        self.expect(not why, f"the bot merges #{number} ({pull.title}), but {why}")
        self.expect(not pull.draft, f"the bot merges the draft #{number}")
        message = json.loads(heard.body).get("commit_message", "")
        trailers = dict(TRAILER.findall(message))
        who = trailers.get("Promoted-By", "nobody")
        self.expect(
            self.authorised("promote", who), f"the merge of #{number} for {who} was not recorded before"
        )
        if who == "rules":
            automatic = goal is not None and goal[0].rules in AUTOMATIC
            self.expect(automatic, f"the bot merges #{number} by rules that do not say so")
            return
        asked = [s for s in self.said.values() if s.key.rpartition("/")[2] == trailers.get("Comment")]
        fits = asked and asked[0].by == who and {"promote", "resume"} & set(asked[0].verbs)
        self.expect(
            bool(fits), f"the bot merges #{number} for {who}, whose comment {asked} does not ask for it"
        )
        self._may(who, "promote", f"the merge of #{number}")

    def _may(self, login: str, verb: str, what: str) -> None:
        if self.is_sure:
            role = self.world.role_of(REPO, login)
            self.expect(role >= NEEDED[verb], f"{what}: {login} is {role.name} and may not {verb}")

    def authorised(self, verb: str, who: str) -> bool:
        """Tell whether the bot recorded in this look that somebody, or the rules, may do something."""
        entries = (entry for look, entry in self.run.journal if look == self.run.looks)
        found = [e for e in entries if isinstance(e, Authorised) and (e.verb, e.by) == (verb, who)]
        return any((e.by_id == 0) == (who == "rules") for e in found)

    def _opening(self, branch: str) -> None:
        found = BRANCH.fullmatch(branch)
        plan = self.plans.get(f"customer-{found[1]}") if found else None
        if found is None or plan is None:
            return
        same = [p for p in self.pulls() if p.head_ref == branch and not p.merged]
        if found[2] != "rollback" and plan.rollout == self.current:
            there = [pull.number for pull, _, _ in self.steps()]
            self.expect(not there, f"the bot opens {branch} while #{there} is open")
            again = bool(same) and same[-1].number in self.closed and not self._waits("resume")
            self.expect(not again, f"the bot opens {branch} again, which a person closed")
            self.expect(plan.rollout not in self.ended, f"the bot opens {branch} after a cancellation")

    def _committed(self, sha: str) -> None:
        git = self.world.repository(REPO).git
        commit: Commit = git.commit(sha)
        trailers = dict(TRAILER.findall(commit.message))
        if "Freeze" in trailers:
            self._asked_for(trailers, {"freeze", "unfreeze"}, sha)
            return
        content, before = (self.world.read(REPO, x, PATH) for x in (sha, commit.parents[0]))
        self.expect(
            outside(content) == outside(before), f"{sha[:7]} changes more than the block: {commit.message}"
        )
        if "Rollout" not in trailers:
            self.expect("Edit" in trailers, f"{sha[:7]} has no trailers: {commit.message}")
            self._asked_for(trailers, {"traffic", "tag", "untag"}, sha)
            return
        steps = tuple(int(w) for w in trailers["Steps"].split())
        plan = Plan(trailers["Rollout"], trailers["Stable"], trailers["Candidate"], steps, trailers["Rules"])
        # What is built again from another base was asked for when it was built first.
        made = (plan.rollout, trailers["Step"], trailers["Comment"])
        first = plan.rollout not in self.plans or trailers["Step"] in {"rollback", "cancel"}
        first, self.plans[plan.rollout] = first and made not in self.made, plan
        self.made.add(made)
        if trailers["Step"] == "cancel":
            self._asked_for(trailers, {"cancel"}, sha)
            return
        weight = int(trailers["Weight"])
        verb = "rollback" if trailers["Step"] == "rollback" else "canary"
        self.expect(
            shares(content) == plan.split(weight), f"{sha[:7]} holds {shares(content)}: {commit.message}"
        )
        self.expect(verb == "rollback" or weight in steps, f"{sha[:7]}: {weight} is no step of {steps}")
        if first:
            self._asked_for(trailers, {verb}, sha)

    def _asked_for(self, trailers: dict[str, str], verbs: set[str], sha: str) -> None:
        who = trailers["Requested-By"]
        recorded = any(self.authorised(verb, who) for verb in verbs)
        self.expect(recorded, f"that {who} may {verbs} was not recorded before {sha[:7]}")
        if who == "rules":
            bad = self.run.gate is Outcome.FAIL and verbs == {"rollback"}
            self.expect(bad or not self.is_sure, f"{sha[:7]} was made by rules that do not say so")
            self.back.add(trailers["Rollout"])
            self.ruled.add(trailers["Rollout"])
            return
        asked = [s for s in self.said.values() if s.key.rpartition("/")[2] == trailers["Comment"]]
        fits = asked and asked[0].by == who and verbs & set(asked[0].verbs)
        self.expect(
            bool(fits), f"{sha[:7]} was made for {who}, whose comment {asked} does not ask for {verbs}"
        )
        for verb in verbs & set(asked[0].verbs if asked else ()):
            self._may(who, verb, f"the commit {sha[:7]}")

    def _checked(self, run: dict[str, Any]) -> None:
        if run["conclusion"] != "success":
            return
        self.greens += 1
        number = re.match(r"pull/([0-9]+)/", run["external_id"])
        if run["name"] == "canary / gate" and number and self.is_sure:
            pull = self.world.pull(REPO, int(number[1]))
            if pull.head_sha != run["head_sha"]:
                return  # of what is no head any more the bot takes the buttons away
            goal = self.goal(pull)
            if pull.state == "closed" or (goal is not None and goal[1] == "rollback"):
                return  # of what is over the bot takes the buttons away, and a rollback waits for nothing
            why = self.hindrance(pull)
            self.expect(not why, f"the gate of #{pull.number} turns green, but {why}")

    def _told(self, body: str) -> None:
        answer = Answer.read(body)
        if answer is None:
            self.expect(False, f"a comment without a marker: {body}")
            return
        self.expect(answer.decision != "failed", f"the bot has a bug: {body}")
        for key in answer.answers:
            said = self.said.get(key)
            if said is None:
                notice = not re.match(r"(comment|review)/", key)
                self.expect(notice or not self.is_sure, f"an answer to nobody: {key}")
                continue
            self._answered(said, answer)

    def _answered(self, said: Said, answer: Answer) -> None:
        first = said.answer is None
        said.answer = answer
        if not first or answer.decision not in {"done", "pending"}:
            return
        rollout = answer.rollout or self.current
        for verb in set(answer.verbs) & set(NEEDED):
            self._may(said.by, verb, f"the answer to {said.key}")
        if "rollback" in answer.verbs:
            (self.back if answer.code == "proposed" else self.ended).add(rollout)
        if "hold" in answer.verbs:
            hours = said.hours
            self.held[rollout] = None if hours is None else self.now + timedelta(hours=hours)
        if "freeze" in answer.verbs:
            self.frozen.append(None if said.hours is None else self.now + timedelta(hours=said.hours))
        if "unfreeze" in answer.verbs:
            self.frozen.clear()
        if "adopt" in answer.verbs and answer.code == "applied":
            self.adopted[rollout] = shares(self.main())
        if "resume" in answer.verbs:
            self.held.pop(rollout, None)
            self.back.discard(rollout)
            self.paused.discard(rollout)
            self.closed.clear()
        if "cancel" in answer.verbs:
            self.ended.add(rollout)

    # the base branch --------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the base branch as it is for the beginning."""
        self._tip = self.world.tip(REPO, "main")
        self.arrived = None

    def see_main(self) -> None:
        """Ask of each new commit on the base branch whose it is, and whether it holds what it should."""
        tip = self.world.tip(REPO, "main")
        if tip == self._tip:
            return
        new = list(self._since(tip))
        merged = {p.merge_commit_sha: p for p in self.pulls() if p.merged}
        cause: dict[str, Pull | None] = {}
        brought: Pull | None = None
        for commit in new:  # newest first: a rebase brings several, and names the last
            if commit.sha in merged:
                brought = merged[commit.sha]
            elif commit.sha in self.by_hand:
                brought = None
            cause[commit.sha] = brought
        for commit in reversed(new):
            self._moved(commit, cause[commit.sha])
        self._tip = tip

    def _since(self, tip: str) -> Iterator[Commit]:
        git = self.world.repository(REPO).git
        while tip != self._tip:
            commit: Commit = git.commit(tip)
            yield commit
            tip = commit.parents[0]

    def _moved(self, commit: Commit, pull: Pull | None) -> None:
        before, after = (self.world.read(REPO, x, PATH) for x in (commit.parents[0], commit.sha))
        since = self.arrived
        if shares(before) != shares(after):
            self.arrived = self.now
        if pull is None:
            self._came_back(after)
            known = commit.sha in self.by_hand
            self.expect(known, f"nobody moved {shares(before)} to {shares(after)}: {commit.message}")
            return
        by_bot = pull.merged_by is self.run.app.bot
        goal = self.goal(pull)
        if goal is None:
            self._feature(pull, before, after)
            return
        self.expect(not by_bot or not self.is_start(pull), f"the bot merged the start #{pull.number}")
        plan, kind = goal
        weight = 0 if kind == "rollback" else int(kind)
        if pull.number not in self.blamed:
            fits = shares(after) == plan.split(weight)
            self.expect(fits, f"#{pull.number} ({pull.title}) left {shares(after)} on the base branch")
        if kind == "rollback":
            self.current, self.recorded = "", 0
            return
        if not by_bot and not self.is_start(pull):
            self._early(plan, before, since)
            self.paused.discard(plan.rollout)  # who merges what was closed says so
        self.current, self.recorded = plan.rollout, weight
        self.arrivals[plan.rollout, weight] = self.now

    def _came_back(self, after: bytes) -> None:
        """Count from its first time where an edit by hand brings a share back: so does the bot, see ``_arrival``."""
        plan = self.plans.get(self.current)
        found = [w for w in plan.steps if plan.split(w) == shares(after)] if plan is not None else []
        if plan is not None and found:
            self.arrived = self.arrivals.setdefault((plan.rollout, found[0]), self.now)

    def _feature(self, pull: Pull, before: bytes, after: bytes) -> None:
        plan, weight = self.armed(pull)
        if plan is None:
            fits = shares(before) == shares(after) or pull.number in self.blamed
            self.expect(fits, f"#{pull.number} moved {shares(before)} to {shares(after)} without a command")
            return
        if pull.number not in self.blamed:
            fits = shares(after) == plan.split(weight)
            self.expect(fits, f"#{pull.number} with {plan} at {weight} left {shares(after)}")
        self.current, self.recorded, self.arrived = plan.rollout, weight, self.now
        self.arrivals[plan.rollout, weight] = self.now

    def armed(self, pull: Pull) -> tuple[Plan | None, int]:
        """Give the plan that the bot's last commit in a feature pull request recorded, and its first share."""
        found: tuple[Plan | None, int] = (None, 0)
        for commit in self.world.commits_of(REPO, pull.number):
            trailers = dict(TRAILER.findall(commit.message))
            if commit.author_name == self.run.app.bot.login and "Rollout" in trailers:
                is_over = trailers["Step"] == "cancel"
                found = (None, 0) if is_over else (self.plans[trailers["Rollout"]], int(trailers["Weight"]))
        return found

    def _early(self, plan: Plan, before: bytes, since: datetime | None) -> None:
        """Take note of a hold: a person merged a step before the share in front of it had held long enough."""
        there = next((w for w in plan.steps if plan.split(w) == shares(before)), None)
        early = since is not None and there is not None and self.now < since + plan.bake(there)
        if plan.rules in HOLDS_EARLY and early:
            self.held[plan.rollout] = None
