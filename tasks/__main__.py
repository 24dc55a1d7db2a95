"""The command line: one sub-command per task of the DAG, and some that people type.

`python -m tasks COMMAND --help` explains a command. Only the module of the requested command is imported. Exit codes:
0 done, 99 nothing to do, 10 validation failed, 2 bad input, anything else a fault.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import importlib
import importlib.util
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TextIO

import typer

from tasks.errors import BadInput, TaskError

COMMANDS = {
    "load-media": "tasks.steps.load_media:load_media",
    "load-interactions": "tasks.steps.load_interactions:load_interactions",
    "load-items": "tasks.steps.load_items:load_items",
    "load-embeddings": "tasks.steps.load_embeddings:load_embeddings",
    "load-features": "tasks.steps.load_features:load_features",
    "discover": "tasks.steps.discover:discover",
    "scan": "tasks.steps.scan:scan",
    "encode": "tasks.steps.encode:encode",
    "extract": "tasks.steps.extract:extract",
    "align": "tasks.steps.align:align",
    "check-embeddings": "tasks.steps.check_embeddings:check_embeddings",
    "prepare": "tasks.steps.prepare:prepare",
    "check-dataset": "tasks.steps.check_dataset:check_dataset",
    "train": "tasks.steps.train:train",
    "tune": "tasks.steps.tune:tune",
    "evaluate": "tasks.steps.evaluate:evaluate",
    "refit": "tasks.steps.refit:refit",
    "compare": "tasks.steps.compare:compare",
    "papers": "tasks.steps.papers:papers",
    "quick": "tasks.steps.quick:quick",
    "publish": "tasks.steps.publish:publish",
    "promote": "tasks.steps.promote:promote",
    "releases": "tasks.steps.releases:releases",
    "rollback": "tasks.steps.rollback:rollback",
    "verify": "tasks.steps.verify:verify",
    "gc": "tasks.steps.gc:gc",
    "compact-cache": "tasks.steps.compact_cache:compact_cache",
    "recommend": "tasks.steps.recommend:recommend",
    "history": "tasks.steps.history:history",
    "migrate": "tasks.steps.migrate:migrate",
    "provision": "tasks.steps.provision:provision",
    "store": "tasks.steps.store:store",
    "export-store": "tasks.steps.copy_store:export_store",
    "import-store": "tasks.steps.copy_store:import_store",
    "encoders": "tasks.steps.encoders:encoders",
    "weights": "tasks.steps.weights:weights",
    "train-encoder": "tasks.steps.train_encoder:train_encoder",
    "demo-catalogue": "tasks.steps.demo_catalogue:demo_catalogue",
    "demo-arrivals": "tasks.steps.demo_arrivals:demo_arrivals",
}
# Commands whose output is for people or other programs: no log lines in it, no closing line of JSON.
QUIET = {"demo-arrivals", "history", "quick", "recommend", "releases", "store", "export-store"}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def summary(name: str) -> str:
    """Return the first line of the command's docstring without importing its module (torch takes seconds)."""
    module, function = COMMANDS[name].split(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"command {name} names module {module}, which does not exist")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(f"command {name} names {module}:{function}, which does not exist")


def usage() -> str:
    """Return the list of commands with one line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary(name)}" for name in COMMANDS]
    debug = "--debug, anywhere after the name of a command, shows the stack trace of an error."
    return "\n".join(["Usage: python -m tasks COMMAND [OPTIONS]", "", "Commands:", *lines, "", debug])


def command(name: str) -> Callable[..., dict[str, object]]:
    """Import and return the function of a command."""
    module, function = COMMANDS[name].split(":")
    implementation: Callable[..., dict[str, object]] = getattr(importlib.import_module(module), function)
    return implementation


def run(name: str, arguments: list[str]) -> int:
    """Run one command; returns its exit code. --debug shows the stack trace of an error."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    try:
        _require_text(name, arguments)
        app.command(name)(command(name))
        result = app(arguments, prog_name=f"python -m tasks {name}", standalone_mode=False)
    except TaskError as error:
        return _report(error, str(error), error.exit_code, debug=debug)
    except KeyboardInterrupt as error:
        return _report(error, "interrupted", 130, debug=debug)
    except typer.Exit as error:
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the boundary: whatever it is becomes one line and an exit code
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of the option parser
            sentence = error.format_message().rstrip(".")
            return _report(error, f"{sentence}. See `python -m tasks {name} --help`.", 2, debug=debug)
        return _report(error, f"{type(error).__name__}: {error}", 1, debug=debug)
    if isinstance(result, dict) and name not in QUIET:
        sys.stdout.write(json.dumps(result, default=str) + "\n")
    return result if isinstance(result, int) else 0


def _require_text(name: str, arguments: list[str]) -> None:
    if any("\0" in argument for argument in arguments):  # neither files nor PostgreSQL have names with one
        raise BadInput(f"an argument of {name} has a NUL in it, expected text without one")


def _report(error: BaseException, message: str, code: int, *, debug: bool) -> int:
    sys.stdout.flush()
    if debug:
        traceback.print_exception(error)
    hint = "" if code in {2, 10, 99, 130} or debug else " (add --debug for the stack trace)"
    sys.stderr.write(" ".join(message.split()) + hint + "\n")
    return code


class Log(logging.StreamHandler[TextIO]):
    """Writes log messages to a stream. If the stream is closed, the command ends, as for printed output."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """End the command if a message cannot be written; logging would print a stack trace and continue."""
        if isinstance(sys.exception(), BrokenPipeError):
            raise  # noqa: PLE0704  what is being handled
        super().handleError(record)


def dispatch(arguments: list[str]) -> int:
    """Run the command in `arguments`; returns the exit code."""
    if not arguments or arguments[0] in {"--help", "-h", "help"}:
        sys.stdout.write(usage() + "\n")
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        sys.stderr.write(f"command {name!r} found, expected one of: {', '.join(COMMANDS)}\n")
        return 2
    level = os.environ.get("RECSYS_LOG_LEVEL") or "INFO"
    if level.upper() not in LEVELS:
        sys.stderr.write(f"RECSYS_LOG_LEVEL of {level!r} found, expected {', '.join(LEVELS[:-1])} or {LEVELS[-1]}\n")
        return 2
    stream = sys.stderr if name in QUIET else sys.stdout
    logging.basicConfig(level=level.upper(), format="%(message)s", handlers=[Log(stream)])
    return run(name, rest)


def main(arguments: list[str]) -> int:
    """Run the command line; `arguments` are without the program's name. Returns the exit code."""
    try:
        code = dispatch(arguments)
        sys.stdout.flush()  # at its end the interpreter would print a stack trace if the pipe is closed
    except BrokenPipeError:  # as in `... | head -1`: discard the rest of the buffer
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def end(code: int) -> NoReturn:
    """End this process with `code`, without tearing the interpreter down.

    A thread of a C++ library (such as Arrow's readers) that reaches for a Python object after the interpreter is gone
    aborts the process, which then ends by a signal in place of `code`. As in children of multiprocessing, threads are
    joined, what `atexit` knows is done and streams are flushed, and the operating system does the rest.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # no public function joins pools, too
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # nobody reads it any more, and `main` has said so by its code
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main(sys.argv[1:]))
