"""Every kind of finding: its code, how bad it is, why it matters, and what to do.

The codes are stable and documented in ``docs/doctor.md``, which is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.core.problems import Place
from bot.core.text import code

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """An error stops rollouts or undoes a protection; a note costs nothing today."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Kind:
    """What all findings of a code have in common, in Markdown. ``remedy`` is used where a finding has none."""

    severity: Severity
    what: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to repair, or one that could not be looked at.

    ``message`` and ``remedy`` are Markdown of our own; foreign text stands in them through
    ``bot.core.text.code`` only. ``where`` is a file, or the name of what is meant on GitHub (foreign text
    made inert in the same way).
    """

    code: str
    message: str
    where: Place | str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        """Refuse a code that is not in the catalogue.

        Raises:
            KeyError: The code is not documented in ``KINDS``.
        """
        kind = KINDS[self.code]
        if not self.remedy:
            object.__setattr__(self, "remedy", kind.remedy)

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.code].severity

    @property
    def place(self) -> Place:
        """The file, or a place without a path."""
        return self.where if isinstance(self.where, Place) else Place()

    @property
    def shown_where(self) -> str:
        """Where it is, in Markdown, made inert; empty when there is nothing to name."""
        return code(str(self.where)) if isinstance(self.where, Place) else self.where


def could_not_look(what: str, needs: str, where: Place | str = "") -> Finding:
    """Give the finding for a fact that nobody could read: what, and what it would take. Both are Markdown."""
    return Finding("could-not-look", f"Could not look at {what}: {needs}", where)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give each finding once, the worst first, else in the order of the catalogue and of finding."""
    rank = {name: number for number, name in enumerate(KINDS)}
    severities = list(Severity)
    once = dict.fromkeys(findings)
    return tuple(sorted(once, key=lambda f: (severities.index(f.severity), rank[f.code])))


E_, W_, N_ = Severity.ERROR, Severity.WARNING, Severity.NOTE

