"""Text of docs/commands.md: every command with its options, as typer knows them."""

from __future__ import annotations

import inspect
import re
from functools import cache

import typer

from tasks.__main__ import COMMANDS, QUIET, command, summary

HEAD = """# Commands

<!-- `make generate` writes this page from the commands themselves; changes by hand are lost. -->

Every step of the pipeline is a command, and a task of the DAG is one call of a command. In the containers type
`docker compose run --rm tasks COMMAND ...`; without Docker type `python -m tasks COMMAND ...` in a shell in which
`source .local/env` was run. `COMMAND --help` shows the same as this page.

| Exit code | Meaning | In Airflow |
|---|---|---|
| 0 | done | success |
| 99 | nothing to do | skipped |
| 10 | validation failed | failed, never retried |
| 2 | bad input: an option, a file or a setting | failed, never retried |
| other | a fault | retried three times, then failed |

An error is one sentence on standard error: what was found, what was expected, what to do. `--debug`, anywhere after the
name of the command, also prints the stack trace. The last line on standard output is JSON with what was done, except
for {quiet}, whose output is the answer itself.

| Command | What it does |
|---|---|
"""
TABLE = "| Option | Type | Default | Meaning |\n|---|---|---|---|\n"
RECORD = re.compile(r"(?P<names>.+?)(?: <(?P<type>.+)>)?")
HELP = re.compile(r"(?P<text>.*?)(?: {0,2}\[(?P<extra>[^\]]*)\])?", re.DOTALL)


def write_command_page() -> str:
    """Markdown of the whole page. Imports every command (torch and pandas too: seconds)."""
    table = "".join(f"| [`{name}`](#{name}) | {escape(summary(name))} |\n" for name in COMMANDS)
    quiet = ", ".join(f"`{name}`" for name in COMMANDS if name in QUIET)
    return HEAD.format(quiet=quiet) + table + "".join(map(section, COMMANDS))


@cache
def section(name: str) -> str:
    """Heading, docstring, usage and table of options of one command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(command(name))
    parsed = typer.main.get_command(app)
    context = parsed.context_class(parsed, info_name=name)
    records = [record for option in parsed.params if (record := option.get_help_record(context))]
    usage = " ".join(["python -m tasks", name, *parsed.collect_usage_pieces(context)])
    text = escape(inspect.cleandoc(parsed.help or ""))
    rows = TABLE + "".join(option_row(*record) for record in records) if records else "It has no options.\n"
    return f"\n## {name}\n\n{text}\n\n```sh\n{usage}\n```\n\n{rows}"


def option_row(names: str, help_text: str) -> str:
    """Row of one option or argument, of the two texts of its line in `--help`: "--k <int>" and "k.  [default: 5]"."""
    option, said = RECORD.fullmatch(names), HELP.fullmatch(help_text)
    if option is None or said is None:
        raise ValueError(f"{names!r} with help {help_text!r} found, expected a line of --help")
    extra = dict(part.split(": ", 1) for part in (said["extra"] or "").split("; ") if ": " in part)
    bounds = [part for part in (said["extra"] or "").split("; ") if "=" in part and ": " not in part]
    shown = f"`{extra['default']}`".replace("|", "\\|") if "default" in extra else ""
    shown = "required" if said["extra"] == "required" else shown
    text = said["text"] + (f" Environment: `{extra['env var']}`." if "env var" in extra else "")
    kind = re.sub(r" range$|^list\[(.+)\]$", r"\1", option["type"] or "switch")
    kind += ", repeatable" if (option["type"] or "").startswith("list") else ""
    cells = [f"`{option['names']}`", escape(", ".join([kind, *bounds])), shown, escape(text)]
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def escape(text: str) -> str:
    """`text` with the signs of HTML and of tables as Markdown wants them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
