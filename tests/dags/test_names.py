"""Names that try something: in the form, as run ids, in the extra of an asset event, and in what Airflow shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from recsys import form
from recsys.markdown import escape
from recsys.media import dataset_of
from recsys.note import Ended, describe_run

from tests import control_plane
from tests.nasty import NASTY

if TYPE_CHECKING:
    from airflow.sdk import DAG

HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) ![](http://127.0.0.1/x) `a` **b** | c <http://a.b> &lt;"


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_the_form_refuses_it(retrain: DAG, name: str) -> None:
    """Every field that takes names, as the commands do; also of other kinds than text."""
    fields: dict[str, list[Any]] = {
        **{field: [name, [name], {"x": name}] for field in ("dataset", "encoder", "config")},
        "features": [
            {name: {"modality": "image", "encoder": "a"}},
            {"poster": {"modality": "image", "encoder": name}},
            {"poster": {"modality": name, "encoder": "a"}},
        ],
        **{field: [[name], name] for field in ("models", "modalities")},
        **{field: [name] for field in ("k", "seed", "split", "approval", "force", "force_publish")},
    }
    assert set(fields) == set(form.RETRAIN)
    for field, values in fields.items():
        for value in values:
            with pytest.raises(ParamValidationError):
                retrain.params.get_param(field).resolve(value)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no JavaScript here")
def test_the_patterns_of_the_form_mean_the_same_in_a_browser() -> None:
    """Where the form is filled in."""
    names = [*NASTY.values(), "films", "a_1"]
    cases = [(pattern, name) for pattern in (form.NAME, form.PRESET, form.FEATURE) for name in names]
    program = "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(([p, n]) => new RegExp(p, 'u').test(n))))"
    done = subprocess.run(["node", "-e", program, json.dumps(cases)], capture_output=True, check=True)
    assert json.loads(done.stdout) == [bool(re.search(pattern, name)) for pattern, name in cases]
    assert [name for pattern, name in cases if pattern == form.NAME and re.search(pattern, name)] == ["films", "a_1"]


@pytest.fixture
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docker-compose.yaml says of run ids."""
    compose = yaml.safe_load((control_plane.ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
    name = "AIRFLOW__SCHEDULER__ALLOWED_RUN_ID_PATTERN"
    monkeypatch.setenv(name, compose["x-airflow"]["environment"][name])


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize("name", [*NASTY.values(), "--debug", "~tilde", "_under", ".dot", "a~b", "x" * 201])
def test_airflow_makes_no_run_of_such_a_name(name: str) -> None:
    """Which every command gets as its --run."""
    if name:  # without one Airflow makes one
        with pytest.raises(ValueError, match="run_id"):
            DagRun(dag_id="retrain_nightly", run_id=name)


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize(
    "name", ["night1", "manual__2026-01-01T00:00:00.123456+00:00", "scheduled__2026-01-01T00:00:00+00:00_Ab3.x"]
)
def test_airflow_makes_runs_of_its_own_names(name: str) -> None:
    """And of those that people give."""
    assert DagRun(dag_id="retrain_nightly", run_id=name).run_id == name


@pytest.mark.parametrize("name", [name for name in NASTY.values() if name] + [7, ["films"], {"a": 1}, True])
def test_an_event_cannot_name_another_thing_than_a_dataset(name: object) -> None:
    """Whoever may emit events through the API writes their extra, and no form looks at it."""
    events = {"new_media": [SimpleNamespace(extra={"dataset": name})]}
    with pytest.raises(AirflowFailException, match="expected at most 64 letters, digits"):
        dataset_of({"dataset": "demo"}, events)


def test_what_ids_and_files_say_is_text_in_a_note() -> None:
    """Airflow shows notes as Markdown: no HTML, no link, no picture that somebody else's server would see."""
    rejected = {"outcome": "rejected", "model": "ease", "reason": HOSTILE}
    promoted = {"outcome": "promoted", "model": "ease", "reason": "", "by": HOSTILE}
    for run in (
        Ended(True, "success", skipped=HOSTILE),
        Ended(False, "failed", failed=["scan"], faults={"scan": HOSTILE}),
        Ended(True, "success", reports={"publish": [rejected]}),
        Ended(True, "success", reports={"promote": [promoted]}),
    ):
        note = describe_run(run)
        if "alert" in note:
            assert escape(HOSTILE) in note
        assert not re.search(r"(?<!\\)[<>`*|&\[\]]", note)
