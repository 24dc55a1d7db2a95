"""`history`: what a person sees of past runs."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from tasks.__main__ import main
from tasks.store import History, MetricValue

pytestmark = pytest.mark.services


def night(history: History, run: str, metrics: dict[str, float], dataset: str = "films", encoder: str = "enc") -> None:
    """A run whose models reached these metrics; recall is twice as high, validation a tenth higher."""
    history.start_run(run, dataset, {})
    for model, value in metrics.items():
        history.record_training(run, model, encoder, 7, {}, f"runs/{run}/train-{model}")
        rows = [
            MetricValue(split, "ndcg", k, value + more)
            for split, more in (("test", 0), ("valid", 0.1))
            for k in (10, 20)
        ]
        rows += [MetricValue("test", "recall", 20, 2 * value)]
        history.record_metrics(run, model, rows)


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines that the command prints."""
    capsys.readouterr()
    assert main(["history", *options]) == 0
    return capsys.readouterr().out.splitlines()


def of(lines: list[str], model: str) -> list[list[str]]:
    """The cells of every line about a model, from old to new."""
    return [line.split() for line in lines if f" {model} " in f"{line} "]


def test_an_empty_history_says_so(metrics_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no error that nothing ran yet."""
    assert shown(capsys) == ["No metrics match: no model has been evaluated yet, or the options exclude all."]


def test_each_run_shows_its_models_from_good_to_bad(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """With run, dataset and status above; test metrics at 20 unless asked otherwise."""
    night(history, "r1", {"popularity": 0.1, "ease": 0.3})
    lines = shown(capsys)
    assert lines[0] == "Metrics on test, with the change since the previous run; * is what is served."
    assert lines[2].endswith("UTC  r1  dataset films, running")
    assert lines[3].split() == ["recall@20", "ndcg@20"]
    assert [line.split() for line in lines[4:]] == [["ease", "0.6000", "0.3000"], ["popularity", "0.2000", "0.1000"]]


def test_columns_stand_under_their_names(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the length of a model's name and with or without a change."""
    for run in ("r1", "r2"):
        night(history, run, {"a": 0.1, "a-model-with-a-long-name": 0.3})
    lines = shown(capsys)
    heads = [line for line in lines if "ndcg@20" in line]
    metrics = [line for line in lines if "0.3000" in line or "0.1000" in line]
    assert {line.index("ndcg@20") for line in heads} == {
        line.index("0.3") if "0.3000" in line else line.index("0.1") for line in metrics
    }
    assert all(line == line.rstrip() for line in lines)


def test_the_change_is_since_the_run_before(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the same dataset, model and encoder; the newest run comes last."""
    night(history, "r1", {"ease": 0.3})
    night(history, "other", {"ease": 0.9}, dataset="music")
    night(history, "r2", {"ease": 0.25, "bpr": 0.2})
    night(history, "r3", {"ease": 0.26}, encoder="another")
    lines = shown(capsys, "--dataset", "films", "--metric", "ndcg@20")
    assert of(lines, "ease") == [["ease", "0.3000"], ["ease", "0.2500", "(-0.0500)"], ["ease", "0.2600"]]
    assert of(lines, "bpr") == [["bpr", "0.2000"]]


def test_a_change_too_small_to_show_has_no_direction(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """A loss in the sixth digit is no `-0.0000`."""
    night(history, "r1", {"ease": 0.3})
    night(history, "r2", {"ease": 0.299999})
    assert of(shown(capsys, "--metric", "ndcg@20"), "ease")[-1] == ["ease", "0.3000", "(+0.0000)"]


def test_what_is_served_is_marked(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """One model of one run, until another is."""
    night(history, "r1", {"ease": 0.3, "bpr": 0.2})
    night(history, "r2", {"ease": 0.35, "bpr": 0.2})
    history.promote("films", "r1", "ease", "aa", {}, "h1", seen=None)
    marked = [line for line in shown(capsys) if line.strip().startswith("*")]
    assert [line.split()[:3] for line in marked] == [["*", "ease", "0.6000"]]
    history.promote("films", "r2", "ease", "bb", {}, "h2", seen=history.champion("films"))
    marked = [line for line in shown(capsys) if line.strip().startswith("*")]
    assert [line.split()[:3] for line in marked] == [["*", "ease", "0.7000"]]
    assert "dataset films, published" in "\n".join(shown(capsys))


def test_options_narrow_what_is_shown(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """Model, metric, split, number of runs and time."""
    for n in range(4):
        night(history, f"r{n}", {"ease": 0.3 + n / 100, "bpr": 0.2})
    assert of(shown(capsys, "--model", "ease"), "bpr") == []
    assert shown(capsys, "--metric", "ndcg")[3].split() == ["ndcg@10", "ndcg@20"]
    assert shown(capsys, "--metric", "ndcg@10, recall@20")[3].split() == ["ndcg@10", "recall@20"]
    assert of(shown(capsys, "--split", "valid", "--metric", "ndcg@20"), "ease")[0] == ["ease", "0.4000"]
    newest = shown(capsys, "--limit", "2", "--metric", "ndcg@20")
    assert of(newest, "ease") == [["ease", "0.3200", "(+0.0100)"], ["ease", "0.3300", "(+0.0100)"]]
    assert len(of(shown(capsys, "--since", "2020-01-01"), "ease")) == 4
    assert "No metrics match" in shown(capsys, "--since", "2100-01-01T00:00+01:00")[0]
    assert "No metrics match" in shown(capsys, "--since", "2100-01-01", "--metric", "anything")[0]


def test_a_model_without_a_metric_has_a_dash(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """It comes last, and its other metrics stand in their columns."""
    night(history, "r1", {"ease": 0.3})
    history.record_training("r1", "new", "enc", 7, {}, "x")
    history.record_metrics("r1", "new", [MetricValue("test", "recall", 20, 0.5)])
    assert [line.split() for line in shown(capsys)[4:]] == [["ease", "0.6000", "0.3000"], ["new", "0.5000", "-"]]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--metric", "ncdg"], "expected some of recall@20, ndcg@10, ndcg@20"),
        (["--since", "yesterday"], "expected a day as 2026-11-21"),
        (["--split", "train"], "--split"),
        (["--limit", "0"], "--limit"),
        (["--dataset", "flims"], "dataset 'flims' is not in the metrics database, expected one of films"),
        (["--model", "esae"], "model 'esae' is not in the metrics database, expected one of ease"),
    ],
)
def test_an_option_that_cannot_be_is_bad_input(
    history: History, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    """And the sentence says what can."""
    night(history, "r1", {"ease": 0.3})
    assert main(["history", *options]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--dataset", "films"], ["--model", "ease"]])
def test_a_name_before_the_first_run_is_unknown_too(
    metrics_dsn: str, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """Nothing can be listed."""
    assert main(["history", *options]) == 2
    assert "expected a run to have recorded it: there is none yet" in capsys.readouterr().err


def test_two_known_names_that_never_met_are_no_error(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that was never trained on this dataset."""
    night(history, "r1", {"ease": 0.3})
    night(history, "r2", {"bpr": 0.3}, dataset="music")
    assert "No metrics match" in shown(capsys, "--dataset", "films", "--model", "bpr")[0]


def test_every_figure_can_be_had_as_a_file(history: History, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """In three formats, with the same rows, and nothing else on standard output."""
    for run in ("r1", "r2"):
        night(history, run, {"ease": 0.3})
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}
    for form, open_file in read.items():
        capfdbinary.readouterr()
        assert main(["history", "--format", form, "--metric", "ndcg@20"]) == 0
        frame = open_file(io.BytesIO(capfdbinary.readouterr().out))
        assert frame[["run", "model", "metric", "k", "value"]].round(12).to_numpy().tolist() == [
            ["r1", "ease", "ndcg", 20, 0.3],
            ["r2", "ease", "ndcg", 20, 0.3],
        ]
