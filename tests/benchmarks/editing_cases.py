"""What the editing benchmark edits, and how a result is judged.

Judged with libyaml alone: nothing of an editor that is measured has a say.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from bot.manifests.knative import find_services
from tests.shared import SHARED

Way: TypeAlias = tuple[str | int, ...]
GOLDENS = Path(__file__).resolve().parents[1] / "manifests"
SHARE = 37  # percent; in no file yet
PAIR = [{"revisionName": "shop-00001", "percent": 63}, {"revisionName": "shop-00002", "percent": 37}]
NULLS = (None, "", "~", "null", "Null", "NULL")
PAIR_LINES = 5  # with ``traffic:``


@dataclass(frozen=True, slots=True)
class Case:
    """One edit: ``value`` goes to ``way`` in the Knative Service ``name``; ``document`` counts from 0."""

    path: str
    text: str
    name: str
    document: int
    way: Way
    value: Any

    @property
    def sets(self) -> bool:
        """Whether a number that is there is set, rather than a block added."""
        return isinstance(self.value, int)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``failed`` says why the result is not what was wanted; ``beyond`` counts lines changed without need."""

    failed: str = ""
    beyond: int = 0


def corpus() -> tuple[list[Case], str]:
    """Give the edits of the corpus, or where it is not beside the project of its own goldens; and which it was."""
    folder = SHARED / "corpus"
    if folder.exists():
        return _cases(sorted(folder.glob("*/*.yaml")), folder), "real manifests of public repositories"
    return _cases(
        sorted(GOLDENS.glob("*/before.yaml")), GOLDENS
    ), "manifests made for the project's own tests"


def _cases(paths: list[Path], folder: Path) -> list[Case]:
    found: list[Case] = []
    for path in paths:
        content = path.read_bytes()
        manifests = find_services(content, str(path)).manifests
        names = Counter(manifest.name for manifest in manifests)
        text = content.decode("utf-8").removeprefix("\ufeff")
        if any(count > 1 for count in names.values()) or (manifests and not _readable(text)):
            continue
        for manifest in manifests:
            number = _number(text, manifest.name)
            if number is None:
                continue
            shares = [slot for slot, target in enumerate(manifest.targets) if target.percent is not None]
            where = (path.relative_to(folder).as_posix(), text, manifest.name, number)
            if shares:
                found.append(Case(*where, ("spec", "traffic", shares[-1], "percent"), SHARE))
            elif not manifest.has_traffic and manifest.traffic_lines is None and _in_block(text, number):
                found.append(Case(*where, ("spec", "traffic"), PAIR))
    return found


def large() -> Case:
    """Give a Knative Service of 60 kB in one document."""
    pieces = [_service("shop", 0).split("  traffic:\n")[0]]
    size = len(pieces[0])
    while size < 60_000:
        number = len(pieces)
        pieces.append(
            f'            - name: SETTING_{number:04d}\n              value: "number {number}"  # why\n'
        )
        size += len(pieces[-1])
    pieces.append("  traffic:\n" + _service("shop", 0).split("  traffic:\n")[1])
    return Case("large.yaml", "".join(pieces), "shop", 0, ("spec", "traffic", 1, "percent"), SHARE)


def stream() -> Case:
    """Give 5 MB of documents, one in five a Knative Service; the one in the middle is edited."""
    pieces: list[str] = []
    size = 0
    while size < 5_000_000:
        number = len(pieces)
        text = _service(f"shop-{number:05d}", 8) if number % 5 == 0 else _other(number)
        pieces.append(text)
        size += len(text) + 4
    middle = len(pieces) // 10 * 5
    way = ("spec", "traffic", 1, "percent")
    return Case("stream.yaml", "---\n".join(pieces), f"shop-{middle:05d}", middle, way, SHARE)


