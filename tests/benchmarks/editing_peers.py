"""The editors that the benchmark compares, each at its best settings.

Other people's are fetched into the tests' cache, pinned; where one cannot be had its row says why.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ruamel.yaml import YAML

from bot.core.traffic import Target
from bot.manifests import events
from bot.manifests.knative import edit_service, find_services
from tests.contract.packages import Unavailable, made, node, npm_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.editing_cases import Case

NPM_YAML = ("yaml", "2.9.1")
YAML_EDIT = ("yaml-edit", "0.2.0")
YAMLTRIP = ("yamltrip", "0.6.0")
GROUP = "serving.knative.dev/"


class Editor(Protocol):
    """One way to edit; gives the new text and the seconds it took, or raises what the program raises."""

    def __call__(self, case: Case) -> tuple[str, float]: ...


def _timed(edit: Callable[[Case], str]) -> Editor:
    def run(case: Case) -> tuple[str, float]:
        begun = time.perf_counter()
        text = edit(case)
        return text, time.perf_counter() - begun

    return run


def canary(case: Case) -> tuple[str, float]:
    """Find the service, edit it, and read the result back, as the bot does; nothing is remembered from before."""
    events._said.cache_clear()
    content = case.text.encode()
    begun = time.perf_counter()
    found = find_services(content, case.path, name=case.name).manifests
    (manifest,) = [one for one in found if one.name == case.name]
    if case.sets:
        slot = int(case.way[2])
        targets = tuple(
            replace(one, percent=case.value) if one.slot == slot else one for one in manifest.targets
        )
    else:
        targets = tuple(Target(revision=one["revisionName"], percent=one["percent"]) for one in case.value)
    after = edit_service(content, case.path, manifest, targets=targets)
    took = time.perf_counter() - begun
    return after.decode(), took


def _indents(text: str) -> tuple[int, int]:
    """Guess how far a file's mappings and the dashes of its lists stand in: what is most common."""
    mapping: Counter[int] = Counter()
    dashes: Counter[int] = Counter()
    last: int | None = None  # the column of a key whose value begins on the next line
    for line in text.splitlines():
        body = line.lstrip(" ")
        if not body or body.startswith("#"):
            continue
        column = len(line) - len(body)
        if last is not None and body.startswith("- "):
            dashes[column - last] += 1
        elif last is not None and column > last:
            mapping[column - last] += 1
        key = re.fullmatch(r"((?:- +)*)[^#]*:\s*(?:#.*)?", body)
        last = column + len(key[1]) if key else None
    return (
        mapping.most_common(1)[0][0] if mapping else 2,
        max(0, dashes.most_common(1)[0][0]) if dashes else 0,
    )


def ruamel(case: Case) -> str:
    """Load with ruamel.yaml's round-trip mode, change, dump."""
    program: Any = YAML(typ="rt")
    program.preserve_quotes = True
    program.width = 10**6
    mapping, dash = _indents(case.text)
    program.indent(mapping=mapping, sequence=dash + 2, offset=dash)
    program.explicit_start = case.text.startswith("---")
    if "\r\n" in case.text:
        program.line_break = "\r\n"
    every = list(program.load_all(case.text))
    data = _only([one for one in every if isinstance(one, dict) and _is_it(one, case.name)])
    for key in case.way[:-1]:
        data = data[key]
    data[case.way[-1]] = [dict(one) for one in case.value] if isinstance(case.value, list) else case.value
    out = io.StringIO()
    program.dump_all(every, out)
    text = out.getvalue()
    return text if case.text.endswith("\n") else text.removesuffix("\n")


def _only(found: list[Any]) -> Any:
    if len(found) != 1:
        raise LookupError(f"{len(found)} documents are the service")
    return found[0]


def _is_it(one: Any, name: str) -> bool:
    return (
        one.get("kind") == "Service"
        and str(one.get("apiVersion")).startswith(GROUP)
        and one["metadata"]["name"] == name
    )


def yaml_edit() -> Editor:
    """Give the bindings of the Rust crate yaml-edit. Raises ``Unavailable``."""
    program = _python(YAML_EDIT, "yaml_edit")

    def within(part: Any, key: str | int) -> Any:
        return (part.as_mapping() if isinstance(key, str) else part.as_sequence())[key]

    def is_it(document: Any, name: str) -> bool:
        top = document.as_mapping()
        if top is None or "kind" not in top or top["kind"] != "Service":
            return False
        return str(top["apiVersion"].to_python()).startswith(GROUP) and bool(
            within(top["metadata"], "name") == name
        )

    def edit(case: Case) -> str:
        file = program.YamlFile.parse(case.text)
        # By its text first: a look into a document takes longer the longer the file is.
        near = [one for one in file.documents() if case.name in str(one)]
        part: Any = _only([one for one in near if is_it(one, case.name)])
        for key in case.way[:-1]:
            part = within(part, key)
        part.as_mapping()[case.way[-1]] = case.value
        return str(file)

    return _timed(edit)


def yamltrip() -> Editor:
    """Give yamltrip, the bindings of zizmor's patches. Raises ``Unavailable``."""
    program = _python(YAMLTRIP, "yamltrip")

    def edit(case: Case) -> str:
        document = program.loads(case.text)
        if document["metadata", "name"] != case.name or document["kind"] != "Service":
            raise LookupError("only the first document is seen")
        if case.sets:
            return str(document.replace(*case.way, value=case.value).dumps())
        return str(document.add(*case.way[:-1], key=case.way[-1], value=case.value).dumps())

    return _timed(edit)


def _python(package: tuple[str, str], module: str) -> Any:
    name, version = package

    def fill(folder: Path) -> None:
        words = [
            "install",
            "--quiet",
            "--only-binary",
            ":all:",
            "--target",
            str(folder),
            f"{name}=={version}",
        ]
        try:
            subprocess.run(
                [sys.executable, "-m", "pip", *words], capture_output=True, check=True, timeout=300
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise Unavailable(f"{name} {version} cannot be fetched here ({type(error).__name__})") from error

    folder = str(made(f"pip-{name}-{version}-{sys.implementation.cache_tag}", fill))
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(module)


class Npm:
    """npm's ``yaml`` in a process of its own that lives as long as this; only its edit is timed."""

    def __init__(self) -> None:
        """Raises: Unavailable."""
        words = [str(node()), str(Path(__file__).with_name("editing_npm.mjs")), str(npm_tree(NPM_YAML))]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def editor(self, level: str) -> Editor:
        """Give the edit by ``documents`` or by ``tokens``."""

        def edit(case: Case) -> tuple[str, float]:
            mapping, dash = _indents(case.text)
            asked = {"text": case.text, "name": case.name, "path": case.way, "value": case.value}
            asked |= {"level": level, "mapping": mapping, "sequences": dash}
            if self._process.stdin is None or self._process.stdout is None:
                raise RuntimeError("the process has no pipes")
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            if "error" in answer:
                raise ValueError(answer["error"])
            return str(answer["text"]), float(answer["seconds"])

        return edit

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=10)


RUAMEL = _timed(ruamel)
