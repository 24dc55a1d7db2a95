"""Write what follows from the lists of models and commands: tables of the README and the list of the trigger form.

    python -m local.generate        (make generate)

A model's row is the first line of its file, `Title: what it is (source).`, and whether it uses content; a command's is
the first line of its docstring. Airflow's environment has no task package, so its form holds a copy of the names.
"""

from __future__ import annotations

import re
from pathlib import Path

from tasks.__main__ import COMMANDS, summary
from tasks.errors import TaskError
from tasks.models import MODELS, model_class

ROOT = Path(__file__).parent.parent
README, FORM = ROOT / "README.md", ROOT / "plugins/recsys/form.py"
TABLE = re.compile(r"(?<=\| Name \| What it is \| Uses content \|\n\|---\|---\|---\|\n)(?:\|.*\n)*")
COMMAND_TABLE = re.compile(r"(?<=\| Command \| What it does \|\n\|---\|---\|\n)(?:\|.*\n)*")
LIST = re.compile(r"(?<=^MODELS = \[\n)(?:    .*\n)*(?=\]$)", re.MULTILINE)


def row(name: str) -> str:
    """A model's row of the table."""
    path = ROOT / (MODELS[name].split(":")[0].replace(".", "/") + ".py")
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    said = re.fullmatch(r'"""[^:]+: (.+)\.(?:""")?', first)
    if said is None:
        raise TaskError(f'{path.name} begins with {first!r}, expected """Title: what it is (source)."""')
    return f"| `{name}` | {said[1]} | {'yes' if model_class(name).uses_content else ''} |\n".replace("|  |", "| |")


def generate_files() -> dict[Path, str]:
    """Text of each file with what follows from MODELS."""
    table = "".join(row(name) for name in MODELS)
    names = "".join(f'    "{name}",\n' for name in MODELS)
    commands = "".join(f"| `{name}` | {summary(name)} |\n" for name in COMMANDS)
    readme, form = README.read_text(encoding="utf-8"), FORM.read_text(encoding="utf-8")
    readme = put(COMMAND_TABLE, commands, put(TABLE, table, readme, README), README)
    return {README: readme, FORM: put(LIST, names, form, FORM)}


def put(pattern: re.Pattern[str], new: str, text: str, path: Path) -> str:
    """`text` of a file with `new` in the one place of `pattern`."""
    result, count = pattern.subn(lambda _: new, text)
    if count != 1:
        raise TaskError(f"{path.name} has {count} places for {pattern.pattern}, expected one: restore its heading")
    return result


def main() -> None:
    """Write both files."""
    for path, text in generate_files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