TREE: dict[str, Kind] = {
    "no-services": Kind(
        E_,
        "No manifest here holds a service that the bot can roll out.",
        "The bot edits the traffic block of a Knative Service in this repository. Where a Helm chart or another "
        "repository makes the manifest, there is nothing that it could edit.",
        "Put a manifest with `apiVersion: serving.knative.dev/v1` and `kind: Service` into the repository as plain "
        "YAML, or run `canary doctor` in the repository that holds it.",
    ),
    "config-invalid": Kind(
        E_,
        "`.github/canary.yaml` has a fault.",
        "The bot refuses commands until the file is right: a key that it does not know may be one that you rely on.",
        "Correct the line that is named.",
    ),
    "config-service-unknown": Kind(
        W_,
        "`.github/canary.yaml` names a service or a file that is not here.",
        "What is set for a misspelled service is set for nobody; the real one follows the defaults.",
        "Use the service's `metadata.name`, and the path from the root of the repository.",
    ),
    "manifest-unreadable": Kind(
        W_,
        "A document seems to be a service, and the bot cannot read it.",
        "Commands on it will be declined with the same words.",
        "Write it as plain YAML, without template expressions, aliases and duplicate keys.",
    ),
    "argocd-ignores-weights": Kind(
        E_,
        "An `ignoreDifferences` rule of Argo CD covers the weights.",
        "Argo CD then calls the application synced when only weights differ, so automated sync does not run; with "
        "`RespectIgnoreDifferences=true` a sync does not write them either. Merged steps change nothing in the "
        "cluster, and the bake time runs all the same. Such rules are often left over from a controller that moved "
        "weights itself.",
        "Remove the rule, or narrow it to fields that no step changes.",
    ),
    "argocd-rule-unclear": Kind(
        W_,
        "A rule of Argo CD may cover the weights.",
        "A field manager that once wrote the traffic block, or a jq expression that picks fields by condition, can "
        "hide weights as a plain path does.",
        "Look at the rule; write it as plain paths that leave the weights out.",
    ),
    "argocd-skips-manifest": Kind(
        E_,
        "An annotation takes the service out of Argo CD's syncs.",
        "`argocd.argoproj.io/hook` makes the manifest a hook, and `Skip` leaves it out altogether: a merged step is "
        "not applied as a change of the service.",
        "Remove the annotation from the service.",
    ),
    "flux-skips-manifest": Kind(
        E_,
        "An annotation tells Flux not to apply changes of the service.",
        "With `kustomize.toolkit.fluxcd.io/reconcile: disabled`, or `ssa: Ignore` or `IfNotPresent`, merged steps "
        "change nothing in the cluster, and the bake time runs all the same.",
        "Remove the annotation from the service.",
    ),
    "overlay-sets-traffic": Kind(
        W_,
        "A Kustomize patch sets the traffic of a service again.",
        "The patch wins over the manifest that the bot edits, so a step changes nothing where the patch is used.",
        "Take `traffic` out of the patch, or let the bot edit the file that decides: "
        "`services.NAME.file` in `.github/canary.yaml`.",
    ),
    "action-unpinned": Kind(
        W_,
        "A workflow uses the Action by a name that can be moved.",
        "The job may write contents and pull requests. Who can move the tag or branch can run anything with that.",
        "Write the full commit: `uses: OWNER/canary-bot@<40 hex digits>`, with the version as a comment.",
    ),
    "action-permissions-missing": Kind(
        E_,
        "The job's `permissions` do not let the Action do its work.",
        "`GITHUB_TOKEN` has only what is named as soon as one permission is named; where none is, a setting of the "
        "repository decides.",
        "Give the job `contents: write`, `pull-requests: write` and `checks: write`, or let the step use an App's "
        "token.",
    ),
    "action-permissions-wide": Kind(
        W_,
        "The job's `permissions` give the Action more than it needs.",
        "A job that reads comments of strangers should be able to do as little as possible.",
        "Begin the workflow with `permissions: {}` and give the job `contents`, `pull-requests` and `checks` only.",
    ),
    "action-trigger-edited": Kind(
        W_,
        "The workflow also starts for comments that are edited or deleted.",
        "The bot never runs an edited comment; such runs cost minutes, and while one waits for its turn it can push "
        "out the run of a real command.",
        "Write `issue_comment: {types: [created]}`.",
    ),
    "action-concurrency-missing": Kind(
        W_,
        "The job has no `concurrency`.",
        "Two comments at once are two runs on the same branches. Writes that name what they were planned on keep "
        "them from doubling anything, at the price of replies that say `head-moved`.",
        'Give the job `concurrency: {group: "canary-${{ github.repository_id }}", cancel-in-progress: false}`.',
    ),
    "action-cancels": Kind(
        E_,
        "`cancel-in-progress` ends a run that is at work.",
        "A run that is cut off between two writes leaves a branch without its pull request until the next run.",
        "Write `cancel-in-progress: false`.",
    ),
    "action-no-schedule": Kind(
        W_,
        "No workflow with the Action has a `schedule`.",
        "Nobody starts a run when a bake time ends: gates stay pending, a remembered `/promote` is not carried out, "
        "and rules that merge by themselves do not.",
        'Add `schedule: [{cron: "*/10 * * * *"}]` to the workflow on the default branch.',
    ),
}
"""What a working tree can show, offline."""

