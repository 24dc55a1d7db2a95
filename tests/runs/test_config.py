"""The plan: presets, overrides and the sentences for what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.runs.config import PRESETS, load_config
from tasks.store.layout import run_name


@pytest.mark.parametrize("preset", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_every_preset_loads(preset: str) -> None:
    """A preset that is shipped is valid."""
    assert load_config(preset, {}).models


def test_overrides_win_and_none_leaves_the_preset() -> None:
    """An option that was not given does not override."""
    config = load_config("nightly", {"seed": 11, "dataset": None})
    assert (config.seed, config.dataset) == (11, "demo")


@pytest.mark.parametrize(
    ("drift", "message"),
    [
        ("{rows_lsot: 0.5}", r"rows_lsot.*expected some of rows_lost, users_lost"),
        ("{rows_lost: -1}", "drift"),
        ("{rows_lost: much}", "drift"),
    ],
)
def test_a_limit_of_a_change_must_be_one(tmp_path: Path, drift: str, message: str) -> None:
    """An unknown name would be no limit; the known ones are named."""
    path = tmp_path / "p.yaml"
    path.write_text(f"dataset: d\nmodalities: [text]\nencoder: e\nmodels: [ease]\ndrift: {drift}\n")
    with pytest.raises(BadInput, match=message):
        load_config(str(path), {})


def test_hyperparameters_of_models_that_the_run_leaves_out_stay(tmp_path: Path) -> None:
    """A preset may speak for more models than a run names."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "dataset: d\nmodalities: [text]\nencoder: e\nmodels: [ease, bpr]\n"
        "hyperparameters: {ease: {l2: 1}, bpr: {batch_size: 2}}\n"
    )
    assert load_config(str(path), {"models": ["ease"]}).hyperparameters == {
        "ease": {"l2": 1},
        "bpr": {"batch_size": 2},
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dataset: d\nmodalities: [text]\nencoder: e\nmodels: [ease]\nk: 5\n", "unknown key k"),
        ("dataset: d\nmodalities: [smell]\nencoder: e\nmodels: [ease]\n", "modalities"),
        ("dataset: d\nmodalities: [text, text]\nencoder: e\nmodels: [ease]\n", "twice"),
        ("dataset: d\nmodalities: [text]\nencoder: e\nmodels: []\n", "models"),
        ("dataset: d\nmodalities: [text]\nencoder: e\nmodels: [ease]\nhyperparameters: {brp: {}}\n", "brp"),
        ("dataset: ../d\nmodalities: [text]\nencoder: e\nmodels: [ease]\n", "dataset"),
        ("- a\n", "list"),
        ("a: [\n", "not YAML"),
    ],
)
def test_a_wrong_preset_says_what_it_found(tmp_path: Path, text: str, sentence: str) -> None:
    """Unknown keys, unknown values and impossible pairs are named."""
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=sentence):
        load_config(str(path), {})


def test_a_sentence_of_ours_is_said_as_it_is(tmp_path: Path) -> None:
    """Without the words that the library puts before it."""
    path = tmp_path / "p.yaml"
    path.write_text("dataset: d\nmodalities: [text]\nencoder: e\nmodels: [ease, ease]\n")
    with pytest.raises(BadInput, match=r"p.yaml': models \['ease', 'ease'\] name one thing twice, expected each once$"):
        load_config(str(path), {})


def test_an_unknown_preset_lists_the_known() -> None:
    """A typo in the name is answered with the names there are."""
    with pytest.raises(BadInput, match="nightly"):
        load_config("nigthly", {})


@pytest.mark.parametrize("run", ["", "../x", "a/b", "-a", "a b", "x" * 201])
def test_a_run_name_cannot_leave_its_folder(run: str) -> None:
    """What could be another key is refused."""
    with pytest.raises(BadInput, match="run name"):
        run_name(run)


def test_run_ids_of_airflow_are_run_names() -> None:
    """The scheduler's ids are used as they are."""
    assert run_name("manual__2026-11-21T07:00:00.123+00:00")
