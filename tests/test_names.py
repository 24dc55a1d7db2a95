"""Names that try something are bad input to every command that takes one: one sentence, exit code 2, nothing made."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tasks.__main__ import main
from tasks.data import first_odd
from tests.nasty import NASTY

STORE_ALONE = (
    "load-media FOLDER --dataset",
    "load-interactions LOG --dataset",
    "load-embeddings --modality image --vectors LOG --items LOG --dataset",
    "load-embeddings --dataset films --modality image --vectors LOG --items LOG --feature",
    "load-items LOG --dataset",
    "load-features LOG --feature x --dataset",
    "load-features LOG --dataset films --feature",
    "discover --dataset",
    "encode --encoder audioclip-demo --dataset",
    "encode --dataset films --encoder",
    "scan --run r --models ease --dataset",
    "scan --dataset films --models ease --run",
    "scan --run r --dataset films --models ease --config",
    "scan --run r --dataset films --models",
    "scan --run r --dataset films --models ease --encoder",
    "scan --run r --dataset films --models ease --modalities",
    "align --run",
    "extract --run r --feature",
    "train --run r --model",
    "evaluate --model ease --run",
    "publish --run",
    "promote --answer approved --run",
    "recommend --user x --dataset",
    "recommend --dataset films --user x --release",
    "releases --dataset",
    "demo-catalogue --load",
    "weights",
    "train-encoder --dataset films --name",
)
WITH_DATABASE = ("history --dataset", "history --model", "rollback --dataset", "rollback --dataset films --release")


def refuses(words: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether the command with this name as its last word ends with 2 and one line."""
    (folder / "log.csv").write_text("user_id,item_id\na,b\n", encoding="utf-8")
    (folder / "folder").mkdir(exist_ok=True)
    places = {"LOG": str(folder / "log.csv"), "FOLDER": str(folder / "folder")}
    code = main([*(places.get(word, word) for word in shlex.split(words)), name])
    said = capsys.readouterr().err
    return (code, said.count("\n"), "Traceback" in said) == (2, 1, False)


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("words", STORE_ALONE)
def test_a_command_refuses_it(
    words: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written to the store."""
    monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path}/store")
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    assert refuses(words, name, tmp_path, capsys)
    assert not (tmp_path / "store").exists()


@pytest.mark.services
@pytest.mark.parametrize("words", WITH_DATABASE)
def test_a_command_that_asks_the_database_refuses_it(
    words: str,
    tmp_path: Path,
    metrics_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A name is a parameter of a query and never a part of it; PostgreSQL takes no NUL."""
    del metrics_dsn  # it is in the environment
    monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path}/store")
    assert [kind for kind, name in NASTY.items() if not refuses(words, name, tmp_path, capsys)] == []


FORMULAS = ("=1+1", "=cmd|' /C calc'!A0", "+f(1)", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "＝1", "＋f(1)", '=LINK("x")')
HARMLESS = ("-5KAN9_CzSA", "@ada", "+44", "-1", "a=b", "f(x)|y", "<b>", "1+1", "Sgt. Pepper (1967)")


@pytest.mark.parametrize("item", FORMULAS)
def test_an_item_id_that_a_spreadsheet_would_run_is_refused(item: str) -> None:
    """Tables keep ids as they are, so that they can be joined, and people open tables in spreadsheets."""
    assert first_odd(["film-1", item]) == 1


@pytest.mark.parametrize("item", HARMLESS)
def test_an_item_id_that_only_looks_odd_is_taken(item: str) -> None:
    """Ids of videos begin with a dash, names of users with @."""
    assert first_odd([item]) is None
