"""What can be declined, in words a reviewer can act on.

A ``Problem`` is a plain value; ``Declined`` carries one or several of them to
the reply. ``CODES`` lists every code with its meaning: the codes are stable and
documented, the wording of a message may improve.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem stands.

    ``line`` and ``column`` count from 1. ``path`` is the file in the repository,
    or empty for the comment itself.
    """

    path: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Give ``path:line:column``, without the parts that are not known."""
        parts = [self.path, *(str(n) for n in (self.line, self.column) if n is not None)]
        return ":".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason not to act.

    ``message`` and ``remedy`` are our own words in Markdown. What a person typed
    or a file holds goes into ``source`` only (one line, untrusted, shown inside a
    code block), with ``caret`` as (start, length) in characters of it, or into
    the message through ``bot.core.text.code``, which makes it inert.
    """

    code: str
    message: str
    remedy: str = ""
    place: Place | None = None
    source: str | None = None
    caret: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Refuse a code that is not in the catalogue.

        Raises:
            KeyError: The code is not documented in ``CODES``.
        """
        if self.code not in CODES:
            raise KeyError(self.code)


class Declined(Exception):  # noqa: N818 - an outcome, not an error of the program
    """The command or the file cannot be acted on; nothing was written."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{p.code}: {p.message}" for p in problems))
        self.problems = problems


