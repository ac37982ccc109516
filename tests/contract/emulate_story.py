"""The story of the product as far as the emulator plays it, in chapters; each begins with an empty repository.

Chapters assert what they see. ``RAW`` ones go through a proxy that mends nothing but the times of comments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.core import trailers
from tests.contract.emulate_peer import BOT
from tests.scenarios.stage import CUSTOMER, PATH, VERSION_4

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.emulate_peer import Peer

PLAN, GATE = "canary / plan", "canary / gate"


def split(stable: int, candidate: int, *, name: str = "customer-v4") -> bytes:
    """Give the manifest of the feature with a split."""
    shared = VERSION_4.replace(b"percent: 100", f"percent: {stable}".encode())
    return shared + f"  - tag: candidate\n    revisionName: {name}\n    percent: {candidate}\n".encode()


def checks(peer: Peer, sha: str) -> tuple[str | None, str | None]:
    """Give the conclusions of plan and gate; what ``canary / approvals`` judges is another story."""
    found = peer.checks(sha)
    return found[PLAN], found[GATE]


def feature(peer: Peer) -> int:
    """Open the pull request that changes the image."""
    peer.write(PATH, CUSTOMER)
    peer.branch("v4", PATH, VERSION_4)
    return peer.open("v4")


def armed(peer: Peer) -> int:
    """Open it, and ask for 25 %."""
    number = feature(peer)
    assert peer.say(number, "/canary 25").outcome == ("done", "applied")
    return number


def from_comment_to_rollback(peer: Peer) -> None:
    """Product, section 2: command, commit, check, merge, step, promotion, next step, rollback."""
    number = feature(peer)
    assert checks(peer, peer.tip("v4")) == ("success", "neutral")

    before = peer.tip("v4")
    reply = peer.say(number, "/canary 25")
    assert reply.outcome == ("done", "applied")
    assert "| `customer-v4` | `candidate` | – | **25 %** |" in reply.text
    assert peer.read(PATH, "v4") == split(75, 25)
    commit = peer.ask("/commits?sha=v4&per_page=1")[0]
    assert commit["author"]["login"] == BOT
    assert [one["sha"] for one in commit["parents"]] == [before]
    (record,) = trailers.records(commit["commit"]["message"])
    assert (record.weight, record.stable, record.candidate) == (25, "customer-v3", "customer-v4")
    assert (record.pull, record.requested_by) == (number, "mona")
    assert checks(peer, commit["sha"]) == ("success", "neutral")

    peer.merge_moved(number)
    (step,) = peer.ours()
    assert step["title"] == "customer: 25 % → 50 %"
    assert step["head"]["ref"] == f"canary/customer/{record.rollout.rpartition('-')[2]}/50"
    assert peer.read(PATH, step["head"]["sha"]) == split(50, 50)
    assert checks(peer, step["head"]["sha"]) == ("success", None)

    reply = peer.say(step["number"], "/promote")
    assert reply.outcome == ("pending", "remembered")
    peer.later(minutes=31)
    assert peer.reply_to(reply.marker.to).outcome == ("done", "applied")
    assert peer.read(PATH) == split(50, 50)
    (last,) = peer.ours()
    assert last["title"] == "customer: 50 % → 100 %"

    assert peer.say(last["number"], "/rollback").outcome == ("done", "proposed")
    (back,) = peer.ours()
    assert back["title"] == "customer: roll back to customer-v3"
    assert peer.ask(f"/pulls/{last['number']}")["state"] == "closed"
    assert checks(peer, back["head"]["sha"]) == ("success", "success")
    peer.merge(back["number"])
    assert peer.read(PATH) == split(100, 0)
    assert peer.ours() == []
    assert peer.replies(number)[-1].marker.to.startswith("rolled-back-")


def from_start_pull_to_the_end(peer: Peer) -> None:
    """After the merge ``/canary`` opens a start pull request; all of it with the emulator's own merges."""
    number = feature(peer)
    peer.merge(number)
    assert peer.say(number, "/canary 25").outcome == ("done", "proposed")
    (start,) = peer.ours()
    assert start["title"] == "customer: start customer-v4 at 25 %"
    peer.merge(start["number"])
    assert peer.read(PATH) == split(75, 25)
    for weight, following in ((50, "customer: 50 % → 100 %"), (100, None)):
        (step,) = peer.ours()
        peer.later(minutes=31)
        if following:
            assert peer.say(step["number"], "/promote").outcome == ("done", "applied")
        else:
            peer.merge(step["number"])
        assert [one["title"] for one in peer.ours()] == ([following] if following else [])
        assert f"percent: {weight}\n".encode() in peer.read(PATH)
    assert peer.read(PATH) == VERSION_4.replace(b"revisionName: customer-v3", b"revisionName: customer-v4")
    assert peer.replies(number)[-1].marker.to.startswith("done-")


