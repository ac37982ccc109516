"""A second opinion on migrations: values and comments as libyaml sees them, and what may not be lost."""

from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Any

import jsonschema_rs
import yaml

from bot.core.legacy import Converted, convert
from bot.manifests.knative import find_services
from tests.manifests.oracle import documents, text_of
from tests.shared import shared

MODES = ("runLatest", "release", "pinned")
OLD = "serving.knative.dev/v1alpha1"
NEW = "serving.knative.dev/v1"


def load(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def is_legacy(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and (data.get("apiVersion"), data.get("kind")) == (OLD, "Service")
        and isinstance(data.get("spec"), dict)
        and any(data["spec"].get(mode) is not None for mode in MODES)
    )


def loaded(text: str) -> Any:
    try:
        return load(text)
    except yaml.YAMLError:
        return None


def comments(text: str) -> Counter[str]:
    """Give the comments of a document: every ``#`` behind white space that is in no scalar's token."""
    chars = list(text)
    for token in yaml.scan(text, Loader=yaml.CLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark.index, token.end_mark.index
            if token.style in {"|", ">"}:
                start = next((i for i in range(start, end) if chars[i] == "\n"), end)
            chars[start:end] = [c if c in "\r\n" else "x" for c in chars[start:end]]
    return Counter(m.rstrip() for m in re.findall(r"(?:(?<=\s)|^)#[^\r\n]*", "".join(chars)))


def wanted(spec: dict[str, Any]) -> tuple[Any, Any]:
    """Give the template and the traffic that the server's own conversion gives, with what Single meant."""
    converted = convert(spec)
    assert isinstance(converted, Converted)
    template = dict(converted.template)
    if not template["metadata"]:
        del template["metadata"]
    body = next(spec[mode] for mode in MODES if spec.get(mode) is not None)["configuration"]
    before = (body.get("revisionTemplate") or body.get("template"))["spec"]
    if before.get("concurrencyModel") == "Single" and not before.get("containerConcurrency"):
        template["spec"] = {**template["spec"], "containerConcurrency": 1}
    return template, list(converted.traffic)


def assert_migrated(before: bytes, after: bytes, *, names: set[str] | None = None) -> int:
    """Check a whole file; gives how many of its documents were migrated."""
    assert before.startswith("\ufeff".encode()) == after.startswith("\ufeff".encode())
    olds, news = documents(before), documents(after)
    assert len(olds) == len(news)
    count = 0
    for (_, old), (_, new) in zip(olds, news, strict=True):
        data = loaded(old)
        if not is_legacy(data) or (names is not None and data["metadata"]["name"] not in names):
            assert old == new
            continue
        count += 1
        result = load(new)
        template, traffic = wanted(data["spec"])
        assert result["apiVersion"] == NEW
        assert result["spec"].keys() == {"template", "traffic"}
        assert without_nothing(result["spec"]["template"]) == template
        assert result["spec"]["traffic"] == traffic
        for key in data.keys() - {"apiVersion", "spec"}:
            assert result[key] == data[key]
        assert comments(old) == comments(new)
        assert_lines(old, new)
        (manifest,) = find_services(new.encode(), "new.yaml").manifests
        assert manifest.api_version == NEW
    text, result_text = text_of(before), text_of(after)
    assert text.endswith("\n") == result_text.endswith("\n")
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        assert "\n" not in result_text.replace("\r\n", "")
    return count


def without_nothing(template: Any) -> Any:
    return {key: value for key, value in template.items() if key != "metadata" or value}


GONE = re.compile(
    r"""["']?(runLatest|release|pinned|configuration|revisionTemplate|template|container|generation"""
    r"""|servingState|concurrencyModel|containerConcurrency|revisions|rolloutPercent|revisionName"""
    r"""|apiVersion)["']?[ \t]*:|#|-[ \t]+["'@\w.-]+["']?[ \t\r]*(#|$)"""
)


def assert_lines(old: str, new: str) -> None:
    """Every line that is neither the modes' nor a comment's is there, in order, but for its indentation."""
    if old.lstrip().startswith("{") or re.search(
        r"(?:spec|runLatest|release|pinned|configuration)[\"']?: *\{", old
    ):
        return
    # A list in brackets on several lines goes as a whole.
    old = re.sub(r"""(revisions["']?[ \t]*:[ \t]*\[)[^\]]*\]""", r"\1]", old)
    left = iter([bare(line) for line in new.split("\n")])
    for line in old.split("\n"):
        if bare(line) and not GONE.match(line.lstrip()):
            assert bare(line) in left, line


def bare(line: str) -> str:
    return re.sub(r"^[ \t]*(-[ \t]+)*", "", line).rstrip("\r")


@functools.cache
def validator() -> Any:
    """Give the schema of a v1 Service, as the API server has it; a number may stand for an int-or-string."""
    text = (shared("crds") / "serving.knative.dev_services.yaml").read_text("utf-8")
    crd = yaml.load(text, Loader=yaml.CSafeLoader)
    (schema,) = (v["schema"]["openAPIV3Schema"] for v in crd["spec"]["versions"] if v["name"] == "v1")
    return jsonschema_rs.Draft202012Validator(closed(schema))


def closed(schema: Any) -> Any:
    """Refuse fields that the server would prune, so that a lost one shows."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(part) for key, part in schema.items() if key != "description"}
    keeps = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and not keeps:
        made["additionalProperties"] = False
    return made


def schema_errors(data: Any) -> list[str]:
    return [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator().iter_errors(data)]