class OutsideFailure(Exception):  # noqa: N818 - same
    """Something outside did not answer; trying again later may help.

    ``retry_after`` is in seconds, where the other side named it.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


CODES: dict[str, str] = {
    # the comment
    "unknown-verb": "The word after `/canary` is no verb of the bot.",
    "unknown-option": "An option that the verb does not take.",
    "weight-missing": "`/canary` stands alone; a percent or a verb belongs behind it.",
    "weight-not-a-number": "A percent is a whole number in plain ASCII digits.",
    "weight-out-of-range": "A percent lies from 0 to 100.",
    "weight-leading-zero": "A percent is written without leading zeros.",
    "number-too-long": "A number with more digits than any percent has.",
    "steps-not-rising": "The steps of a rollout rise, and the last one is 100.",
    "argument-missing": "A verb that takes an argument stands alone.",
    "unexpected-text": "There is text behind a complete command.",
    "bad-name": "A service, revision or tag name with characters that no such name has.",
    "bad-duration": "A duration is written like `30m`, `2h` or `1d12h`.",
    "reason-missing": "An override needs a reason behind two hyphens.",
    "unknown-rule": "The rule behind `--override` is none of those that can be set aside.",
    "hidden-character": "A control, separator, invisible or direction character in a command.",
    "plain-space-needed": "Words of a command are parted by plain spaces.",
    "line-too-long": "A command line is longer than 1 kB.",
    "too-many-commands": "A comment holds more than 10 commands.",
    "conflicting-commands": "Two commands of one comment contradict each other.",
    "not-built-yet": "What is asked for is planned, and this version cannot do it yet.",
    # who and where
    "not-allowed": "The rules do not let this person use the verb there, or that could not be looked up.",
    "wrong-place": "The verb does not apply to this kind of pull request.",
    "pull-closed": "The pull request is closed without having been merged.",
    "fork": "The bot cannot commit to a pull request that comes from a fork.",
    "locked": "The conversation is locked.",
    "too-late": "The comment was too old when the bot could work on it.",
    "superseded": "Somebody else's command on the same service came first.",
    "head-moved": "The branch or the file moved while the bot worked; nothing was written.",
    "wrong-head": "The `sha=` of the command is not the head of the pull request.",
    # which service
    "no-service": "The pull request changes no service that the bot can roll out.",
    "which-service": "Several services or routes are meant; none is guessed.",
    "unknown-service": "No service or route of that name is in this pull request or in the repository.",
    # the manifest
    "path-refused": "The path is a link, or lies where the bot does not write.",
    "file-missing": "The manifest is not in the branch.",
    "file-too-large": "The file is larger than the bot edits.",
    "not-utf-8": "The file is not UTF-8.",
    "yaml-invalid": "The file is not valid YAML.",
    "template-language": "The manifest holds template expressions; the bot edits plain YAML only.",
    "duplicate-key": "A mapping on the way to the traffic block has the same key twice.",
    "alias-in-block": "An alias, anchor or merge key stands where the bot would edit.",
    "tag-in-block": "A YAML tag stands where the bot would edit.",
    "not-a-plain-number": "A percent in the file is not a plain whole number.",
    "ambiguous-scalar": "A value that YAML 1.1 and YAML 1.2 read differently stands where the bot would edit.",
    "hidden-character-in-block": "An invisible or direction character stands where the bot would edit.",
    "traffic-block-unusual": "The layout is one that the bot cannot edit without touching other bytes.",
    "ambiguous-document": "Several documents of the file match the service.",
    "line-ends-unusual": "The file ends its lines with a lone CR.",
    "unsupported-api": "The API version is one that is no longer served; an old API group is not edited.",
    "foreign-controller": "Another controller sets the weights, such as Argo Rollouts or Flagger.",
    "generated-branch": "The branch holds rendered manifests; the next rendering overwrites an edit.",
    "generated-file": "The file is made by a program, which overwrites an edit.",
    "helm-template": "The file is a template of a Helm chart, and no manifest.",
    "vendored-file": "The file is a copy of somebody else's, in `vendor` or `node_modules`.",
    "rollout-duration": "Knative moves the weight of floating targets by time; named revisions are not touched.",
    "image-updater": "A program writes new images into the manifest.",
    "cloud-run-refuses": "Cloud Run refuses something that Knative takes.",
    "cloud-run-differs": "Cloud Run does something that Knative does not; nothing is refused.",
    "which-route": "Several routing rules have weights; one must be named.",
    "which-destination": "The rule does not say which destinations are stable and candidate, or others have weight.",
    # the split
    "kn-refused": "`kn service update` would refuse the traffic operation; the text is its own.",
    "split-invalid": "The traffic block breaks a rule of the platform.",
    "revision-elsewhere": "The traffic block names a revision that the file's own template does not.",
    "no-new-revision": "The pull request does not change the service's template.",
    "unknown-stable": "The revision that serves now has no name in Git.",
    "stable-outdated": "The split was written for a stable revision that serves nobody any more.",
    "unknown-candidate": "The candidate is not a target of the traffic block.",
    "moves-weight": "While a rollout runs, the pull request would move weight without a command.",
    "service-removed": "The pull request deletes an object that a rollout is about.",
    "name-too-long": "A name would be longer than the platform allows.",
    "naming-impossible": "`naming` of the configuration gives the candidate no name.",
    "name-unchanged": "The template changes, its revision name does not.",
    "same-revision": "Stable and candidate are the same revision.",
    # the rollout
    "no-rollout": "The service has no rollout that the verb could act on.",
    "rollout-running": "A rollout of the service runs, or is about to begin: the percents are its own.",
    "nothing-to-roll-back": "All traffic is with the stable revision already.",
    "not-merged-yet": "The rollout starts when this pull request is merged.",
    "step-order": "The next step is another one.",
    "drifted": "The traffic block was changed by hand; no step can be computed from it.",
    "not-adoptable": "No rollout can go on from the traffic block as it is.",
    "not-mergeable": "GitHub refuses to merge the pull request.",
    "rollback-open": "A rollback of this rollout is proposed already; nothing else moves.",
    "held": "The rollout is on hold.",
    "second-needed": "An override waits for a second person to type the same.",
    "nothing-to-override": "The rule of an override does not hold the step back.",
    "not-overridable": "No override helps here: nobody knows what the rule would say.",
    "rolled-back-before": "The revision was rolled back before; trying it again takes an explicit word.",
    "frozen": "A freeze holds: nothing is promoted or started.",
    "freezes-not-believed": "The bot's branch of freezes holds what the bot did not write; nothing goes on.",
    # the command line
    "no-command": "The text holds no command of the bot.",
    "needs-github": "The verb acts on pull requests; offline there are none.",
    "no-worktree": "The command line found no git working tree, or no file, to look at.",
    "unknown-base": "The revision given with `--base` is not a commit of the repository.",
    # configuration
    "config-invalid": "`.github/canary.yaml` or a rule set has an error.",
    "config-unreadable": "The organisation's file, or the commit whose rules a rollout follows, cannot be read.",
    # outcomes without a fault
    "applied": "Done.",
    "already": "The state is the wished one already; nothing was written.",
    "proposed": "A pull request was opened.",
    "remembered": "The wish is stored and carried out when the rules pass.",
    "shown": "An answer to a question.",
    "internal": "An error of the bot itself.",
}
