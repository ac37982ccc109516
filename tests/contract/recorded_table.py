"""The tables of ``docs/testing.md`` about recorded truth.

``python -m tests.contract.recorded_table --write`` writes them; a test fails when they are stale.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tests.contract.recorded import recordings
from tests.contract.recorded_referee import judged, reason_of
from tests.contract.recorded_shapes import RECENT
from tests.contract.recorded_texts import texts, years
from tests.contract.recorded_verdict import Verdict, examples, verdicts, webhook_verdicts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"


def _verdicts(what: str, every: tuple[Verdict, ...]) -> str:
    lines = [f"| {what} | recorded | compared | verdict |", "|---|---|---|---|"]
    for one in every:
        times = f"{one.recorded}, newest {one.newest}" if one.recorded else "-"
        lines.append(f"| `{one.where}` | {times} | {'; '.join(one.compared) or '-'} | {one} |")
    return "\n".join(lines)


def summary() -> str:
    """Give the figures in sentences."""
    every, hooks = verdicts(), webhook_verdicts()
    found = sum(one.recorded for one in every)
    lacking = sum(not one.recorded for one in every)
    wrong = sum(bool(one.wrong) for one in every + hooks)
    said = texts()
    known = sum(bool(years(text)) for text in said)
    return "\n".join(
        (
            f"- {len(recordings())} exchanges with the real GitHub were read; {found} are of the {len(every)} "
            f"operations that the sandbox serves, {lacking} of which were never recorded.",
            f"- {len(hooks)} webhooks that the sandbox sends are compared with "
            f"{sum(one.recorded for one in hooks)} of GitHub's examples.",
            f"- {wrong} operations or webhooks differ without a reason.",
            f"- {known} of {len(said)} sentences with which the sandbox refuses were recorded.",
        )
    )


def operations_table() -> str:
    """Give the verdict of each operation."""
    return _verdicts("operation", verdicts())


def webhooks_table() -> str:
    """Give the verdict of each webhook, and what its examples do not show."""
    table = _verdicts("webhook", webhook_verdicts())
    return f"{table}\n\n{_examples()}"


def _examples() -> str:
    comments, pulls = examples()["issue_comment"], examples()["pull_request"]
    on_pulls = sum("pull_request" in one["issue"] for one in comments)
    sides = [(one["pull_request"]["head"]["repo"], one["pull_request"]["base"]["repo"]) for one in pulls]
    forks = sum(head is None or head["id"] != base["id"] for head, base in sides)
    roles = sorted({one["comment"]["author_association"] for one in comments})
    return (
        f"Of {len(comments)} examples of `issue_comment`, {on_pulls} are on a pull request, and all commenters are "
        f"{' or '.join(roles)}; of {len(pulls)} examples of `pull_request`, {forks} come from a fork. What the sandbox "
        "sends there rests on GitHub's description of webhooks alone."
    )


def newer_table() -> str:
    """Give the keys that are younger than the recordings of their place: GitHub's description has them."""
    where: dict[str, set[str]] = defaultdict(set)
    oldest: dict[str, list[int]] = defaultdict(list)
    for verdict in verdicts() + webhook_verdicts():
        for finding in verdict.findings:
            if finding.reason == "documented since" and finding.difference is not None:
                place = finding.difference.place.rpartition(".")[2].removesuffix("[]")
                where[finding.difference.key].add(place or "the body")
                oldest[finding.difference.key].append(finding.difference.year)
    lines = ["| key | of | places | newest recordings there |", "|---|---|---|---|"]
    for key, places in sorted(where.items()):
        span = sorted(set(oldest[key]))
        shown = str(span[0]) if len(span) == 1 else f"{span[0]} to {span[-1]}"
        lines.append(f"| `{key}` | {', '.join(sorted(places))} | {len(oldest[key])} | {shown} |")
    return "\n".join(lines)


def texts_table() -> str:
    """Give the sandbox's refusals, and the years in which GitHub was recorded saying so."""
    lines = ["| status | sentence | recorded |", "|---|---|---|"]
    for text in texts():
        words = text.words.replace("\n", " ").replace("|", "\\|").replace("`", "'")
        lines.append(f"| {text.status} | `{words}` | {', '.join(map(str, years(text))) or '-'} |")
    return "\n".join(lines)


def referee_table() -> str:
    """Give how often the referee of lane C objects to recordings, and why."""
    found = judged()
    counts: Counter[str] = Counter()
    for _, reason in {
        (id(one), known.reason) for one, said in found.objections if (known := reason_of(said))
    }:
        counts[reason] += 1
    lines = [
        f"It objects to {found.flagged} of {found.recordings} recordings of {RECENT} or later:",
        "",
        "| recordings | why |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| {count} | {reason} |" for reason, count in counts.most_common())])


TABLES = {
    "recorded-summary": summary,
    "recorded-operations": operations_table,
    "recorded-webhooks": webhooks_table,
    "recorded-referee": referee_table,
    "recorded-texts": texts_table,
    "recorded-newer": newer_table,
}


def filled(page: str) -> str:
    """Give the page with fresh tables between their markers."""
    for name, table in TABLES.items():
        mark = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        assert mark.search(page), f"{PAGE.name} has no place for the table {name!r}"
        page = mark.sub(lambda found, table=table: f"{found[1]}{table()}\n{found[2]}", page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("usage: python -m tests.contract.recorded_table --write")
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
