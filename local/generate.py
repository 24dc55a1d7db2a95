"""Write what follows from the code: tables of models and papers, the page of commands, what forms offer, .env.example.

    python -m local.generate        (make generate)

A model's row is the first line of its file, `Title: what it is (source).`, and whether it uses content; a command's
section is its help. Airflow's environment has no task package, so its form holds a copy of the names of models,
encoders (those that are shipped and the released checkpoints) and presets (files in `tasks/configs`).
"""

from __future__ import annotations

import re
from pathlib import Path

from local.command_page import write_command_page
from local.env_example import write_env_example
from tasks.encoders import BUNDLES, list_shipped
from tasks.errors import TaskError
from tasks.experiments.paper_page import read_result, write_page
from tasks.experiments.papers import list_papers, load_paper, result_path
from tasks.models import MODELS, model_class
from tasks.runs.config import load_config
from tasks.steps.weights import list_checkpoints

ROOT = Path(__file__).parent.parent
MODELS_PAGE, COMMANDS_PAGE = ROOT / "docs/models.md", ROOT / "docs/commands.md"
FORM, ENV_EXAMPLE = ROOT / "plugins/recsys/form.py", ROOT / ".env.example"
TABLE = re.compile(r"(?<=\| Name \| What it is \| Uses content \|\n\|---\|---\|---\|\n)(?:\|.*\n)*")
CONFIGS, DOCS = ROOT / "tasks/configs", ROOT / "docs/results"
PAPERS_PLACE = re.compile(r"(?<=^PAPERS = \{\n)(?:    .*\n)*(?=\}$)", re.MULTILINE)


def row(name: str) -> str:
    """A model's row of the table."""
    path = ROOT / (MODELS[name].split(":")[0].replace(".", "/") + ".py")
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    said = re.fullmatch(r'"""[^:]+: (.+)\.(?:""")?', first)
    if said is None:
        raise TaskError(f'{path.name} begins with {first!r}, expected """Title: what it is (source)."""')
    return f"| `{name}` | {said[1]} | {'yes' if model_class(name).uses_content else ''} |\n".replace("|  |", "| |")


def paper_line(name: str) -> str:
    """A paper and its features, for the form of the DAG."""
    features = ", ".join(f'"{feature}"' for feature in load_config(f"papers/{name}", {}).feature_names)
    return f'    "{name}": [{features}],\n'


def page_of(name: str) -> str:
    """The page of a paper, with the figures of its stored result."""
    return write_page(name, load_paper(name), read_result(result_path(name)))


def generate_files() -> dict[Path, str]:
    """Text of each file that follows from the code."""
    table = "".join(row(name) for name in MODELS)
    models, form = MODELS_PAGE.read_text(encoding="utf-8"), FORM.read_text(encoding="utf-8")
    presets = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    for name, offered in {
        "MODELS": list(MODELS),
        "ENCODERS": [*BUNDLES, *list_shipped(), *list_checkpoints()],
        "PRESETS": presets,
    }.items():
        place = re.compile(rf"(?<=^{name} = \[\n)(?:    .*\n)*(?=\]$)", re.MULTILINE)
        form = put(place, "".join(f'    "{one}",\n' for one in offered), form, FORM)
    form = put(PAPERS_PLACE, "".join(map(paper_line, list_papers())), form, FORM)
    pages = {DOCS / f"{name}.md": page_of(name) for name in list_papers() if result_path(name).exists()}
    return pages | {
        MODELS_PAGE: put(TABLE, table, models, MODELS_PAGE),
        FORM: form,
        COMMANDS_PAGE: write_command_page(),
        ENV_EXAMPLE: write_env_example(),
    }


def put(pattern: re.Pattern[str], new: str, text: str, path: Path) -> str:
    """`text` of a file with `new` in the one place of `pattern`."""
    result, count = pattern.subn(lambda _: new, text)
    if count != 1:
        raise TaskError(f"{path.name} has {count} places for {pattern.pattern}, expected one: restore its heading")
    return result


def main() -> None:
    """Write the files."""
    for path, text in generate_files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
