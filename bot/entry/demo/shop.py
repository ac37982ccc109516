"""The demo's repository: manifests of every kind and four people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.entry.rehearsal import Rehearsal

REPO = "acme/shop"
PEOPLE = {"mona": "write", "ana": "write", "kim": "maintain", "rita": "read"}
CUSTOMER = "apps/customer.yaml"
STOREFRONT = "apps/storefront.yaml"
DUMPY = "apps/dumpy.yaml"
SENTENCE = "mesh/sentence.yaml"
DEPLOYMENT = "deploy/sentence-v2.yaml"
BOT = "app.yaml"
_README = b"""# acme/shop

Manifests to try things on: `apps/customer.yaml`, `apps/storefront.yaml` (two services, CRLF), `app.yaml` (the
bot's own); `apps/dumpy.yaml` (Knative's old `runLatest`); `mesh/sentence.yaml` (an Istio VirtualService; the
Deployment behind it is `deploy/sentence-v2.yaml`).
"""


def files() -> dict[str, bytes]:
    """Give the repository's files by path."""
    here = Path(__file__).parent / "manifests"
    return {
        "README.md": _README,
        CUSTOMER: (here / "customer.yaml").read_bytes(),
        STOREFRONT: (here / "storefront.yaml").read_bytes(),
        DUMPY: (here / "dumpy.yaml").read_bytes(),
        SENTENCE: (here / "sentence.yaml").read_bytes(),
        DEPLOYMENT: (here / "sentence-v2.yaml").read_bytes(),
        BOT: own_manifest().read_bytes(),
    }


def own_manifest() -> Path:
    """Give the bot's own manifest: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "app.yaml"
    return inside if inside.is_file() else package.parent / "app.yaml"


def new_customer(content: bytes) -> bytes:
    """Give the next version of the customer service: another image, another revision name."""
    return (
        content.replace(b"name: customer-v3 ", b"name: customer-v4 ")
        .replace(b"customer:3.4.1", b"customer:4.0.0")
        .replace(b'"v3"', b'"v4"')
    )


def newer_customer(content: bytes) -> bytes:
    """Give the version after that."""
    return (
        content.replace(b"name: customer-v4 ", b"name: customer-v5 ")
        .replace(b"customer:4.0.0", b"customer:5.0.0")
        .replace(b'"v4"', b'"v5"')
    )


def new_dumpy(content: bytes) -> bytes:
    """Give the next version of the service in the old mode: another image."""
    return content.replace(b"dumpy:v1", b"dumpy:v2")


def new_deployment(content: bytes) -> bytes:
    """Give the next version of the Deployment behind the VirtualService, which says nothing of traffic."""
    return content.replace(b"sentence:2.0.3", b"sentence:2.1.0")


def new_bot(content: bytes) -> bytes:
    """Give the next version of the bot: another image, and no new revision name; somebody forgot."""
    return re.sub(rb"(image: [^\s:]+):\S+", rb"\1:1.0.0", content, count=1)


def newer_bot(content: bytes) -> bytes:
    """Give the version after that: another image again, and a name of the revision."""
    text = re.sub(rb"(image: [^\s:]+):\S+", rb"\1:1.1.0", content, count=1)
    return re.sub(rb"(\n +name: canary-bot)-[0-9a-z-]+", rb"\1-v1-1-0", text, count=1)


def new_storefront(content: bytes) -> bytes:
    """Give the next version of both services in the file with CRLF."""
    for old, new in (
        (b"name:   storefront-v7 ", b"name:   storefront-v8 "),
        (b"storefront:7.2.0", b"storefront:8.0.0"),
        (b"{name: checkout-v3}", b"{name: checkout-v4}"),
        (b"checkout:3.0.1", b"checkout:4.0.0"),
    ):
        content = content.replace(old, new)
    return content


def build(run: Rehearsal) -> None:
    """Create the people and the repository, and install the bot on it."""
    for login in PEOPLE:
        run.world.add_user(login)
    run.world.create_repository(REPO, files(), by="kim")
    for login, role in PEOPLE.items():
        run.world.set_role(REPO, login, role)
    run.install(REPO)
    run.settle()


def propose(run: Rehearsal, branch: str, path: str, content: bytes, *, title: str, body: str, by: str) -> int:
    """Push a change of one file on a new branch, open its pull request and give its number."""
    run.world.create_branch(REPO, branch, by=by)
    run.world.commit(REPO, branch, {path: content}, title, by=by)
    return run.world.open_pull(REPO, branch, "main", title, body, by=by).number
