"""The command line: ``canary``.

Every command imports what it needs inside its function, so that ``canary --help`` is quick.
Standard output is for results, standard error for talk. Exit status: 0 done, 1 declined or failed,
2 used wrongly, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

F = TypeVar("F", bound=StrEnum)
DECLINED, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="canary",
    help="Moves canary percentages by pull request: comment `/canary 25`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NoColor = Annotated[bool, typer.Option("--no-color", help="Plain text, also on a terminal.")]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see the module

    try:
        return f"canary-bot {version('canary-bot')}"
    except PackageNotFoundError:
        return "canary-bot, not installed (run from a checkout)"


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(_version())
        raise typer.Exit


@app.callback()
def _whole(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Moves canary percentages by pull request: comment `/canary 25`."""


@app.command()
def comment(
    text: Annotated[str, typer.Argument(metavar="TEXT", help='The comment, for example "/canary 25".')],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Manifests; default: what differs from the base."),
    ] = None,
    *,
    base: Annotated[
        str | None,
        typer.Option(metavar="REV", help="What to compare with; default: where HEAD left the main branch."),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which service, where there are several.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Edit the files in place.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    no_color: NoColor = False,
) -> None:
    """Say what a comment would do here, offline; --write does it to the files.

    The reply and the diff go to standard output. Exit status 1 where the comment would be declined.
    """
    from bot.entry.comment_command import Asked, run  # noqa: PLC0415 - see the module

    asked = Asked(text, Path.cwd(), tuple(files or ()), base, service, write=write)
    raise typer.Exit(run(asked, as_json=as_json, color=not no_color, debug=_debugging()))


