"""The experiments on pull requests, their conversation and their checks; see ``emulate_probes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.emulate_peer import HERE, Peer
from tests.contract.emulate_probes import as_bot, output, probe, pull, run_of, said

if TYPE_CHECKING:
    from tests.contract.emulate_wire import Answer


def _open(peer: Peer, head: str, **more: Any) -> str:
    return said(peer.send("POST", f"{HERE}/pulls", {"title": "t", "head": head, "base": "main", **more}))


def _check(peer: Peer, **more: Any) -> Answer:
    return as_bot(peer, "POST", f"{HERE}/check-runs", run_of(peer.tip(), **more))


# pull requests ------------------------------------------------------------------------------------


@probe
def pull_files(peer: Peer) -> str:
    return str(len(peer.ask(f"/pulls/{pull(peer, 'files')}/files")))


@probe
def pull_head(peer: Peer) -> str:
    number = pull(peer, "head")
    peer.write("head.txt", b"moved", branch="head")
    return "moves" if peer.ask(f"/pulls/{number}")["head"]["sha"] == peer.tip("head") else "stays"


@probe
def pull_commits(peer: Peer) -> str:
    found = peer.ask(f"/pulls/{pull(peer, 'commits')}/commits")
    authors = ["none" if one["author"] is None else one["author"]["login"] for one in found]
    return f"{len(found)} by {', '.join(authors)}"


@probe
def pull_from_head(peer: Peer) -> str:
    number = pull(peer, "from-head")
    return "yes" if [p["number"] for p in peer.ask("/pulls?head=shop:from-head")] == [number] else "no"


@probe
def pull_is_an_issue(peer: Peer) -> str:
    return said(peer.send("GET", f"{HERE}/issues/{pull(peer, 'issue')}"))


@probe
def pull_twice(peer: Peer) -> str:
    pull(peer, "twice")
    return _open(peer, "twice")


@probe
def pull_from_nowhere(peer: Peer) -> str:
    return _open(peer, "no-such-branch")


@probe
def pull_of_nothing(peer: Peer) -> str:
    peer.do("POST", "/git/refs", {"ref": "refs/heads/nothing-new", "sha": peer.tip()})
    return _open(peer, "nothing-new")


@probe
def merge_of_a_moved_head(peer: Peer) -> str:
    number = pull(peer, "moved")
    peer.write("moved.txt", b"newer", branch="moved")
    peer.merge(number)
    return "newer" if peer.read("moved.txt") == b"newer" else "older"


@probe
def merge_keeps_the_base(peer: Peer) -> str:
    number = pull(peer, "three-way")
    peer.write("meanwhile.txt", b"kept?")
    peer.merge(number)
    return said(peer.send("GET", f"{HERE}/contents/meanwhile.txt"))


@probe
def merge_of_another_head(peer: Peer) -> str:
    return said(peer.send("PUT", f"{HERE}/pulls/{pull(peer, 'stale')}/merge", {"sha": "0" * 40}))


@probe
def merge_twice(peer: Peer) -> str:
    number = pull(peer, "merged")
    peer.merge(number)
    return said(peer.send("PUT", f"{HERE}/pulls/{number}/merge", {}))


# conversation -------------------------------------------------------------------------------------


@probe
def reaction(peer: Peer) -> str:
    comment = peer.open_and_comment("reaction")
    return said(
        as_bot(peer, "POST", f"{HERE}/issues/comments/{comment['id']}/reactions", {"content": "eyes"})
    )


@probe
def comment_list(peer: Peer) -> str:
    peer.open_and_comment("list")
    return said(peer.send("GET", f"{HERE}/issues/comments"))


@probe
def comment_leads_to_the_pull(peer: Peer) -> str:
    return "/pull/" if "/pull/" in peer.open_and_comment("leads")["html_url"] else "/issues/"


@probe
def comment_names_its_app(peer: Peer) -> str:
    number = pull(peer, "via")
    answer = as_bot(peer, "POST", f"{HERE}/issues/{number}/comments", {"body": "hello"})
    return "yes" if answer.data["performed_via_github_app"] else "no"


@probe
def comment_of_nothing(peer: Peer) -> str:
    return said(peer.send("POST", f"{HERE}/issues/{pull(peer, 'empty')}/comments", {"body": ""}))


@probe
def comment_too_long(peer: Peer) -> str:
    number = pull(peer, "long")
    return said(peer.send("POST", f"{HERE}/issues/{number}/comments", {"body": "x" * 65_537}))


@probe
def label_with_pull_requests_only(peer: Peer) -> str:
    number = pull(peer, "label")
    return said(as_bot(peer, "POST", f"{HERE}/issues/{number}/labels", {"labels": ["canary"]}))


# checks -------------------------------------------------------------------------------------------


@probe
def check_names_its_app(peer: Peer) -> str:
    return "yes" if _check(peer).data["app"] else "no"


@probe
def check_by_app_id(peer: Peer) -> str:
    _check(peer)
    return str(peer.ask(f"/commits/{peer.tip()}/check-runs?app_id=1")["total_count"])


@probe
def check_of_no_commit(peer: Peer) -> str:
    return said(as_bot(peer, "POST", f"{HERE}/check-runs", run_of("0" * 40)))


@probe
def check_without_conclusion(peer: Peer) -> str:
    return said(_check(peer, status="completed"))


@probe
def check_of_a_person(peer: Peer) -> str:
    return said(peer.send("POST", f"{HERE}/check-runs", run_of(peer.tip())))


@probe
def check_with_51_annotations(peer: Peer) -> str:
    one = {"path": "README.md", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    return said(_check(peer, output=output(annotations=[one] * 51)))


@probe
def check_with_a_long_summary(peer: Peer) -> str:
    return said(_check(peer, output=output(summary="x" * 65_536)))


@probe
def check_annotations_are_a_list(peer: Peer) -> str:
    number = _check(peer).data["id"]
    return "yes" if isinstance(peer.ask(f"/check-runs/{number}/annotations"), list) else "no"
