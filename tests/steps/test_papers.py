"""`papers`: what a paper compares, on a run with its own settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.errors import BadInput
from tasks.experiments import papers as files
from tasks.experiments.paper_page import read_result
from tasks.runs import config
from tasks.steps.papers import papers
from tasks.store import Store, read_artefact
from tests.steps.night import DATASET, reach_prepare

RUN = "manual__paper"
BRIEF = {"max_epochs": 2, "embedding_size": 4, "content_size": 4}
PAPER: dict[str, Any] = {
    "title": "A paper",
    "source": "Somebody, 2020",
    "data": "Some.",
    "run": {
        "dataset": DATASET,
        "modalities": ["text"],
        "encoder": "enc",
        "models": ["ease", "vbpr"],
        "k_core": 3,
        "hyperparameters": {"vbpr": BRIEF},
    },
    "seeds": 2,
    "against": "ease",
    "arms": {
        "ease": {"model": "ease"},
        "ease:weak": {"model": "ease", "hyperparameters": {"relative_l2": 1000.0}},
        "vbpr": {"model": "vbpr"},
    },
    "tables": [{"title": "Table 1", "metrics": ["ndcg@20"], "arms": ["ease", "ease:weak", "vbpr"]}],
    "differences": "None is known.",
}


@pytest.fixture
def prepared(folder_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a run of the paper `one` up to `prepare`, and no metrics database."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    (tmp_path / "papers").mkdir()
    for module in (config, files):
        monkeypatch.setattr(module, "PAPERS", tmp_path / "papers")
    (tmp_path / "papers" / "one.yaml").write_text(yaml.safe_dump(PAPER), encoding="utf-8")
    reach_prepare(folder_store, RUN, ["ease", "vbpr"], {"vbpr": BRIEF})
    return folder_store


@pytest.mark.slow
def test_a_paper_is_a_page_figures_and_a_file_to_keep(prepared: Store, tmp_path: Path) -> None:
    """Arms of one model differ by their hyperparameters; the means are those of the trials."""
    kept = tmp_path / "results" / "one.json"
    done = papers(paper="one", run=RUN, save=kept, threads=1)
    assert (done["trials"], done["against"]) == (6, "ease")
    out = read_artefact(prepared, f"runs/{RUN}/paper-one")
    result = read_result(kept)
    assert out.json("result.json") == result.model_dump(mode="json")
    by_arm = {one.arm: one for one in result.figures if (one.part, one.metric) == ("test", "ndcg@20")}
    assert by_arm["ease"].mean != by_arm["ease:weak"].mean
    trials = [
        read_artefact(prepared, f"runs/{RUN}/compare-trials/plain/vbpr-{seed}").json("trial.json") for seed in (7, 8)
    ]
    mean = sum(trial["figures"]["test"]["ndcg@20"] for trial in trials) / 2
    assert by_arm["vbpr"].mean == pytest.approx(mean, abs=1e-6)
    assert set(result.differences) == {"ease:weak", "vbpr"}
    assert f"| vbpr | {mean:.4f} ± " in out.path("page.md").read_text(encoding="utf-8")
    assert papers(paper="one", run=RUN, seeds=1, threads=1)["trials"] == 3


def test_a_run_with_other_settings_is_refused(prepared: Store, tmp_path: Path) -> None:
    """Its figures would not be those of the paper."""
    path = tmp_path / "papers" / "one.yaml"
    path.write_text(yaml.safe_dump(PAPER | {"run": PAPER["run"] | {"k_core": 5, "seed": 8}}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"the run has other k_core, seed than papers/one.yaml, expected"):
        papers(paper="one", run=RUN)
