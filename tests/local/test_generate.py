"""What follows from the lists of models and commands is as the lists say."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import generate
from tasks.__main__ import summary
from tasks.errors import TaskError
from tasks.models import MODELS


def test_the_readme_and_the_trigger_form_follow_from_the_models() -> None:
    """A model is one file and one line; the rest is written by `make generate`."""
    for path, text in generate.generate_files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not up to date: run `make generate`"
        assert all(f"`{name}`" in text or f'"{name}"' in text for name in MODELS)


def test_a_new_line_of_the_list_is_written_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name, with the row of its own file."""
    monkeypatch.setitem(MODELS, "second", MODELS["bpr"])
    texts = [text for path, text in generate.generate_files().items()]
    assert f"| `scan` | {summary('scan')} |" in texts[0]
    assert "| `second` | matrix factorisation with a pairwise ranking loss (Rendle et al. 2009) | |" in texts[0]
    assert '    "smore",\n    "second",\n]' in texts[1]


def test_both_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is around the table and the list stays as it is."""
    for name in ("README", "FORM"):
        path = tmp_path / name
        path.write_text(getattr(generate, name).read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(generate, name, path)
    before = [path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir())]
    monkeypatch.delitem(MODELS, "smore")
    generate.main()
    assert "smore" not in (tmp_path / "FORM").read_text(encoding="utf-8")
    assert "| `smore` |" not in (tmp_path / "README").read_text(encoding="utf-8")
    monkeypatch.undo()
    for name in ("README", "FORM"):
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
    path = tmp_path / "README.md"
    path.write_text(generate.README.read_text(encoding="utf-8").replace("| Command | What", "| Commands | What"))
    monkeypatch.setattr(generate, "README", path)
    with pytest.raises(TaskError, match=r"README\.md has 0 places for .*, expected one"):
        generate.generate_files()
