"""After a merge of one of the bot's pull requests the base branch is read back: does it hold what was merged?

GitHub's merge queue squashed 2,092 pull requests from a wrong base in April 2026, with an answer of success each
time (``reference/reliability.md`` T37). So the answer is not believed: the file at the merge commit has to be the
file of the commit before it with the pull request's change and nothing else. Everything is read at full shas, so
the verdict on a merge is the same whenever it is worked out, also after a restart.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.core import report
from bot.core.checks import GATE, ROLL_BACK, reference
from bot.core.lines import carried_over
from bot.core.markers import Hold
from bot.core.problems import Declined, OutsideFailure
from bot.core.text import code
from bot.manifests.diff import unified
from bot.ports import Check, Missing
from bot.service import proposing
from bot.service.desk import edited
from bot.service.reading import read_file, read_held

if TYPE_CHECKING:
    from bot.core.markers import Proposal
    from bot.ports import Comparison, File, Landed, Pull
    from bot.service.desk import Desk
    from bot.service.reading import Service, Standing

PATIENCE = timedelta(minutes=10)  # GitHub's replicas may not know a commit that was just made
_MOST_PATHS = 10  # of other files that are named


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A merge whose commit is not what was merged.

    ``expected`` and ``found`` are the service's file, ``None`` where there is none; ``others`` are files that the
    merge changed and the pull request does not.
    """

    path: str
    merge: str
    parent: str
    head: str
    expected: bytes | None
    found: bytes | None
    others: tuple[str, ...] = ()

    @property
    def hold(self) -> Hold:
        """The hold that it puts on the rollout."""
        return Hold(by="", cause="read-back", reason=self.merge)


def read_back(desk: Desk, pull: Pull, service: Service) -> Mismatch | None:
    """Compare what a merge brought to the base branch with what was merged; ``None`` when it is that.

    Also ``None`` where nobody can say: the branch reached the base inside of another merge.

    Raises:
        OutsideFailure: GitHub does not know the merge commit yet; look again.
    """
    try:
        landed = desk.repo.landed(pull.merge_sha) if pull.merge_sha else None
        if landed is None or not _is_direct(landed, pull):
            return None
        since = desk.repo.compare(landed.parents[0], pull.head_sha)
        return None if since.fork_point == pull.head_sha else _compared(desk, pull, service, landed, since)
    except Missing:
        if pull.merged_at is not None and desk.now() - pull.merged_at < PATIENCE:
            raise OutsideFailure("GitHub does not know the merge commit yet") from None
        return None


def _compared(desk: Desk, pull: Pull, service: Service, landed: Landed, since: Comparison) -> Mismatch | None:
    """Compare the file at a merge commit with what it has to be."""
    path, parent, merge = service.path, landed.parents[0], pull.merge_sha or ""
    try:
        was, before, head, found = (
            read_file(desk.repo, path, sha) for sha in (since.fork_point, parent, pull.head_sha, merge)
        )
    except Declined:
        return None  # a link or a folder took its place: no step is computed from that
    if head is None or (before is None and was is not None):
        return None  # the file was moved or taken away by others
    others = _others(desk, pull, landed, path)
    expected = _expected(was, before, head)
    content = None if found is None else found.content
    if expected is None:
        # A rebase of several commits has no commit before all of them at hand: there only the split is compared.
        expected = _computed(desk, service, parent, pull) if len(since.commits) == 1 else None
        if expected is None:
            expected = content if _same_split(desk, service, pull) else head.content
    if content == expected and not others:
        return None
    return Mismatch(path, merge, parent, pull.head_sha, expected, content, others)


def _is_direct(landed: Landed, pull: Pull) -> bool:
    """Whether a commit is the merge, squash or rebase of this very pull request."""
    if not landed.parents:
        return False
    return len(landed.parents) == 1 or landed.parents[1:] == (pull.head_sha,)


def _expected(was: File | None, before: File | None, head: File) -> bytes | None:
    """Give the file as a merge has to leave it; ``None`` where changes of both sides touch."""
    old = b"" if was is None else was.content
    return carried_over(old if before is None else before.content, old, head.content)