FORGE: dict[str, Kind] = {
    "repository-unreadable": Kind(
        E_,
        "Nothing of the repository on GitHub could be read.",
        "`--repo` asked for it, and there are no credentials, or they do not reach it.",
        "Set `CANARY_APP_ID` and `CANARY_PRIVATE_KEY_FILE` as for `canary serve`, or `GITHUB_TOKEN`; see whether "
        "the name is right.",
    ),
    "repository-archived": Kind(
        E_,
        "The repository is archived.",
        "Nobody can write to it, the bot included, and the bot leaves it out.",
        "Unarchive it under *Settings → General*.",
    ),
    "app-not-installed": Kind(
        E_,
        "The App is not installed on the repository.",
        "It gets no webhook from there and no token for it.",
        "Open the App's page → *Install App* → *Configure*, and add the repository.",
    ),
    "app-suspended": Kind(
        E_,
        "The App's installation is suspended.",
        "GitHub sends it nothing and refuses its tokens.",
        "*Settings → GitHub Apps → Configure → Unsuspend*, or the same in the organisation's settings.",
    ),
    "app-permission-missing": Kind(
        E_,
        "The App lacks a permission.",
        "GitHub refuses the call that needs it, or does not send the event.",
        "Add it under *Permissions & events* of the App; the owner then accepts the request on the installation's "
        "page.",
    ),
    "app-permission-dangerous": Kind(
        E_,
        "The App has a permission that it must never have.",
        "With it, whoever takes over the App can change workflows, settings, secrets or hooks, and so every rule "
        "that a step has to pass. GitHub's own refusal is the protection here.",
        "Set it to *No access* under *Permissions & events* of the App.",
    ),
    "app-permission-wide": Kind(
        W_,
        "The App has a permission that it does not use.",
        "Every right is one that a thief would have too.",
        "Set it to *No access*, or to *Read-only*, under *Permissions & events* of the App.",
    ),
    "app-event-missing": Kind(
        E_,
        "The App does not subscribe to an event.",
        "What happens there is seen late, by the sweep, or not at all.",
        "Tick the event under *Permissions & events* of the App.",
    ),
    "app-event-extra": Kind(
        N_,
        "The App subscribes to an event that the bot does not use.",
        "It is answered and dropped: load for nothing.",
        "Untick the event under *Permissions & events* of the App.",
    ),
    "check-not-required": Kind(
        W_,
        "`canary / plan` or `canary / gate` is not required on the base branch.",
        "Without `canary / gate` anybody can merge a step before its bake time is over; without `canary / plan` a "
        "manifest that the platform will refuse.",
        "Add it to *Require status checks to pass* in a ruleset for the base branch, with the App as its source.",
    ),
    "four-eyes-not-required": Kind(
        N_,
        "`canary / approvals` is not required on the base branch.",
        "Whoever asks for a step may then be its only approver.",
        "Require it beside the other two where a second person has to look, with the App as its source.",
    ),
    "check-source-open": Kind(
        W_,
        "A required check of the bot is accepted from any source.",
        "Everybody who may write can then set a green check of that name themselves.",
        "In the ruleset choose the App as the *source* of the check instead of *any source*.",
    ),
    "check-source-other": Kind(
        E_,
        "A check of the bot is required from another App.",
        "The bot's own check does not count there, so the pull request can never be merged.",
        "In the ruleset choose the bot's App as the source of the check.",
    ),
    "check-never-reports": Kind(
        E_,
        "A required check is one that nothing reports.",
        "GitHub waits for it for ever (*Expected — Waiting for status to be reported*): no step can be merged, by "
        "nobody. Names must agree to the letter, spaces included.",
        "Correct the name in the ruleset, or take the check out.",
    ),
    "auto-merge-off": Kind(
        W_,
        "*Allow auto-merge* is off, and a rule set merges steps by itself.",
        "The bot merges when the gate passes; a step that still waits for somebody else's check then is tried again "
        "at the bot's next look only. With auto-merge on, a person can leave it to GitHub, which merges the moment the "
        "last rule passes.",
        "*Settings → General → Allow auto-merge*.",
    ),
    "bot-may-bypass": Kind(
        E_,
        "The App may bypass the rules of the base branch.",
        "Then it is the bot alone that keeps a step from being merged without approval or against a red check, and "
        "not GitHub.",
        "Remove the App from the *Bypass list* of the ruleset: it needs none to open, update and merge pull requests.",
    ),
    "merge-queue": Kind(
        N_,
        "The base branch has a merge queue.",
        "The bot puts its steps into the queue and reports its checks on the queue's commits, when it hears of them.",
        "The App needs *Merge queues: read* and the event *Merge group*; with the Action a workflow has to run at "
        "`merge_group`, as the example `go-on.yml` does.",
    ),
    "pull-request-not-required": Kind(
        W_,
        "Commits can be pushed to the base branch without a pull request.",
        "A push moves weight past review, checks and bake time; the bot then finds the rollout drifted.",
        "Add *Require a pull request before merging* to a ruleset for the base branch.",
    ),
    "approvals-not-required": Kind(
        W_,
        "Pull requests to the base branch need no approval.",
        "Who asks for a step can merge it alone.",
        "Set *Required approvals* to 1 or more in the ruleset for the base branch.",
    ),
    "stale-approvals-kept": Kind(
        N_,
        "Approvals stay when new commits are pushed.",
        "What was approved need not be what is merged. (Where they are dismissed: comment `/canary` first, approve "
        "afterwards, because the bot's commit counts as a push.)",
        "Switch on *Dismiss stale pull request approvals when new commits are pushed*.",
    ),
    "last-push-unapproved": Kind(
        N_,
        "The person who pushed last may be the only one to approve.",
        "Two accounts of one mind are enough to change a reviewed step.",
        "Switch on *Require approval of the most recent reviewable push*.",
    ),
    "signatures-need-merge-commits": Kind(
        E_,
        "Signed commits are required, and merge commits are not possible.",
        "GitHub does not squash or rebase pull requests of others under that rule, so the bot's steps cannot be "
        "merged.",
        "Allow merge commits (*Settings → General*, the ruleset's *Allowed merge methods*, no *linear history*), or "
        "do not require signatures there.",
    ),
    "step-branches-open": Kind(
        W_,
        "Nothing protects the steps' branches, `canary/**/*`.",
        "Everybody with write access can push to a step's branch after it was reviewed, or make one that looks like "
        "a step; and end what people froze with `/canary freeze`, by moving `canary/freezes` back or deleting it.",
        "Add a ruleset for the branches `canary/**/*` (in GitHub's patterns a last `**` stops at a slash) with "
        "*Restrict creations*, *Restrict updates* and *Restrict deletions*, and the App as the only one in its bypass "
        "list.",
    ),
    "step-branches-closed": Kind(
        E_,
        "The rules for the steps' branches keep the bot out.",
        "It can create or move no branch there, so no step pull request is opened.",
        "Put the App into the bypass list of the ruleset, with *Always allow*.",
    ),
    "step-branches-shared": Kind(
        W_,
        "Others than the App may bypass the rules for the steps' branches.",
        "They can change a step after it was reviewed.",
        "Leave the App as the only one in the bypass list of that ruleset.",
    ),
    "could-not-look": Kind(
        N_,
        "A fact could not be read.",
        "It may be right or wrong. An App with the bot's few rights does not see who may "
        "bypass a ruleset, nor classic branch protection.",
        "Run it again with what is named (an administrator's `GITHUB_TOKEN`, or the App's key), or look at the place "
        "yourself.",
    ),
}
"""What GitHub can show."""