@app.command()
def plan(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Manifests; default: what differs from the base."),
    ] = None,
    *,
    weight: Annotated[
        int | None, typer.Option(metavar="N", help="Where to start; default: the rule set's first step.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which service, where there are several.")
    ] = None,
    stable: Annotated[
        str | None, typer.Option(metavar="NAME", help="What serves now, where Git does not say.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option(metavar="NAME", help="What is tried, where Git does not say.")
    ] = None,
    route: Annotated[
        str | None, typer.Option(metavar="RULE", help="The rule of a route, by name or place.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="REV", help="What to compare with; default: where HEAD left the main branch."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    no_color: NoColor = False,
) -> None:
    """Show the diff, the split and the calendar of a rollout; writes nothing.

    It is `canary comment "/canary plan N"`. Exit status 1 where the command would be declined.
    """
    from bot.entry.comment_command import Asked, run  # noqa: PLC0415 - see the module

    options = {"stable": stable, "candidate": candidate, "route": route}
    for key, value in options.items():
        if value is not None and (not value or any(c.isspace() for c in value)):
            raise typer.BadParameter("A name has no spaces and is not empty.", param_hint=f"--{key}")
    words = ["/canary plan", *([str(weight)] if weight is not None else [])]
    words += [f"{key}={value}" for key, value in options.items() if value is not None]
    asked = Asked(" ".join(words), Path.cwd(), tuple(files or ()), base, service, write=False)
    raise typer.Exit(run(asked, as_json=as_json, color=not no_color, debug=_debugging()))


@app.command()
def traffic(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A manifest; - for standard input.")],
    *,
    untag: Annotated[
        list[str] | None, typer.Option("--untag", metavar="TAG", help="Take a tag away; repeatable.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="REF=TAG", help="Tag a revision, or @latest; repeatable."),
    ] = None,
    shares: Annotated[
        list[str] | None,
        typer.Option(
            "--traffic", metavar="REF=N", help="Percent of a revision, a tag or @latest; repeatable."
        ),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which service, where there are several.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Edit the file in place.")] = False,
) -> None:
    """Do on a file what `kn service update` does on a cluster.

    The edited file goes to standard output; no other line of it changes. Exit status 1, and nothing written,
    where kn or the API server would refuse.
    """
    from bot.core.kn.flags import Flags  # noqa: PLC0415 - see the module
    from bot.entry.traffic_command import Asked, run  # noqa: PLC0415 - see the module

    flags = Flags(tuple(untag or ()), tuple(tag or ()), tuple(shares or ()))
    raise typer.Exit(run(Asked(file, flags, service, write)))


@app.command()
def migrate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A manifest; - for standard input.")],
    *,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this service; default: all of the file.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Rewrite the file in place.")] = False,
) -> None:
    """Rewrite a legacy manifest (v1alpha1 runLatest, pinned, release) to `template` and `traffic` of v1.

    The file goes to standard output, with all comments, and no byte changed outside of what is rewritten. Fields
    that v1 does not have are dropped and named on standard error. Exit status 1, and nothing written, where the
    result would not be what the server's own conversion gives. A file of v1 stays as it is.
    """
    from bot.entry.migrate_command import Asked, run  # noqa: PLC0415 - see the module

    raise typer.Exit(run(Asked(file, service, write)))


@app.command()
def check(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Manifests, or folders of them.")],
    *,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, github, json or sarif.")
    ] = "text",
    no_color: NoColor = False,
) -> None:
    """Check that the traffic of manifests is valid, as the API server would, and what shows only later.

    Offline; writes nothing. In folders, hidden folders, links and what git ignores are left out. Exit status 1
    where there are errors; warnings and notes do not fail.
    """
    from bot.entry.check_command import Asked, Format, run  # noqa: PLC0415 - see the module

    if form not in set(Format):
        raise typer.BadParameter(f"{form!r} is none of {', '.join(Format)}.", param_hint="--format")
    raise typer.Exit(run(Asked(tuple(paths), Format(form), color=not no_color)))


@app.command()
def serve() -> None:
    """Serve GitHub's webhooks; settings come from the environment."""
    from bot.entry.settings import SettingsUnusable, load  # noqa: PLC0415 - see the module

    try:
        settings = load()
    except SettingsUnusable as error:
        for reason in error.reasons:
            typer.echo(reason, err=True)
        raise typer.Exit(USAGE) from None
    from bot.adapters.ledger import StoreUnusable  # noqa: PLC0415 - see the module
    from bot.entry.serve import serve as serve_until_stopped  # noqa: PLC0415 - see the module

    try:
        serve_until_stopped(settings)
    except (StoreUnusable, OSError) as error:
        typer.echo(f"canary serve: {error}", err=True)
        raise typer.Exit(DECLINED) from None


@app.command()
def demo(
    *,
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Leave the page open to play on.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 for any that is free.")] = 0,
    no_color: NoColor = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the repositories, and say where.")] = False,
) -> None:
    """Play a whole rollout on real git repositories on this machine."""
    from bot.entry.demo import run  # noqa: PLC0415 - see the module

    raise typer.Exit(run(serve=serve_after, port=port, color=not no_color, keep=keep))


@app.command()
def sandbox(
    path: Annotated[
        Path | None,
        typer.Argument(help="A repository to rehearse on; a copy is made, it is never written to."),
    ] = None,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 for any that is free.")] = 0,
) -> None:
    """Open a GitHub stand-in on this machine, with the bot attached, to rehearse by hand."""
    from bot.entry.sandbox_command import run  # noqa: PLC0415 - see the module

    raise typer.Exit(run(path, port))


@app.command("app-manifest")
def app_manifest(
    *,
    name: Annotated[str, typer.Option(help="The App's name, unique on GitHub.")] = "canary-bot",
    url: Annotated[str, typer.Option(help="The App's home page.")] = "https://example.org",
    webhook_url: Annotated[
        str, typer.Option(help="Where the service listens.")
    ] = "https://canary.example.org/webhook",
) -> None:
    """Print the manifest that GitHub's page for new Apps takes."""
    import json  # noqa: PLC0415 - see the module

    from bot.entry.app_manifest import manifest  # noqa: PLC0415 - see the module

    try:
        made = manifest(url, name, webhook_url)
    except ValueError as error:
        typer.echo(f"canary app-manifest: {error}", err=True)
        raise typer.Exit(USAGE) from None
    typer.echo(json.dumps(made, indent=2, ensure_ascii=False))


@app.command()
def action() -> None:
    """Work on the event of a GitHub Action's run; all it needs is in the environment."""
    from bot.entry.action.command import main as run  # noqa: PLC0415 - see the module

    raise typer.Exit(run())


@app.command()
def doctor(
    path: Annotated[Path, typer.Argument(help="A folder of the working tree to look at.")] = Path(),
    *,
    repo: Annotated[
        str,
        typer.Option(metavar="OWNER/NAME", help="Look at this repository on GitHub too; needs credentials."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects on standard output.")] = False,
    no_color: NoColor = False,
) -> None:
    """Find what a repository lacks, and print the remedy for each. Writes nothing.

    Credentials for --repo: the settings of `canary serve`, or GITHUB_TOKEN or GH_TOKEN. Exit status 1
    where there are errors.
    """
    from bot.entry.doctor_command import Asked, run  # noqa: PLC0415 - see the module

    raise typer.Exit(run(Asked(path, repo), as_json=as_json, color=not no_color))


@app.command()
def audit(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Manifests, or folders of them; default: all."),
    ] = None,
    *,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this service: name, or namespace/name.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="REV|DATE", help="Only what is not in REV, or not before DATE (2026-03-01, UTC)."
        ),
    ] = None,
    rev: Annotated[str, typer.Option(metavar="BRANCH", help="The branch to read.")] = "HEAD",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a move, one a line.")] = False,
    no_color: NoColor = False,
) -> None:
    """List who moved which traffic when, and on what evidence, from Git alone.

    Every commit of the branch's first-parent line is judged by the manifests before and after it, and compared
    with the trailers of the bot's commits. Exit status 1 where trailers contradict the content.
    """
    from bot.entry.audit_command import Asked, run  # noqa: PLC0415 - see the module

    asked = Asked(Path.cwd(), tuple(paths or ()), service, since, rev)
    raise typer.Exit(run(asked, as_json=as_json, color=not no_color))


rules = typer.Typer(
    help="Show the rule sets; check the configuration, explain it, and play a rollout's calendar.",
    no_args_is_help=False,
    rich_markup_mode=None,
)
app.add_typer(rules, name="rules")
_Organisation = Annotated[
    str | None,
    typer.Option(
        "--organisation", metavar="FILE", help="The file of the organisation's `.github` repository."
    ),
]
_Service = Annotated[
    str | None, typer.Argument(metavar="[SERVICE]", help="Its name; default: any other one.")
]
_Config = Annotated[
    str | None, typer.Option("--config", metavar="PATH", help="A file or folder; default: the working tree.")
]
_Form = Annotated[str, typer.Option("--format", metavar="FORMAT", help="text or json.")]


@rules.callback(invoke_without_command=True)
def _rules(context: typer.Context, *, form: _Form = "text") -> None:
    """Show the rule sets; check the configuration, explain it, and play a rollout's calendar."""
    from bot.entry.rules_command import Format, run_list  # noqa: PLC0415 - see the module

    if context.invoked_subcommand is None:
        raise typer.Exit(run_list(_chosen(form, Format)))


def _chosen(form: str, known: type[F]) -> F:
    if form not in set(known):
        raise typer.BadParameter(f"{form!r} is none of {', '.join(known)}.", param_hint="--format")
    return known(form)


@rules.command("check")
def rules_check(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH]", help="A configuration, a rule set or a folder; default: the working tree."
        ),
    ] = None,
    *,
    organisation: _Organisation = None,
    form: _Form = "text",
) -> None:
    """Check `.github/canary.yaml` and the rule sets that it names: all problems at once.

    Exit status 1 where there are problems. Keys that the service does not follow yet are checked too, and named on
    standard error.
    """
    from bot.entry.rules_command import Asked, Format, run_check  # noqa: PLC0415 - see the module

    raise typer.Exit(run_check(Asked(Path.cwd(), path, organisation, _chosen(form, Format))))


