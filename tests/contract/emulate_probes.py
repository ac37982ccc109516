"""Small experiments on the emulator, each about one thing that GitHub documents or is recorded to do.

A probe gives what it saw in a word or two. What real GitHub would show, and where the emulator shows
another thing, is in ``emulate_deviations``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.contract.emulate_peer import HERE, Peer
from tests.contract.emulate_process import APP_ID, INSTALLATION, REPO, SECRET, key
from tests.contract.emulate_wire import Answer, send

if TYPE_CHECKING:
    from collections.abc import Callable

PROBES: dict[str, Callable[[Peer], str]] = {}
WRITE = {"contents": "write", "pull_requests": "write", "checks": "write", "metadata": "read"}
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def probe(function: Callable[[Peer], str]) -> Callable[[Peer], str]:
    """Name a probe like its function, with hyphens."""
    PROBES[function.__name__.replace("_", "-")] = function
    return function


# what probes are made of --------------------------------------------------------------------------


def as_app(
    peer: Peer, method: str, path: str, body: Any = None, *, sign: Any = None, **claims: Any
) -> Answer:
    """Ask as the App itself; ``claims`` replace those of a good token, in seconds from now for times."""
    now = int(time.time())
    told = {"iat": -60, "exp": 540, **claims}
    claim = {"iss": told.get("iss", str(APP_ID)), "iat": now + told["iat"], "exp": now + told["exp"]}
    return raw(peer, method, path, body, jwt.encode(claim, sign or key(), algorithm="RS256"))


def minted(peer: Peer, body: Any) -> Answer:
    """Ask for an installation token."""
    return as_app(peer, "POST", f"/app/installations/{INSTALLATION}/access_tokens", body)


def as_bot(peer: Peer, method: str, path: str, body: Any = None, **permissions: str) -> Answer:
    """Ask with an installation token for the repository; by default with what the bot asks for."""
    wanted = {"repositories": [REPO], "permissions": permissions or WRITE}
    return raw(peer, method, path, body, minted(peer, wanted).data["token"])


def raw(peer: Peer, method: str, path: str, body: Any, shown: str) -> Answer:
    headers = {"authorization": f"Bearer {shown}", "content-type": "application/json"}
    sent = b"" if body is None else json.dumps(body).encode()
    return send(peer.emulator.port, method, path, headers=headers, body=sent)


def said(answer: Answer) -> str:
    """Give the status."""
    return str(answer.status)


def pull(peer: Peer, name: str) -> int:
    """Open a pull request with one new file."""
    peer.branch(name, f"{name}.txt", name.encode())
    number: int = peer.do("POST", "/pulls", {"title": name, "head": name, "base": "main"}, by="mona")[
        "number"
    ]
    return number


def run_of(sha: str, **more: Any) -> dict[str, Any]:
    return {"name": "probe", "head_sha": sha, "status": "in_progress", **more}


def output(**more: Any) -> dict[str, Any]:
    return {"title": "t", "summary": "s", **more}


# who asks -----------------------------------------------------------------------------------------


@probe
def jwt_good(peer: Peer) -> str:
    return said(as_app(peer, "GET", "/app"))


@probe
def jwt_expired(peer: Peer) -> str:
    return said(as_app(peer, "GET", "/app", iat=-900, exp=-300))


@probe
def jwt_of_another_key(peer: Peer) -> str:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return said(as_app(peer, "GET", "/app", sign=other))


@probe
def jwt_of_an_unknown_app(peer: Peer) -> str:
    return said(as_app(peer, "GET", "/app", iss="1"))


@probe
def jwt_for_an_hour(peer: Peer) -> str:
    return said(as_app(peer, "GET", "/app", exp=3600))


@probe
def jwt_from_the_future(peer: Peer) -> str:
    return said(as_app(peer, "GET", "/app", iat=300))


@probe
def token_with_more_than_granted(peer: Peer) -> str:
    return said(minted(peer, {"permissions": {"administration": "write"}}))


@probe
def token_for_a_foreign_repository(peer: Peer) -> str:
    return said(minted(peer, {"repositories": ["elsewhere"]}))


@probe
def token_without_permissions(peer: Peer) -> str:
    return "some" if minted(peer, {"permissions": {}}).data["permissions"] else "none"


@probe
def token_that_reads_writes(peer: Peer) -> str:
    body = {"message": "m", "content": "aGk="}
    return said(as_bot(peer, "PUT", f"{HERE}/contents/new.txt", body, contents="read"))


@probe
def token_without_checks_sets_one(peer: Peer) -> str:
    return said(as_bot(peer, "POST", f"{HERE}/check-runs", run_of(peer.tip()), contents="write"))


@probe
def token_nobody_gave(peer: Peer) -> str:
    return said(raw(peer, "GET", "/user", None, "ghp_nonsense"))


@probe
def installation_repositories(peer: Peer) -> str:
    return said(raw(peer, "GET", "/installation/repositories", None, minted(peer, {}).data["token"]))


@probe
def role_of_a_writer(peer: Peer) -> str:
    return str(peer.ask("/collaborators/mona/permission")["role_name"])


@probe
def role_of_a_triager(peer: Peer) -> str:
    return str(peer.ask("/collaborators/tess/permission")["role_name"])


@probe
def role_in_old_words(peer: Peer) -> str:
    return str(peer.ask("/collaborators/mona/permission")["permission"])


@probe
def role_of_an_outsider(peer: Peer) -> str:
    return said(peer.send("GET", f"{HERE}/collaborators/olaf/permission"))


@probe
def role_of_a_plain_member(peer: Peer) -> str:
    return str(peer.ask("/collaborators/zoe/permission")["role_name"])


@probe
def outsider_pushes(peer: Peer) -> str:
    body = {"message": "m", "content": "aGk="}
    return said(peer.send("PUT", f"{HERE}/contents/olaf.txt", body, by="olaf"))


@probe
def outsider_merges(peer: Peer) -> str:
    return said(peer.send("PUT", f"{HERE}/pulls/{pull(peer, 'outsider')}/merge", {}, by="olaf"))


# files, commits, branches -------------------------------------------------------------------------


@probe
def blob_names_are_gits(peer: Peer) -> str:
    peer.write("git.txt", b"hello\n")
    expected = hashlib.sha1(b"blob 6\0hello\n", usedforsecurity=False).hexdigest()
    return "yes" if peer.ask("/contents/git.txt")["sha"] == expected else "no"


@probe
def write_over_another_blob(peer: Peer) -> str:
    peer.write("conflict.txt", b"one")
    body = {"message": "m", "content": "aGk=", "sha": "0" * 40}
    return said(peer.send("PUT", f"{HERE}/contents/conflict.txt", body))


@probe
def write_over_without_a_blob(peer: Peer) -> str:
    peer.write("conflict.txt", b"one!")
    return said(peer.send("PUT", f"{HERE}/contents/conflict.txt", {"message": "m", "content": "aGk="}))


@probe
def branch_twice(peer: Peer) -> str:
    body = {"ref": "refs/heads/main", "sha": peer.tip()}
    answer = peer.send("POST", f"{HERE}/git/refs", body)
    return f"{answer.status} {answer.data['message']}"


@probe
def branch_of_no_commit(peer: Peer) -> str:
    return said(peer.send("POST", f"{HERE}/git/refs", {"ref": "refs/heads/nothing", "sha": "0" * 40}))


@probe
def branch_moved_back_unforced(peer: Peer) -> str:
    peer.branch("back", "back.txt", b"back")
    return said(peer.send("PATCH", f"{HERE}/git/refs/heads/back", {"sha": peer.tip()}))


@probe
def branch_has_the_address(peer: Peer) -> str:
    found = re.search(r"/git/refs?/", peer.ask("/git/ref/heads/main")["url"])
    return found[0] if found else "none"


@probe
def commit_of_an_app_is_signed(peer: Peer) -> str:
    body = {"message": "m", "content": "aGk="}
    answer = as_bot(peer, "PUT", f"{HERE}/contents/signed.txt", body)
    return "yes" if answer.data["commit"]["verification"]["verified"] else "no"


@probe
def commit_knows_its_pulls(peer: Peer) -> str:
    return said(peer.send("GET", f"{HERE}/commits/{peer.tip()}/pulls"))


@probe
def fork_has_the_history(peer: Peer) -> str:
    fork = peer.do("POST", "/forks", {}, by="olaf")["full_name"]
    return said(peer.send("GET", f"/repos/{fork}/commits/{peer.tip()}", by="olaf"))


# limits and forms ---------------------------------------------------------------------------------


@probe
def pages_are_linked(peer: Peer) -> str:
    peer.write("page.txt", b"page")
    link = peer.send("GET", f"{HERE}/commits?per_page=1").headers.get("link", "")
    return "yes" if re.search(r'[?&]page=2[^>]*>; rel="next"', link) else "no"


@probe
def answers_have_an_etag(peer: Peer) -> str:
    return "yes" if "etag" in peer.send("GET", HERE).headers else "no"


@probe
def limit_tells_what_is_used(peer: Peer) -> str:
    return "yes" if "x-ratelimit-used" in peer.send("GET", HERE).headers else "no"


@probe
def errors_repeat_the_status(peer: Peer) -> str:
    return str(peer.send("GET", f"{HERE}/pulls/9999").data.get("status"))


@probe
def graphql(peer: Peer) -> str:
    return said(peer.send("POST", "/graphql", {"query": "{viewer{login}}"}))


@probe
def times(peer: Peer) -> str:
    found = re.fullmatch(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?Z", peer.ask("")["created_at"])
    return "milliseconds" if found and found[1] else "seconds"


# webhooks -----------------------------------------------------------------------------------------


@probe
def delivery_is_signed(peer: Peer) -> str:
    peer.open_and_comment("signed-delivery")
    right = [
        hmac.compare_digest(
            "sha256=" + hmac.new(SECRET.encode(), one.body, hashlib.sha256).hexdigest(),
            one.headers["x-hub-signature-256"],
        )
        for one in peer.post.delivered
    ]
    return "all" if right and all(right) else "not all"


@probe
def delivery_has_a_guid(peer: Peer) -> str:
    peer.open_and_comment("guid")
    found = {bool(_GUID.fullmatch(one.headers["x-github-delivery"])) for one in peer.post.delivered}
    taken = {one.as_sent for one in peer.post.delivered}
    return f"{'yes' if found == {True} else 'no'}, and the bot's door says {sorted(taken)}"


@probe
def delivery_names_the_hook(peer: Peer) -> str:
    peer.open_and_comment("hook")
    return "yes" if all("x-github-hook-id" in one.headers for one in peer.post.delivered) else "no"


@probe
def delivery_has_the_user_agent(peer: Peer) -> str:
    peer.open_and_comment("agent")
    return ", ".join(sorted({one.headers["user-agent"].partition("/")[0] for one in peer.post.delivered}))


@probe
def delivery_names_the_installation(peer: Peer) -> str:
    peer.open_and_comment("installed")
    named = [one.payload.get("installation", {}).get("id") == INSTALLATION for one in peer.post.delivered]
    return "always" if named and all(named) else "not always"


@probe
def comment_on_pull(peer: Peer) -> str:
    peer.open_and_comment("told")
    about = [one.payload["issue"] for one in peer.post.delivered if one.event == "issue_comment"]
    return "yes" if about and all("pull_request" in issue for issue in about) else "no"


@probe
def pull_number(peer: Peer) -> str:
    peer.open_and_comment("number")
    about = [one.payload for one in peer.post.delivered if one.event == "pull_request"]
    return "yes" if about and all("number" in payload for payload in about) else "no"


@probe
def push_synchronizes(peer: Peer) -> str:
    number = pull(peer, "synchronize")
    peer.write("synchronize.txt", b"more", branch="synchronize")
    peer.unheard(number, "a later webhook")
    return "yes" if any(one.name == "pull_request/synchronize" for one in peer.post.delivered) else "no"