def _computed(desk: Desk, service: Service, parent: str, pull: Pull) -> bytes | None:
    """Give the file before the merge with the pull request's split, as the bot computes a step."""
    with suppress(Declined):
        base, head = (read_held(desk.repo, service.path, service.id, sha) for sha in (parent, pull.head_sha))
        if base is not None and head is not None:
            return edited(base, head.version.split, head.version.template_name)
    return None


def _same_split(desk: Desk, service: Service, pull: Pull) -> bool:
    """Whether the merge has the pull request's split where no file can be worked out: a rebase of several commits."""
    with suppress(Declined):
        shas = (pull.head_sha, pull.merge_sha or pull.head_sha)
        head, found = (read_held(desk.repo, service.path, service.id, sha) for sha in shas)
        return head is not None and found is not None and head.manifest.written == found.manifest.written
    return False


def _others(desk: Desk, pull: Pull, landed: Landed, path: str) -> tuple[str, ...]:
    extra = [one for one in landed.paths if one != path]
    if not extra:
        return ()
    own = {name for one in desk.repo.changed_files(pull) for name in (one.path, one.previous_path)}
    return tuple(one for one in extra if one not in own)


# --- the alarm --------------------------------------------------------------------------------


def look(desk: Desk, pull: Pull, proposal: Proposal, service: Service) -> None:
    """Read a merge of the bot's pull request back, and raise the alarm, once, where it is not what was merged."""
    wrong = read_back(desk, pull, service)
    if wrong is not None:
        _alarm(desk, pull, proposal, f"read-back-{wrong.merge[:12]}", _told(wrong, pull, service))


def lost(desk: Desk, step: proposing.Ours, standing: Standing) -> None:
    """Raise the alarm on a step that GitHub calls merged and that the base branch does not have."""
    merge = step.pull.merge_sha or ""
    text = (
        f"**The base branch does not hold what was merged.** #{step.pull.number} is merged as {code(merge[:12])}, "
        f"but {code(standing.service.base)} at {code(standing.tip[:12])} has "
        f"{code(standing.service.name)} at {standing.rollout.weight} %.\n\n{_ways(standing.service)}"
    )
    _alarm(desk, step.pull, step.proposal, f"read-back-{merge[:12]}", text)


def _alarm(desk: Desk, pull: Pull, proposal: Proposal, name: str, text: str) -> None:
    for number in dict.fromkeys((pull.number, proposal.pull)):
        with suppress(Missing):  # the history may have come from another repository
            proposing.notify(desk, number, name, text)
    title = "The base branch does not hold what was merged"
    state = reference(pull.number, f"gate-{name}")
    check = Check(GATE, "failure", title, text, external_id=state, actions=(ROLL_BACK,))
    desk.tell(pull.head_sha, [check])


def _told(wrong: Mismatch, pull: Pull, service: Service) -> str:
    parts = [
        f"**The base branch does not hold what was merged.** GitHub merged #{pull.number} as "
        f"{code(wrong.merge[:12])}, and that commit is not {code(wrong.parent[:12])} with the change of "
        f"{code(wrong.head[:12])}."
    ]
    if wrong.found != wrong.expected:
        parts += [
            f"{code(wrong.path)} from what was expected (`-`) to what is there (`+`):",
            report.diff_block(unified(wrong.expected or b"", wrong.found or b"", wrong.path)),
        ]
    if wrong.others:
        named = ", ".join(code(path) for path in wrong.others[:_MOST_PATHS])
        more = f" and {len(wrong.others) - _MOST_PATHS} more" if len(wrong.others) > _MOST_PATHS else ""
        parts.append(f"The merge also changed what the pull request does not: {named}{more}.")
    return "\n\n".join([*parts, _ways(service)])


def _ways(service: Service) -> str:
    return (
        f"{code(service.name)} is frozen: nothing is promoted before a person has looked. Put the base branch right; "
        "then `/resume` goes on. `/rollback` turns back; `/canary adopt` goes on from another split that stands there."
    )
