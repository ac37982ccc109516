"""The bot's port to GitHub, method by method, where the whole story does not lead: conflicts, limits, ends.

Each piece brings its own branch, so they can be played on one emulator in any order.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.adapters.github import GitHubForge
from bot.ports import Check, Exists, Missing, Moved, Refused, Role
from tests.contract.emulate_peer import BOT
from tests.contract.emulate_process import APP_ID, INSTALLATION, NAME, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.ports import Forge, Pull, Repository
    from tests.contract.emulate_peer import Peer

    Piece = Callable[[Peer, Repository], None]

PIECES: list[Piece] = []
PENDING = Check("canary / gate", None, "Baking", "Wait.", external_id="gate-wait")


def piece(function: Piece) -> Piece:
    """Count a function among the pieces."""
    PIECES.append(function)
    return function


def forge(peer: Peer, *, permissions: dict[str, str] | None = None) -> Forge:
    """Give GitHub as the bot sees it, through the recording proxy."""
    return GitHubForge(APP_ID, key(), peer.proxy.url, clock=peer.clock, permissions=permissions)


def repository(peer: Peer, **more: dict[str, str]) -> Repository:
    """Give the repository as the bot sees it."""
    return forge(peer, **more).repository(INSTALLATION, NAME)


def all_pieces(peer: Peer) -> None:
    """Play all of them, one after the other."""
    for each in PIECES:
        each(peer, repository(peer))


def proposed(peer: Peer, repo: Repository, name: str) -> Pull:
    """Let the bot open a pull request of a branch and a commit of its own."""
    sha = repo.commit_on(peer.tip(), f"{name}.txt", b"of the bot\n", f"Add {name}.txt")
    repo.create_branch(name, sha)
    return repo.open_pull(head=name, base="main", title=f"Add {name}.txt", body="Proposed.")


# files and branches -------------------------------------------------------------------------------


@piece
def reads_what_git_holds(peer: Peer, repo: Repository) -> None:
    peer.write("deep/er/read.txt", b"as it is\r\n\xff")
    file = repo.file("deep/er/read.txt", peer.tip())
    assert file is not None
    assert file.content == b"as it is\r\n\xff"
    assert file.blob == hashlib.sha1(b"blob 11\0as it is\r\n\xff", usedforsecurity=False).hexdigest()
    assert repo.file("deep/er/none.txt", peer.tip()) is None
    with pytest.raises(Refused):
        repo.file("deep", peer.tip())


@piece
def commits_only_over_what_was_read(peer: Peer, repo: Repository) -> None:
    peer.branch("race", "race.txt", b"read\n")
    file = repo.file("race.txt", peer.tip("race"))
    assert file is not None
    sha = repo.commit_file("race", file, b"written\n", "Write")
    assert (peer.tip("race"), peer.read("race.txt", "race")) == (sha, b"written\n")
    with pytest.raises(Moved):
        repo.commit_file("race", file, b"written late\n", "Write late")
    with pytest.raises(Moved):
        repo.commit_file("no-such-branch", file, b"written nowhere\n", "Write nowhere")
    assert peer.read("race.txt", "race") == b"written\n"


@piece
def builds_a_commit_that_no_branch_has(peer: Peer, repo: Repository) -> None:
    peer.write("built/a.txt", b"a\n")
    before = peer.tip()
    sha = repo.commit_on(before, "built/b.txt", b"b\n", "Add b")
    assert peer.tip() == before
    assert peer.read("built/b.txt", sha) == b"b\n"
    assert peer.read("built/a.txt", sha) == b"a\n"
    binary = repo.commit_on(before, "built/b.bin", b"\0\xff", "Add bytes")
    assert peer.read("built/b.bin", binary) == b"\0\xff"


@piece
def makes_moves_and_deletes_a_branch(peer: Peer, repo: Repository) -> None:
    old = peer.tip()
    new = repo.commit_on(old, "branch.txt", b"b\n", "Add branch.txt")
    repo.create_branch("canary/branch/1", new)
    assert repo.tip("canary/branch/1") == new
    with pytest.raises(Exists):
        repo.create_branch("canary/branch/1", old)
    with pytest.raises(Refused):
        repo.create_branch("canary/branch/2", "0" * 40)
    repo.move_branch("canary/branch/1", old=new, new=old)
    with pytest.raises(Moved):
        repo.move_branch("canary/branch/1", old=new, new=new)
    assert repo.tip("canary/branch/1") == old
    repo.delete_branch("canary/branch/1")
    repo.delete_branch("canary/branch/1")
    assert repo.tip("canary/branch/1") is None


@piece
def knows_its_commits_in_the_history(peer: Peer, repo: Repository) -> None:
    peer.write("history.txt", b"1\n", by="mona")
    file = repo.file("history.txt", peer.tip())
    assert file is not None
    repo.commit_file("main", file, b"2\n", "Second")
    found = repo.history("history.txt", peer.tip())
    assert [(c.message, c.author, c.ours) for c in found] == [
        ("Second", BOT, True),
        ("Change history.txt", "mona", False),
    ]


# pull requests ------------------------------------------------------------------------------------


@piece
def opens_changes_and_closes_a_pull_request(peer: Peer, repo: Repository) -> None:
    pull = proposed(peer, repo, "proposal")
    assert (pull.ours, pull.state, pull.from_fork, pull.base_ref) == (True, "open", False, "main")
    assert [p.number for p in repo.pulls_from("proposal")] == [pull.number]
    assert pull.number in [p.number for p in repo.open_pulls()]
    repo.edit_pull(pull.number, title="Another title", body="Another text")
    read = repo.pull(pull.number)
    assert (read.title, read.body, read.ours) == ("Another title", "Another text", True)
    repo.close_pull(pull.number)
    assert [(p.state, p.merged) for p in repo.pulls_from("proposal")] == [("closed", False)]
    closed = repo.pulls_closed_since(read.created_at - timedelta(minutes=1))
    assert pull.number in [p.number for p in closed]
    with pytest.raises(Missing):
        repo.pull(9999)


@piece
def merges_the_head_that_it_saw(peer: Peer, repo: Repository) -> None:
    pull = proposed(peer, repo, "merging")
    # Both are other statuses than GitHub's, 409 and 405; neither is taken for a merge.
    with pytest.raises(Refused):
        repo.merge(pull.number, sha="0" * 40, title="No", message="no")
    sha = repo.merge(pull.number, sha=pull.head_sha, title="Merge it", message="Because.")
    with pytest.raises(Refused):
        repo.merge(pull.number, sha=pull.head_sha, title="Again", message="again")
    read = repo.pull(pull.number)
    assert (read.merged, read.merge_sha, peer.tip()) == (True, sha, sha)
    assert repo.history("merging.txt", sha)[0].message.startswith("Merge it\n\nBecause.")


@piece
def does_not_know_the_pull_of_a_commit(peer: Peer, repo: Repository) -> None:
    pull = proposed(peer, repo, "brought")
    sha = repo.merge(pull.number, sha=pull.head_sha, title="Merge", message="m")
    assert repo.pull_of_commit(sha) is None  # the emulator's 404; GitHub gives the pull request


# conversation and people --------------------------------------------------------------------------


@piece
def talks_and_listens(peer: Peer, repo: Repository) -> None:
    number = proposed(peer, repo, "talk").number
    peer.do("POST", f"/issues/{number}/comments", {"body": "Hello."}, by="mona")
    mine = repo.reply(number, "Hello @mona.")
    repo.edit_reply(mine.id, "Hello.")
    found = repo.comments(number)
    assert [(c.author.login, c.ours, c.body) for c in found] == [
        ("mona", False, "Hello."),
        (BOT, True, "Hello."),
    ]
    assert found[0].edited is False
    peer.do("POST", f"/pulls/{number}/reviews", {"body": "Good.", "event": "APPROVE"}, by="mona")
    assert [(c.kind, c.author.login, c.body) for c in repo.reviews(number)] == [("review", "mona", "Good.")]


@piece
def reads_a_long_conversation(peer: Peer, repo: Repository) -> None:
    number = proposed(peer, repo, "pages").number
    for count in range(101):
        peer.do("POST", f"/issues/{number}/comments", {"body": f"{count}"}, by="mona")
    assert [c.body for c in repo.comments(number)] == [str(count) for count in range(101)]


@piece
def tells_roles_apart(peer: Peer, repo: Repository) -> None:
    del peer
    roles = {login: repo.role_of(login).role for login in ("ada", "mona", "tess", "rita", "olaf", "nobody")}
    assert roles == {
        "ada": Role.ADMIN,
        "mona": Role.WRITE,
        "tess": Role.TRIAGE,
        "rita": Role.READ,
        "olaf": Role.NONE,
        "nobody": Role.NONE,
    }


@piece
def may_do_what_its_token_says(peer: Peer, repo: Repository) -> None:
    number = proposed(peer, repo, "narrow").number
    reader = repository(peer, permissions={"contents": "read", "metadata": "read"})
    assert reader.tip("main") == peer.tip()
    with pytest.raises(Refused):
        reader.create_branch("not-allowed", peer.tip())
    with pytest.raises(Refused):
        reader.reply(number, "not allowed")
    with pytest.raises(Refused):
        reader.set_checks(peer.tip(), [PENDING], fresh=True)
    with pytest.raises(Refused):
        repository(peer, permissions={"administration": "write"}).tip("main")


@piece
def finds_no_repositories_by_itself(peer: Peer, repo: Repository) -> None:
    del repo
    # The emulator answers 404, as for an installation that is gone; the App's installations are told.
    assert list(forge(peer).repositories()) == []


# checks -------------------------------------------------------------------------------------------


@piece
def sets_a_check_and_never_finds_it_again(peer: Peer, repo: Repository) -> None:
    sha = repo.commit_on(peer.tip(), "check.txt", b"c\n", "Add check.txt")
    repo.create_branch("check", sha)
    repo.set_checks(sha, [PENDING], fresh=True)
    repo.set_checks(sha, [replace(PENDING, conclusion="success", external_id="gate-ok")])
    assert peer.checks(sha) == {"canary / gate": "success"}
    # The emulator does not say whose a check is, so the bot believes that it has none.
    assert repo.checks(sha) == ()