@rules.command("explain")
def rules_explain(
    service: _Service = None,
    *,
    config: _Config = None,
    organisation: _Organisation = None,
    form: _Form = "text",
) -> None:
    """Show each rule that holds for a service, with its value, and the file and line that say it."""
    from bot.entry.rules_command import Asked, Format, run_explain  # noqa: PLC0415 - see the module

    raise typer.Exit(run_explain(Asked(Path.cwd(), config, organisation, _chosen(form, Format)), service))


@rules.command("simulate")
def rules_simulate(
    service: _Service = None,
    *,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Like 2026-03-06T09:00, in the file's zone; default: now."
        ),
    ] = None,
    steps: Annotated[
        list[int] | None,
        typer.Option(
            "--step", metavar="N", help="Instead of the rule set's; repeatable, the last one is 100."
        ),
    ] = None,
    lifted: Annotated[
        list[str] | None,
        typer.Option("--lift", metavar="FREEZE", help="As if this freeze were overridden; repeatable."),
    ] = None,
    config: _Config = None,
    organisation: _Organisation = None,
    form: _Form = "text",
) -> None:
    """Show when a rollout would reach which share, if gates pass at once and people act as soon as they may."""
    from bot.entry.rules_command import Asked, Format, run_simulate  # noqa: PLC0415 - see the module

    asked = Asked(Path.cwd(), config, organisation, _chosen(form, Format))
    raise typer.Exit(run_simulate(asked, service, start, tuple(steps or ()), tuple(lifted or ())))


@rules.command("schema")
def rules_schema(
    which: Annotated[str, typer.Argument(metavar="[WHICH]", help="config or rules.")] = "config",
) -> None:
    """Print the JSON Schema of the configuration or of a rule set, for editors."""
    from bot.entry.rules_command import SCHEMAS, run_schema  # noqa: PLC0415 - see the module

    if which not in SCHEMAS:
        raise typer.BadParameter(f"{which!r} is none of {', '.join(SCHEMAS)}.", param_hint="WHICH")
    raise typer.Exit(run_schema(which))


@app.command()
def version() -> None:
    """Show the version."""
    typer.echo(_version())


def _debugging() -> bool:
    return os.environ.get("CANARY_DEBUG", "") not in {"", "0"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit status; never raises."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its escape, not a stack trace.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough; the interpreter's own flush at the end must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DECLINED
    except Exception as error:
        if _debugging():
            raise
        words = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(f"canary: this is a bug: {words[:300]} (CANARY_DEBUG=1 shows where)\n")
        return DECLINED
    return status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        typer.main.get_command(app)(args=arguments, prog_name="canary")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DECLINED
    return 0
