"""The whole job, command by command, on a slice of real posters, plots, sounds and clicks, with real servers."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tasks.store import Artefact, History, Store, read_artefact

ROOT = Path(__file__).resolve().parents[2]
ITEMS = 120
RUN = "slice"
pytestmark = [pytest.mark.realdata, pytest.mark.services, pytest.mark.slow]


def layout() -> ModuleType:
    """The script that lays ML-1M out, as a module."""
    spec = importlib.util.spec_from_file_location("ml1m_layout", ROOT / "benchmarks" / "ml1m.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tasks(*words: str) -> dict[str, object]:
    """Run a command as Airflow does; returns its closing line."""
    done = subprocess.run(
        [sys.executable, "-m", "tasks", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    closing: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return closing


def table(artefact: Artefact, name: str) -> list[dict[str, str]]:
    """The rows of a .csv of an artefact, read without the package's own reader."""
    return list(csv.DictReader(artefact.path(name).read_text(encoding="utf-8").splitlines()))


def test_the_whole_job_on_a_slice_of_real_data(
    shared_data: Path, s3_store: Store, metrics_dsn: str, tmp_path: Path
) -> None:
    """Posters, plots, stand-in sounds and clicks become a published release that speaks the films' own ids."""
    counts = layout().lay_out(shared_data, tmp_path, items=ITEMS, audio=True)
    broken = tmp_path / "image" / f"{sorted(int(p.stem) for p in (tmp_path / 'image').glob('*.jpg'))[0]}.jpg"
    content = broken.read_bytes()
    broken.unlink()
    broken.write_bytes(content[: len(content) // 2])

    tasks("load-media", str(tmp_path), "--dataset", "ml1m")
    tasks("load-interactions", str(tmp_path / "interactions.tsv"), "--dataset", "ml1m")
    tasks("scan", "--run", RUN, "--dataset", "ml1m", "--models", "popularity,ease")
    for modality in ("image", "audio", "text"):
        closing = tasks("extract", "--run", RUN, "--modality", modality)
        assert closing["rejected"] == (1 if modality == "image" else 0)
    for step in ("align", "check-embeddings", "prepare", "check-dataset"):
        tasks(step, "--run", RUN)
    for model in ("popularity", "ease"):
        tasks("train", "--run", RUN, "--model", model)
        tasks("evaluate", "--run", RUN, "--model", model)
    tasks("refit", "--run", RUN)
    tasks("publish", "--run", RUN)

    aligned = read_artefact(s3_store, f"runs/{RUN}/align")
    arrays = {modality: aligned.array(f"{modality}.npy") for modality in ("image", "audio", "text")}
    assert [len(array) for array in arrays.values()] == [counts["text"] - 1, counts["text"], counts["text"]]
    prepared = read_artefact(s3_store, f"runs/{RUN}/prepare")
    films = [row["item_id"] for row in table(prepared, "item_mapping.csv")]
    catalogue = {row["item_id"] for row in table(aligned, "item_features.csv")}
    for modality, array in arrays.items():
        kept = prepared.array(f"{modality}_filtered.npy")
        rows = {row["item_id"]: place for place, row in enumerate(table(aligned, f"{modality}_items.csv"))}
        own = [place for place, film in enumerate(films) if film in rows]
        np.testing.assert_array_equal(kept[own], array[[rows[films[place]] for place in own]])
    assert broken.stem in catalogue
    assert [row["feature"] for row in table(prepared, "filled.csv")] == ["image"]  # predicted from sound and text

    with History(metrics_dsn) as history:
        champion = history.champion("ml1m")
    assert champion is not None
    release = read_artefact(s3_store, f"releases/ml1m/{champion.release}")
    recommended = release.frame("recommendations.parquet")
    assert set(recommended["item_id"]) <= catalogue
    assert set(recommended.loc[~recommended["arrival"], "item_id"]) <= set(films)
