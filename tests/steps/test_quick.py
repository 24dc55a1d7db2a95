"""`quick`: a comparison in one line, and runs without a metrics database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.__main__ import main
from tasks.store import FolderStore, read_artefact

ROOT = Path(__file__).resolve().parents[2]
USERS, ITEMS = 40, 30
NAMES = [f"film {number}" for number in range(ITEMS)]  # no id is a row number


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log in which users take items of their half, and vectors that tell the halves."""
    rng = np.random.default_rng(0)
    lines = ["user,item,stars,when"]
    for user in range(USERS):
        weights = np.where(np.arange(ITEMS) % 2 == user % 2, 8.0, 1.0)
        items = rng.choice(ITEMS, 12, replace=False, p=weights / weights.sum())
        stars, when = np.where(items % 2 == user % 2, 5, 1), 1_600_000_000 + rng.integers(10**6, size=len(items))
        rows = zip(items.tolist(), stars.tolist(), when.tolist(), strict=True)
        lines += [f"u{user},{NAMES[item]},{star},{time}" for item, star, time in rows]
    (tmp_path / "ratings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    half = np.arange(ITEMS) % 2
    np.save(tmp_path / "vectors.npy", np.stack([half, 1 - half, rng.normal(size=ITEMS)], axis=1).astype(np.float32))
    (tmp_path / "items.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("RECSYS_STORE", "RECSYS_METRICS_DSN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.slow
def test_one_line_measures_models_and_leaves_nothing_behind(world: Path) -> None:
    """The table is all of stdout, the rest is on stderr; no store and no database is named."""
    scratch = world / "scratch"
    scratch.mkdir()
    words = [sys.executable, "-m", "tasks", "quick", "ratings.csv", "--models", "ease,popularity", "--implicit"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)}
    done = subprocess.run(
        [*words, "--threads", "1"], cwd=world, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Test: means ± deviations over seeds; NDCG@20 against ease with a 95 % interval, and p")
    assert [line.split(" | ")[0] for line in lines[4:]] == ["| ease", "| popularity"]
    assert "no --features: models without content are compared, on all 30 items of the log" in done.stderr
    assert "user: user, item: item, rating: none, time: when; ignored: stars" in done.stderr
    assert "| ease" not in done.stderr
    assert list(scratch.iterdir()) == []


def test_models_with_content_take_vectors_and_tuning(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it in a folder that is kept, and that the other commands can go on with."""
    words = ["quick", "ratings.csv", "--models", "ease,cease", "--features", "text=vectors.npy:items.txt", "--k", "2"]
    words += ["--features", "mood_x=vectors.npy:items.txt", "--rating-column", "stars", "--threshold", "4"]
    words += ["--split", "time", "--time-column", "when", "--seeds", "2", "--tune", "2", "--threads", "1"]
    assert main([*words, "--keep", "kept"]) == 0
    shown = capsys.readouterr()
    assert "| cease | 2 |" in shown.out
    assert "RECSYS_METRICS_DSN" not in os.environ
    store = FolderStore(world / "kept")
    config = read_artefact(store, "runs/quick/scan").json("plan.json")["config"]
    assert (config["split"], config["k_core"], set(config["features"])) == ("time", 2, {"text", "mood_x"})
    assert set(config["hyperparameters"]) == {"ease", "cease"}
    for name, values in config["hyperparameters"].items():
        tuned = read_artefact(store, f"runs/quick/tune-{name}").json("tune.json")
        assert (len(tuned["trials"]), tuned["best"]["hyperparameters"]) == (2, values)
    assert main([*words, "--keep", "kept"]) == 2
    assert "--keep kept is not an empty folder, expected one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--models", "rp3beta,ease"], "models 'rp3beta,ease' found, expected some of popularity, "),
        (["--models", "ease,ease"], "each once"),
        (["--models", ""], "models '' found, expected some of"),
        (["--models", "vbpr,ease"], "vbpr found without --features, expected .*without content can run: popularity, "),
        (["--models", "ease"], r"'stars' \(1, 5\).*--rating-column stars with --threshold"),
        (["--models", "ease", "--implicit", "--split", "given"], "a log without labels found, expected"),
        (["--models", "ease", "--implicit", "--split", "odd"], "odd"),
        (["--models", "ease", "--implicit", "--features", "text=vectors.npy"], "--features 'text=vectors.npy' found"),
        (["--models", "ease", "--implicit", "--features", "a=b.npy:c", "--features", "a=b.npy:c"], "each name once"),
        (["--models", "ease", "--implicit", "--features", "text=none.npy:items.txt"], "none.npy does not exist"),
        (["--models", "ease", "--implicit", "--k", "20"], "20-core|expected"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    """Exit code 2, nothing on stdout, nothing in the temporary folder."""
    monkeypatch.setattr("tempfile.tempdir", str(world / "scratch"))
    (world / "scratch").mkdir()
    assert main(["quick", "ratings.csv", *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.splitlines()[-1]
    assert re.search(sentence, last), last
    assert [path for path in (world / "scratch").iterdir() if path.name.startswith("recsys-quick")] == []


def test_the_table_is_shown_though_a_model_refuses(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the models that could be measured; the error names the others."""
    words = ["quick", "ratings.csv", "--models", "popularity,ease", "--implicit", "--threads", "1"]
    assert main([*words, "--memory", "0.000001"]) != 0
    shown = capsys.readouterr()
    assert "| popularity | 1 |" in shown.out
    assert "| ease" not in shown.out
    assert "1 of 2 models failed and are not in the table: ease: " in shown.err


@pytest.fixture
def without_database(world: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command on a folder store, with RECSYS_METRICS_DSN=none."""
    monkeypatch.setenv("RECSYS_STORE", f"file://{world}/store")
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    return lambda *words: main(list(words))


@pytest.mark.slow
def test_a_run_needs_no_database_to_its_metrics(
    world: Path,
    without_database: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From scan to evaluate, compare and tune: metrics are in the artefacts alone."""
    caplog.set_level("INFO")
    assert without_database("load-interactions", "ratings.csv", "--dataset", "films", "--implicit") == 0
    vectors = ["--dataset", "films", "--modality", "text", "--vectors", "vectors.npy", "--items", "items.txt"]
    assert without_database("load-embeddings", *vectors) == 0
    config = world / "run.yaml"
    config.write_text("{dataset: films, modalities: [text], encoder: none, models: [ease], split: random}")
    assert without_database("scan", "--run", "one", "--config", str(config)) == 0
    assert "run one of films is kept in the store alone" in caplog.text
    assert without_database("extract", "--run", "one", "--feature", "text") == 0
    for step in ("align", "check-embeddings", "prepare", "check-dataset"):
        assert without_database(step, "--run", "one") == 0, step
    for step in ("train", "evaluate"):
        assert without_database(step, "--run", "one", "--model", "ease") == 0, step
    assert without_database("tune", "--run", "one", "--model", "ease", "--trials", "1") == 0
    assert "RECSYS_METRICS_DSN is none: the trials are in the artefact alone" in caplog.text
    assert without_database("compare", "--run", "one", "--models", "ease,popularity", "--seeds", "1") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["against"] == "ease"
    store = FolderStore(world / "store")
    assert read_artefact(store, "runs/one/evaluate-ease").json("metrics.json")["test"]["ndcg@20"] > 0
    assert without_database("refit", "--run", "one") == 0
    capsys.readouterr()
    for words in (["publish", "--run", "one"], ["rollback", "--dataset", "films"], ["history"], ["migrate"]):
        assert without_database(*words) == 2, words
        said = capsys.readouterr().err
        assert (
            said == "RECSYS_METRICS_DSN is none, expected postgresql://...: this command needs the metrics database\n"
        )
