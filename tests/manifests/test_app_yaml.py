"""The bot rolls itself out: its own manifest is a manifest like any other."""

from __future__ import annotations

from pathlib import Path

from bot.core.traffic import defaulted, finish, shift
from bot.manifests.diff import bytes_outside, changed_lines
from bot.manifests.knative import Manifest, edit_service, find_services

APP = Path(__file__).resolve().parents[2] / "app.yaml"
CONTENT = APP.read_bytes()


def read(content: bytes) -> Manifest:
    (manifest,) = find_services(content, "app.yaml").manifests
    return manifest


def test_a_rollout_of_the_bot_touches_its_lines_only() -> None:
    manifest = read(CONTENT)
    stable, candidate = "canary-bot-v0-1-0", "canary-bot-v0-2-0"
    began = shift(defaulted(manifest.targets), stable=stable, candidate=candidate, weight=10)
    started = edit_service(CONTENT, "app.yaml", manifest, targets=began.targets, template_name=candidate)
    assert changed_lines(CONTENT, started) == 5  # the name, one percent, three lines of the new target
    assert bytes_outside(CONTENT, started, manifest) == 0

    rolling = read(started)
    done = finish(defaulted(rolling.targets), stable=stable, candidate=candidate)
    ended = edit_service(started, "app.yaml", rolling, targets=done.targets)
    assert ended == CONTENT.replace(b"canary-bot-v0-1-0", b"canary-bot-v0-2-0")