def second_thoughts(peer: Peer) -> None:
    """Plan, start, the same again, another share, its state, taken back, started anew."""
    number = feature(peer)
    assert peer.say(number, "/canary plan 10").outcome == ("answered", "shown")
    assert peer.read(PATH, "v4") == VERSION_4
    assert peer.say(number, "/canary 25").outcome == ("done", "applied")
    head = peer.tip("v4")
    assert peer.say(number, "/canary 25").outcome == ("already", "already")
    assert peer.tip("v4") == head
    assert peer.say(number, "/canary 40").outcome == ("done", "applied")
    assert peer.read(PATH, "v4") == split(60, 40)
    assert "gives `customer-v4` 40 %" in peer.say(number, "/canary status").text
    assert peer.say(number, "/canary cancel").outcome == ("done", "applied")
    assert peer.read(PATH, "v4") == VERSION_4
    assert peer.say(number, "/canary 5 50 100").outcome == ("done", "applied")
    assert peer.read(PATH, "v4") == split(95, 5)


def held_by_people(peer: Peer) -> None:
    """Roles as the emulator tells them; a hold, its reason, and going on."""
    number = armed(peer)
    for login in ("tess", "rita", "olaf"):
        assert peer.say(number, "/canary 50", by=login).outcome == ("declined", "not-allowed")
    assert peer.say(number, "/canary status", by="rita").outcome == ("answered", "shown")
    assert peer.read(PATH, "v4") == split(75, 25)
    peer.merge_moved(number)
    (step,) = peer.ours()
    assert peer.say(step["number"], "/hold -- lunch", by="tess").outcome == ("done", "applied")
    peer.later(minutes=31)
    assert peer.checks(step["head"]["sha"])[GATE] is None
    assert "`lunch`" in peer.say(step["number"], "/canary why").text
    assert peer.say(step["number"], "/resume", by="tess").outcome == ("declined", "not-allowed")
    assert peer.say(step["number"], "/resume").outcome == ("done", "applied")
    assert peer.checks(step["head"]["sha"])[GATE] == "success"


def questions_and_refusals(peer: Peer) -> None:
    """What needs no list of changed files is answered by the emulator's own answers alone."""
    number = feature(peer)
    assert checks(peer, peer.tip("v4")) == ("neutral", "neutral")  # it sees no files
    assert peer.say(number, "/canary help").outcome == ("answered", "shown")
    assert peer.say(number, "/canary 101").outcome == ("not-understood", "weight-out-of-range")
    assert peer.say(number, "/canary twelve").outcome == ("not-understood", "unknown-verb")
    assert peer.say(number, "/canary 25", by="rita").outcome == ("declined", "not-allowed")
    assert peer.say(number, "/canary 25", by="olaf").outcome == ("declined", "not-allowed")
    peer.unheard(number, "> /canary 25")
    peer.unheard(number, "/hold")  # a short verb, on a pull request that touches no service
    peer.unheard(number, "/deploy")
    assert peer.review(number, "/canary help hold").outcome == ("answered", "shown")
    # Only the header's GUID is not the emulator's own in this one: its body and its signature were taken.
    (review,) = (one for one in peer.post.delivered if one.event == "pull_request_review")
    assert (review.as_sent, review.passed, review.mended) == (400, 202, ())
    assert peer.read(PATH, "v4") == VERSION_4
    # The break itself: the pull request changes one file, and is told to change none.
    assert peer.say(number, "/canary 25").outcome == ("declined", "no-service")


def squashed(peer: Peer) -> None:
    """A squash leaves nobody's trailers on the base branch; the bot's records are found by its subject."""
    number = feature(peer)
    peer.merge(number)
    peer.say(number, "/canary 25")
    (start,) = peer.ours()
    title = f"{start['title']} (#{start['number']})"
    peer.merge(start["number"], merge_method="squash", commit_title=title)
    commit = peer.ask("/commits?per_page=1")[0]
    assert (commit["author"]["login"], len(commit["parents"])) == ("mona", 1)
    assert trailers.records(commit["commit"]["message"]) == ()
    assert [one["title"] for one in peer.ours()] == ["customer: 25 % → 50 %"]


def lost_webhook(peer: Peer) -> None:
    """A comment of which no webhook told is found when the repository is looked at."""
    number = feature(peer)
    lost = peer.lost(number, "/canary 25")
    assert peer.replies(number) == []
    peer.installed()
    assert peer.reply_to(f"comment/{lost}").outcome == ("done", "applied")
    assert peer.read(PATH, "v4") == split(75, 25)


MENDED: tuple[Callable[[Peer], None], ...] = (
    from_comment_to_rollback,
    from_start_pull_to_the_end,
    second_thoughts,
    held_by_people,
    squashed,
    lost_webhook,
)
RAW: tuple[Callable[[Peer], None], ...] = (questions_and_refusals,)
