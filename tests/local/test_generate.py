"""What follows from models, commands and settings is up to date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from local import command_page, generate
from tasks.__main__ import COMMANDS, command
from tasks.encoders import DEMO
from tasks.errors import TaskError
from tasks.models import MODELS
from tasks.steps.weights import list_checkpoints

NAMES = ("MODELS_PAGE", "COMMANDS_PAGE", "FORM", "ENV_EXAMPLE")


def test_every_generated_file_is_up_to_date() -> None:
    """A model is one file and one line, a command one function and one line; the rest is written by `make generate`."""
    files = generate.generate_files()
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not up to date: run `make generate`"
    for path in (generate.MODELS_PAGE, generate.FORM):
        assert all(f"`{name}`" in files[path] or f'"{name}"' in files[path] for name in MODELS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_on_its_page(name: str) -> None:
    """With a type and a meaning; the options are read from the function here, not from its help."""
    section = command_page.section(name)
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))
    shown = {word.strip("-").replace("-", "_") for words in rows for word in re.split(r", | / ", words)}
    hints = get_type_hints(command(name), include_extras=True)
    given = {parameter: get_args(hints[parameter])[1] for parameter in hints if parameter != "return"}
    for parameter, info in given.items():
        declared = info.param_decls or ([info.default] if str(info.default).startswith("--") else [parameter])
        names = {word.strip("-").replace("-", "_") for word in declared}
        assert names <= shown, parameter
    assert all(re.fullmatch(r"[^|]*[a-z][^|]* \|[^|]*\| .*\w.*", cells.replace("\\|", "")) for cells in rows.values())


def test_a_line_of_help_becomes_a_row() -> None:
    """Type, bounds, default and environment are taken apart; signs of Markdown and HTML are escaped."""
    row = command_page.option_row
    assert row("--k <int range>", "Items.  [default: 10; x>=1]") == "| `--k` | int, x&gt;=1 | `10` | Items. |\n"
    assert row("--user <list[str]>", "A | b.") == "| `--user` | str, repeatable | | A \\| b. |\n"
    assert row("file <path>", "The log.  [required]") == "| `file` | path | required | The log. |\n"
    said = "cpu or cuda.  [env var: RECSYS_DEVICE; default: cpu]"
    expected = "| `--device` | str | `cpu` | cpu or cuda. Environment: `RECSYS_DEVICE`. |\n"
    assert row("--device <str>", said) == expected
    assert row("--json", "As JSON.") == "| `--json` | switch | | As JSON. |\n"


def test_the_example_of_env_has_no_secret_and_every_setting_of_compose() -> None:
    """test_compose.py compares it with an .env that was really written."""
    lines = generate.ENV_EXAMPLE.read_text(encoding="utf-8").splitlines()
    settings = dict(line.removeprefix("# ").split("=", 1) for line in lines if re.match(r"(# )?[A-Z][A-Z0-9_]*=", line))
    assert not any(value for name, value in settings.items() if re.search("PASSWORD|SECRET|FERNET", name))
    compose = (generate.ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", compose)) <= set(settings)
    assert settings["UI_URL"] == "http://localhost:${UI_PORT:-8080}"
    assert not settings["ACCELERATOR"]  # by the machine
    assert settings["COMPOSE_PROFILES"] == "dev"


def test_a_new_line_of_the_list_is_written_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name, with the row of its own file."""
    monkeypatch.setitem(MODELS, "second", MODELS["bpr"])
    texts = generate.generate_files()
    row = "| `second` | matrix factorisation with a pairwise ranking loss (Rendle et al. 2009) | |"
    assert row in texts[generate.MODELS_PAGE]
    assert '    "smore",\n    "second",\n]' in texts[generate.FORM]


def test_the_form_offers_the_encoders_and_presets_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new preset is one file; a released checkpoint is one entry of its architecture."""
    for path in (*generate.CONFIGS.glob("*.yaml"), Path("own-shop.yaml")):
        (tmp_path / path.name).write_text("dataset: demo\n")
    monkeypatch.setattr(generate, "CONFIGS", tmp_path)
    form = generate.generate_files()[generate.FORM]
    assert '    "nightly",\n    "own-shop",\n]' in form
    assert f'ENCODERS = [\n    "offline",\n    "{DEMO}",\n' in form
    assert all(f'    "{name}",\n' in form for name in list_checkpoints())


def test_the_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is around the table and the list stays as it is."""
    for name in NAMES:
        path = tmp_path / name
        path.write_text(getattr(generate, name).read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(generate, name, path)
    before = [path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir())]
    monkeypatch.delitem(MODELS, "smore")
    generate.main()
    assert "smore" not in (tmp_path / "FORM").read_text(encoding="utf-8")
    assert "| `smore` |" not in (tmp_path / "MODELS_PAGE").read_text(encoding="utf-8")
    monkeypatch.undo()
    for name in NAMES:
        monkeypatch.setattr(generate, name, tmp_path / name)
    generate.main()
    assert [path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir())] == before


def test_a_file_that_does_not_say_what_it_is_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the form that is expected."""
    (tmp_path / "odd.py").write_text('"""A model."""\n')
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setitem(MODELS, "odd", "odd:Odd")
    with pytest.raises(TaskError, match=r"odd\.py begins with .*expected"):
        generate.row("odd")


def test_a_file_without_a_place_for_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heading that was changed would otherwise freeze its table in silence."""
    path = tmp_path / "models.md"
    path.write_text(generate.MODELS_PAGE.read_text(encoding="utf-8").replace("| Name | What", "| Names | What"))
    monkeypatch.setattr(generate, "MODELS_PAGE", path)
    with pytest.raises(TaskError, match=r"models\.md has 0 places for .*, expected one"):
        generate.generate_files()