KINDS: dict[str, Kind] = TREE | FORGE


def page() -> str:
    """Give ``docs/doctor.md``."""
    parts = [_HEAD]
    for title, kinds in (("In the working tree", TREE), ("On GitHub", FORGE)):
        parts.append(f"## {title}")
        for name, kind in kinds.items():
            parts.append(f"### `{name}`\n\n*{kind.severity.capitalize()}.* **{kind.what}**")
            parts.append(f"{kind.why}\n\n*Remedy*: {kind.remedy}")
    return "\n\n".join(parts) + "\n"


_HEAD = """\
# What `canary doctor` finds

<!-- Made from bot/core/doctor/catalogue.py by `python -m tests.core.test_doctor_docs --write`. -->

```console
canary doctor                                  # the working tree, offline
canary doctor --repo acme/shop                 # and the repository on GitHub
canary doctor --repo acme/shop --json          # a list of objects
```

PATH, the current folder by default, says which working tree: all files of it that Git tracks or would. For
`--repo` it needs the App's settings (`CANARY_APP_ID` and the key, as `canary serve`), or a token in
`GITHUB_TOKEN` or `GH_TOKEN`. It only reads. An App sees itself and its installation; an administrator's token
sees who may bypass a rule. What the credentials do not show is a note `could-not-look` that says what it takes.
The rules are those of the default branch.

Exit status: 0 without errors (warnings and notes do not count), 1 with errors, 2 when used wrongly. With `--json`
each object has `severity`, `code`, `message`, `where`, `path`, `line`, `column`, `remedy`."""