def _service(name: str, settings: int) -> str:
    env = "".join(
        f'            - name: SETTING_{n}\n              value: "number {n}"\n' for n in range(settings)
    )
    return f"""\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {name}
spec:
  template:
    metadata:
      name: {name}-00002
    spec:
      containers:
        - image: registry.example/{name}:2  # the candidate
          env:
            - name: MODE
              value: production
{env}  traffic:
    - revisionName: {name}-00001
      percent: 75
    - revisionName: {name}-00002  # the candidate
      percent: 25
      tag: candidate
"""


def _other(number: int) -> str:
    lines = "".join(f"  setting-{n}: value {n} of {number}\n" for n in range(24))
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{number}\ndata:\n  # why\n{lines}"


# the judge --------------------------------------------------------------------------


def judge(case: Case, result: str | Exception) -> Verdict:
    """Judge a result: read by libyaml it says what was wanted, and no other line differs."""
    if isinstance(result, Exception):
        return Verdict(f"{type(result).__name__}: {result}"[:200])
    try:
        said = _load(result)
    except yaml.YAMLError as error:
        return Verdict(f"not YAML: {error}"[:200])
    if said != _wanted(case):
        return Verdict("the result says something else")
    if case.sets:
        return Verdict(beyond=_changed(_expected(case), result))
    removed, added = _counted(case.text, result)
    return Verdict(beyond=removed + max(0, added - removed - PAIR_LINES))


def _load(text: str) -> list[Any]:
    """Give all documents that hold something, scalars as text, however null is spelt."""
    every = (_nothing(one) for one in yaml.load_all(text, Loader=yaml.CBaseLoader))
    return [one for one in every if one]


def _nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nothing(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_nothing(one) for one in value]
    return "" if value in NULLS else value


def _readable(text: str) -> bool:
    try:
        _load(text)
    except yaml.YAMLError:
        return False
    return True


def _number(text: str, name: str) -> int | None:
    for number, one in enumerate(_load(text)):
        if isinstance(one, dict) and one.get("kind") == "Service" and one["metadata"].get("name") == name:
            return number if str(one.get("apiVersion")).startswith("serving.knative.dev/") else None
    return None


def _wanted(case: Case) -> list[Any]:
    said = _load(case.text)
    node = said[case.document]
    for key in case.way[:-1]:
        node = node[key]
    node[case.way[-1]] = _strings(case.value)
    return said


def _strings(value: Any) -> Any:
    if isinstance(value, list):
        return [{key: str(one) for key, one in entry.items()} for entry in value]
    return str(value)


def _nodes(text: str) -> list[Any]:
    every = yaml.compose_all(text, Loader=yaml.CBaseLoader)
    return [one for one in every if one.value and one.value not in NULLS]


def _in_block(text: str, number: int) -> bool:
    root = _nodes(text)[number]
    spec = next(value for key, value in root.value if key.value == "spec")
    return bool(spec.value) and not spec.flow_style and not root.flow_style


def _expected(case: Case) -> str:
    node = _nodes(case.text)[case.document]
    for step in case.way:
        pairs = node.value
        node = pairs[step] if isinstance(step, int) else next(v for k, v in pairs if k.value == step)
    start, end = node.start_mark.index, node.end_mark.index
    return case.text[:start] + str(case.value) + case.text[end:]


def _changed(wanted: str, got: str) -> int:
    return 0 if wanted == got else max(_counted(wanted, got))


def _counted(before: str, after: str) -> tuple[int, int]:
    """Count lines that are gone and lines that are new, line ends and last newline included."""
    old, new = before.split("\n"), after.split("\n")
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    if len(old) + len(new) > 4_000:  # a stream that is another from end to end: counted without order
        return sum((Counter(old) - Counter(new)).values()), sum((Counter(new) - Counter(old)).values())
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    other = [step for step in steps if step[0] != "equal"]
    return sum(i2 - i1 for _, i1, i2, _, _ in other), sum(j2 - j1 for _, _, _, j1, j2 in other)
