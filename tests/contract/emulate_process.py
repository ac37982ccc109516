"""The third-party emulator of GitHub as a process of the test run: seeded, started on loopback, stopped.

It is started with Node's own binary: a wrapper script would leave the server behind when it is stopped.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.entry.app_manifest import EVENTS, PERMISSIONS
from tests.contract.packages import EMULATE, needed, node, npm_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

APP_ID = 4711
SLUG = "canary-bot"
INSTALLATION = 9
ORG, REPO = "shop", "storefront"
NAME = f"{ORG}/{REPO}"
PEOPLE = {"ada": "admin", "mona": "push", "tess": "triage", "rita": "pull", "olaf": "", "zoe": ""}
SECRET = "an-emulated-secret-of-more-than-32-bytes"
ATTEMPTS = 3
START = 30.0  # seconds until it must be ready; it takes a fifth of one


@dataclass(frozen=True, slots=True)
class Emulator:
    """The running emulator. ``port`` is on loopback."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@cache
def key() -> str:
    """Give a private key in PEM, one for the process: making it takes longer than the emulator's start."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def token(login: str) -> str:
    """Give the token of a person."""
    return f"tok_{login}"


def seed(webhook_url: str) -> dict[str, Any]:
    """Give what the emulator begins with; ``ada`` owns the organisation, ``zoe`` is a member, the others nobody yet."""
    app = {
        "app_id": APP_ID,
        "slug": SLUG,
        "name": "Canary",
        "private_key": key(),
        "permissions": PERMISSIONS,
        "events": list(EVENTS),
        "webhook_url": webhook_url,
        "webhook_secret": SECRET,
        "installations": [{"installation_id": INSTALLATION, "account": ORG, "repository_selection": "all"}],
    }
    return {
        "tokens": {token(login): {"login": login} for login in PEOPLE},
        "github": {
            # With an address, so that commits are theirs.
            "users": [{"login": login, "email": f"{login}@example.org"} for login in PEOPLE],
            "orgs": [{"login": ORG, "members": [{"login": "ada", "role": "admin"}, {"login": "zoe"}]}],
            "repos": [{"owner": ORG, "name": REPO, "auto_init": True}],
            "apps": [app],
        },
    }


@contextmanager
def emulator(folder: Path, *, webhook_url: str, public_url: str) -> Iterator[Emulator]:
    """Run the emulator until the block ends. Skips where it cannot be had; in CI fails.

    Args:
        folder: Where the seed is written.
        webhook_url: Where it delivers webhooks.
        public_url: The address that it writes into its answers.

    Raises:
        RuntimeError: It did not start.
    """
    program = needed(lambda: npm_tree(EMULATE)) / "node_modules" / "emulate" / "dist" / "index.js"
    seed_file = folder / "seed.json"
    seed_file.write_text(json.dumps(seed(webhook_url)))
    words = ["start", "--service", "github", "--seed", str(seed_file), "--base-url", public_url]
    command = [str(binary()), str(program), *words]
    for attempt in range(ATTEMPTS):
        port = _free_port()
        process = _start([*command, "--port", str(port)])
        with process:
            try:
                _until_ready(process)
            except RuntimeError as error:
                # Between finding a port free and listening on it somebody else may take it.
                if "EADDRINUSE" in str(error) and attempt + 1 < ATTEMPTS:
                    continue
                raise
            # What it says later is read, so that it never waits for a reader.
            reader = threading.Thread(target=process.communicate, daemon=True)
            reader.start()
            try:
                yield Emulator(port, process.pid)
            finally:
                process.kill()  # it keeps nothing
                reader.join()
        return


@cache
def binary() -> Path:
    """Give Node's own binary: what is called ``node`` may be a script that starts it as another process."""
    said = subprocess.run(
        [str(needed(node)), "-p", "process.execPath"], capture_output=True, text=True, check=True
    )
    return Path(said.stdout.strip())


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _until_ready(process: subprocess.Popen[str]) -> None:
    """Wait for its word, and stop it if it never comes."""
    said: list[str] = []
    watchdog = threading.Timer(START, process.kill)
    watchdog.start()
    try:
        for line in process.stdout or ():
            said.append(line)
            if line.strip() == "Ready.":
                return
    finally:
        watchdog.cancel()
        watchdog.join()
    process.kill()
    raise RuntimeError(f"the emulator did not start:\n{''.join(said)}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
