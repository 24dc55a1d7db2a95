"""Papers as files: what may stand in one, and the page that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.errors import BadInput
from tasks.experiments import papers
from tasks.experiments.paper_page import Figure, Result, read_result, write_page, write_result
from tasks.experiments.papers import list_papers, load_paper, result_path
from tasks.runs import config
from tasks.runs.config import load_config

PAPER: dict[str, Any] = {
    "title": "A paper",
    "source": "Somebody, Something, 2020",
    "data": "Some.",
    "run": {"dataset": "films", "modalities": ["text"], "encoder": "enc", "models": ["ease", "vbpr"], "k_core": 3},
    "arms": {"ease": {"model": "ease"}, "vbpr+text": {"model": "vbpr", "features": ["text"]}},
    "tables": [
        {
            "title": "Table 1",
            "metrics": ["recall@20", "ndcg@20"],
            "arms": ["ease", "vbpr+text"],
            "printed": {"ease": [0.5, None]},
            "source": "table 1",
        }
    ],
    "differences": "None is known.",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of papers with one, `one`."""
    for module in (config, papers):
        monkeypatch.setattr(module, "PAPERS", tmp_path)
    write(tmp_path)
    return tmp_path


def write(folder: Path, **changes: object) -> None:
    """The paper, with other values."""
    (folder / "one.yaml").write_text(yaml.safe_dump({**PAPER, **changes}), encoding="utf-8")


def figure(arm: str, metric: str, mean: float, part: str = "test") -> Figure:
    """Of five seeds."""
    return Figure(arm=arm, world="plain", part=part, metric=metric, mean=mean, deviation=0.01, seeds=5)


@pytest.mark.parametrize("name", list_papers())
def test_every_paper_can_be_run_and_its_result_is_of_its_arms(name: str) -> None:
    """The settings are those of a run; a stored result has each arm of each table."""
    paper = load_paper(name)
    if result_path(name).exists():
        found = {figure.arm for figure in read_result(result_path(name)).figures}
        assert {arm for table in paper.tables for arm in table.arms} <= found


def test_the_settings_of_a_paper_are_a_preset(folder: Path) -> None:
    """`scan --config papers/one`, whose options win as over any preset."""
    assert load_config("papers/one", {}).k_core == 3
    assert load_config("papers/one", {"k_core": 4}).k_core == 4
    with pytest.raises(BadInput, match="paper 'two' found, expected one of one"):
        load_config("papers/two", {})
    with pytest.raises(BadInput, match=r"found nowhere, expected a YAML file or one of .*'papers/one'"):
        load_config("one", {})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"arms": {"ease": {"model": "eas"}}}, "models eas found, expected some of popularity"),
        ({"against": "ials"}, "arms ials found, expected some of ease, vbpr"),
        ({"arms": {"ease": {"model": "ease"}}}, r"arms vbpr\+text found, expected some of ease"),
        (
            {"arms": PAPER["arms"] | {"vbpr+text": {"model": "vbpr", "features": ["plot"]}}},
            r"arm vbpr\+text has features plot, expected some of the run's: text",
        ),
        ({"tables": [PAPER["tables"][0] | {"source": ""}]}, "printed figures without a source found"),
        ({"tables": [PAPER["tables"][0] | {"printed": {"ease": [0.5]}}]}, "printed has 1 figures of ease, expected 2"),
        ({"tables": [PAPER["tables"][0] | {"printed": {"bpr": [0.5, 0.1]}}]}, "printed has figures of bpr, expected"),
        ({"tables": [PAPER["tables"][0] | {"printed": {"ease": [float("nan"), 0.1]}}]}, "finite"),
        ({"tables": [PAPER["tables"][0] | {"world": "cold", "part": "all items"}]}, "tables of the worlds cold found"),
        ({"tables": [PAPER["tables"][0] | {"part": "all items"}]}, "part 'all items' of world plain found"),
        ({"seed": 3}, "seed"),
        ({"run": {"dataset": "films"}}, "models: Field required"),
    ],
)
def test_a_paper_that_cannot_be_says_why(folder: Path, changes: dict[str, object], sentence: str) -> None:
    """In one line that names the file."""
    write(folder, **changes)
    with pytest.raises(BadInput, match=sentence) as caught:
        load_paper("one")
    assert "one" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_page_has_ours_beside_theirs(folder: Path) -> None:
    """With spread, the difference to the reference, cost, and the reasons; what is not printed stays empty."""
    figures = [figure("ease", "recall@20", 0.4), figure("ease", "ndcg@20", 0.3)]
    figures += [figure("vbpr+text", "cpu", 12.34, "fit"), figure("vbpr+text", "peak_mib", 99.6, "fit")]
    result = Result(
        paper="one",
        dataset={"users": 1200, "items": 30},
        code_version="1",
        against="ease",
        figures=figures,
        differences={"vbpr+text": {"mean": -0.1, "low": -0.2, "high": 0.05, "p": 0.0002}},
    )
    write_result(folder / "results" / "one.json", result)
    page = write_page("one", load_paper("one"), read_result(folder / "results" / "one.json"))
    assert page.startswith("# A paper\n\nSomebody, Something, 2020\n\nSome.\n\n1,200 users, 30 items; 5 seeds.")
    assert "| ease | 0.4000 ± 0.0100 | 0.3000 ± 0.0100 | 0.5000 |  |  |  |  |  |" in page
    assert "| not measured | not measured |  |  | -0.1000 [-0.2000, +0.0500] | < 0.001 | 12.3 | 100 |" in page
    assert "Printed: table 1." in page
    assert page.endswith("## Why figures differ\n\nNone is known.\n")


def test_a_metric_that_is_none_is_an_error_and_no_gap(folder: Path) -> None:
    """An arm that failed has a gap; one that was measured has every metric."""
    write(folder, tables=[PAPER["tables"][0] | {"metrics": ["recal@20", "ndcg@20"]}])
    figures = [figure("ease", "ndcg@20", 0.3)]
    result = Result(paper="one", dataset={}, code_version="1", against="ease", figures=figures, differences={})
    with pytest.raises(BadInput, match="table 'Table 1' has metrics recal@20, expected some of ndcg@20"):
        write_page("one", load_paper("one"), result)


def test_a_file_that_is_no_result_is_refused(folder: Path) -> None:
    """With what is missing."""
    (folder / "x.json").write_text('{"paper": "one"}', encoding="utf-8")
    with pytest.raises(BadInput, match=r"x\.json is no result of a paper"):
        read_result(folder / "x.json")
