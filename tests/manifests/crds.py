"""What an API server says of an object by its CustomResourceDefinition, with strict field validation.

Source: Kubernetes, "structural schemas" and ``fieldValidation=Strict``: fields that the schema does not
know are refused, those below ``x-kubernetes-preserve-unknown-fields`` are not looked at, and a null for a
field that is not nullable counts as absent. Not evaluated are the CEL rules (``x-kubernetes-validations``)
and ``x-kubernetes-list-type: map`` or ``set``: none of them is about weights or percents.

What the schemas can prove differs. The Gateway API's hold weights from 0 to 1000000. Istio's and Knative's
know types and names of fields, and leave ranges and sums to webhooks, which the tests ask besides:
``Weights.refusal``, ``server_refusal``. Knative's Service does not look into ``template.metadata`` and a
few parts of the pod; it has v1 only, as the earlier versions are gone since v0.19.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml

from tests.manifests.oracle import documents
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {
    ("serving.knative.dev", "Service"): "serving.knative.dev_services",
    ("serving.knative.dev", "Route"): "serving.knative.dev_routes",
    ("networking.istio.io", "VirtualService"): "networking.istio.io_virtualservices",
    ("gateway.networking.k8s.io", "HTTPRoute"): "gateway.networking.k8s.io_httproutes",
    ("gateway.networking.k8s.io", "GRPCRoute"): "gateway.networking.k8s.io_grpcroutes",
    ("gateway.networking.k8s.io", "TCPRoute"): "gateway.networking.k8s.io_tcproutes",
    ("gateway.networking.k8s.io", "TLSRoute"): "gateway.networking.k8s.io_tlsroutes",
}
_TEXT, _NUMBER, _LIST = {"type": "string"}, {"type": "integer"}, {"type": "array"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
# ``metadata`` is no part of a schema: the server knows the fields of ObjectMeta.
_METADATA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"), _TEXT),
        **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _TEXT),
        **dict.fromkeys(("labels", "annotations"), _TEXTS),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), _NUMBER),
        **dict.fromkeys(("finalizers", "ownerReferences", "managedFields"), _LIST),
    },
}
_BOUNDS = {"int32": 2**31, "int64": 2**63}
_DROPPED = {"description", "default", "title", "example"}


def structural(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a structural schema as a JSON schema that refuses what strict validation refuses."""
    made = {
        key: value
        for key, value in schema.items()
        if key not in _DROPPED and not key.startswith("x-kubernetes-")
    }
    if "properties" in made:
        made["properties"] = {key: structural(part) for key, part in made["properties"].items()}
    if isinstance(made.get("items"), dict):
        made["items"] = structural(made["items"])
    keeps = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = structural(made["additionalProperties"])
    elif made.get("type") == "object" and not keeps:
        made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    elif "type" in made and schema.get("nullable"):
        made["type"] = [made["type"], "null"]
    if (bound := _BOUNDS.get(schema.get("format", ""))) is not None and made.get("type") == "integer":
        made["minimum"] = max(made.get("minimum", -bound), -bound)
        made["maximum"] = min(made.get("maximum", bound - 1), bound - 1)
    return made


@functools.cache
def validators() -> dict[tuple[str, str], Any]:
    """Give the validators by ``apiVersion`` and kind."""
    found: dict[tuple[str, str], Any] = {}
    for (group, kind), name in FILES.items():
        crd = yaml.load((shared("crds") / f"{name}.yaml").read_bytes(), Loader=yaml.CSafeLoader)
        assert (crd["spec"]["group"], crd["spec"]["names"]["kind"]) == (group, kind)
        for version in crd["spec"]["versions"]:
            schema = structural(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA}
            schema["required"] = sorted({*schema.get("required", []), "apiVersion", "kind", "metadata"})
            found[f"{group}/{version['name']}", kind] = jsonschema_rs.Draft202012Validator(schema)
    return found


def without_nulls(data: Any) -> Any:
    """Leave out fields that are null, as the server does where a field is not nullable."""
    if isinstance(data, dict):
        return {key: without_nulls(value) for key, value in data.items() if value is not None}
    return [without_nulls(entry) for entry in data] if isinstance(data, list) else data


def key_of(data: Any) -> tuple[str, str]:
    return (str(data.get("apiVersion")), str(data.get("kind"))) if isinstance(data, dict) else ("", "")


def errors(data: Any) -> list[str] | None:
    """Give what the schema says against an object, ``None`` where there is no schema for it."""
    validator = validators().get(key_of(data))
    if validator is None:
        return None
    return [
        f"{'.'.join(map(str, error.instance_path))}: {error.message}"
        for error in validator.iter_errors(without_nulls(data))
    ]


def objects_of(data: Any) -> list[Any]:
    """Give the objects of a document: itself, or the entries of a list."""
    if isinstance(data, dict) and data.get("kind") == "List" and isinstance(data.get("items"), list):
        return list(data["items"])
    return [data]


def loaded(text: str) -> Any:
    """Read a document as Kubernetes does, ``None`` where it cannot be read."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError):  # also a date that there is not
        return None


@dataclass(slots=True)
class Watch:
    """Watches the files that are written: what the schema accepted, it accepts afterwards.

    ``seen`` counts the objects written by kind and verdict, ``wrong`` says what was broken where.
    """

    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def written(self, before: bytes, after: bytes, where: str = "") -> None:
        """Judge the objects that a written file changed."""
        for old, new in _changed(before, after):
            found = errors(new)
            kind = "/".join(reversed(key_of(new)))
            if found is None:
                self.seen[f"{kind}: no schema"] += 1
            elif found and errors(old) == []:
                self.wrong.append(f"{where} {kind}: {'; '.join(found)}")
            else:
                self.seen[f"{kind}: {'refused before' if found else 'accepted'}"] += 1

    @property
    def accepted(self) -> int:
        """How many objects were accepted before and after."""
        return sum(count for label, count in self.seen.items() if label.endswith(": accepted"))


def _changed(before: bytes, after: bytes) -> Iterator[tuple[Any, Any]]:
    olds, news = documents(before), documents(after)
    if len(olds) != len(news):
        return  # another file of a person's, which nobody can lay beside this one
    for (_, one), (_, other) in zip(olds, news, strict=True):
        if one != other:
            old, new = objects_of(loaded(one)), objects_of(loaded(other))
            if len(old) == len(new):
                yield from ((a, b) for a, b in zip(old, new, strict=True) if a != b)
