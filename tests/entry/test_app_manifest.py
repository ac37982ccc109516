"""The App asks for what it needs, and the bot's own Service is one that Knative takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from bot.core import events
from bot.entry.app_manifest import EVENTS, PERMISSIONS, manifest
from bot.entry.settings import describe
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


class TestAppManifest:
    """Least privilege: the exact set is here, so that widening it is a decision."""

    def test_permissions(self) -> None:
        assert PERMISSIONS == {
            "metadata": "read",
            "contents": "write",
            "pull_requests": "write",
            "checks": "write",
            "issues": "read",
            "merge_queues": "read",
        }

    def test_events_are_used(self) -> None:
        assert set(EVENTS) <= events.USED
        # These come without being asked for: the first two to every App, the third with "checks: write".
        assert events.USED - set(EVENTS) == {"installation", "installation_repositories", "check_suite"}

    def test_as_github_takes_it(self) -> None:
        made = manifest("https://bot.example.org", "canary-bot", "https://bot.example.org/webhook")
        assert json.loads(json.dumps(made)) == made
        assert made["hook_attributes"] == {"url": "https://bot.example.org/webhook", "active": True}
        assert made["public"] is False
        assert made["default_permissions"] == PERMISSIONS
        assert made["default_events"] == list(EVENTS)

    @pytest.mark.parametrize(
        ("base", "name", "hook"),
        [
            ("bot.example.org", "canary-bot", "https://bot.example.org/webhook"),
            ("https://bot.example.org", "canary-bot", "/webhook"),
            ("https://bot.example.org", "", "https://bot.example.org/webhook"),
            ("https://bot.example.org", "x" * 35, "https://bot.example.org/webhook"),
        ],
    )
    def test_refused(self, base: str, name: str, hook: str) -> None:
        with pytest.raises(ValueError, match=r"address|name"):
            manifest(base, name, hook)


class TestOwnService:
    """``app.yaml`` fits Knative's schema, the settings, and what SQLite asks for."""

    @pytest.fixture
    def service(self) -> dict[str, Any]:
        read: dict[str, Any] = YAML(typ="safe").load((ROOT / "app.yaml").read_text("utf-8"))
        return read

    def test_fits_the_schema(self, service: dict[str, Any]) -> None:
        crd = YAML(typ="safe").load((shared("crds") / "serving.knative.dev_services.yaml").read_text("utf-8"))
        [version] = [v for v in crd["spec"]["versions"] if v["name"] == "v1"]
        assert list(misfits(service, version["schema"]["openAPIV3Schema"], "")) == []

    def test_the_schema_check_can_fail(self) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
        assert list(misfits({"a": "1", "b": 2}, schema, "")) == [".a: no integer", ".b: unknown"]

    def test_one_process(self, service: dict[str, Any]) -> None:
        annotations = service["spec"]["template"]["metadata"]["annotations"]
        assert annotations["autoscaling.knative.dev/min-scale"] == "1"
        assert annotations["autoscaling.knative.dev/max-scale"] == "1"

    def test_traffic(self, service: dict[str, Any]) -> None:
        name = service["spec"]["template"]["metadata"]["name"]
        assert service["spec"]["traffic"] == [
            {"tag": "current", "revisionName": name, "percent": 100},
            {"tag": "latest", "latestRevision": True, "percent": 0},
        ]

    def test_variables_are_settings(self, service: dict[str, Any]) -> None:
        [container] = service["spec"]["template"]["spec"]["containers"]
        known = {row.variable for row in describe()}
        given = {entry["name"]: entry for entry in container["env"]}
        assert set(given) <= known
        # What is secret comes out of a Secret.
        for name in ("CANARY_WEBHOOK_SECRET", "CANARY_WEBHOOK_SECRET_PREVIOUS"):
            assert "value" not in given[name]
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        for name in ("CANARY_DATABASE", "CANARY_PRIVATE_KEY_FILE"):
            assert given[name]["value"].rpartition("/")[0] in mounts

    def test_without_rights(self, service: dict[str, Any]) -> None:
        spec = service["spec"]["template"]["spec"]
        [container] = spec["containers"]
        rights = container["securityContext"]
        assert rights["runAsNonRoot"] is True
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert spec["automountServiceAccountToken"] is False


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def misfits(value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
    """Give what a structural schema would drop or refuse: unknown fields and wrong types."""
    expected = TYPES.get(schema.get("type", ""), object)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        yield f"{place}: no {schema['type']}"
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from misfits(entry, schema.get("items", {}), f"{place}[{number}]")
    elif isinstance(value, dict) and place != ".metadata":  # that is every object's, and not in the schema
        for key in schema.get("required", []):
            if key not in value:
                yield f"{place}.{key}: missing"
        for key, entry in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if inner is not None:
                yield from misfits(entry, inner, f"{place}.{key}")
            elif not schema.get("x-kubernetes-preserve-unknown-fields"):
                yield f"{place}.{key}: unknown"
