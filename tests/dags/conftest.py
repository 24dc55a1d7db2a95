"""DAGs as the DAG processor sees them, and runs of them through Airflow's real task runner."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import control_plane

collect_ignore_glob = [] if control_plane.PRESENT else ["test_*.py"]
if control_plane.PRESENT:
    control_plane.settle_in()

if TYPE_CHECKING:
    from airflow.sdk import DAG

# Stands for the task package: notes the command, then ends as the test wants that command to end.
STAND_IN = """
import json, sys
from pathlib import Path
command, *arguments = sys.argv[1:]
with Path("commands.jsonl").open("a") as lines:
    lines.write(json.dumps([command, *arguments]) + "\\n")
key = command + ("/" + arguments[-1] if command in ("extract", "train", "evaluate") else "")
ended = {"ended": key}
if command == "publish":
    ended |= {"outcome": "promoted", "release": "r-1"}
code, sentence, *closing = json.loads(Path("outcomes.json").read_text()).get(key, (0, ""))
sys.stderr.write(sentence + "\\n" if sentence else "")
print(json.dumps(closing[0] if closing else ended))
sys.exit(code)
"""


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for those that Airflow gives itself."""
    for rule in control_plane.IGNORED:
        config.addinivalue_line("filterwarnings", rule)


def pytest_report_header() -> str | None:
    """Say so when these tests are left out."""
    return None if control_plane.PRESENT else control_plane.ABSENT


@pytest.fixture(scope="session")
def dags() -> dict[str, DAG]:
    """Every DAG of the project by its name."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(control_plane.ROOT / "dags"))
    assert not bag.import_errors
    return dict(bag.dags)


@pytest.fixture(scope="session")
def retrain(dags: dict[str, DAG]) -> DAG:
    """`retrain_nightly`."""
    return dags["retrain_nightly"]


@pytest.fixture
def sharded(monkeypatch: pytest.MonkeyPatch) -> DAG:
    """`retrain_nightly` where each feature is encoded in two shards."""
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("RECSYS_SHARDS", "2")
    bag = DagBag(str(control_plane.ROOT / "dags" / "retrain_nightly.py"))
    assert not bag.import_errors
    return bag.dags["retrain_nightly"]


@pytest.fixture(scope="session")
def impatient() -> dict[str, DAG]:
    """The DAGs, with retries that follow at once."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(control_plane.ROOT / "dags"))
    for dag in bag.dags.values():
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
    return dict(bag.dags)


@pytest.fixture(scope="session")
def metadata_database() -> None:
    """Airflow's own tables, in a file of the throw-away home."""
    from airflow.utils.db import initdb

    initdb()


class Ran:
    """One finished run of a DAG."""

    def __init__(self, run: Any, folder: Path) -> None:
        self.run = run
        self.state = str(run.state)
        self.tasks = {(ti.task_id, ti.map_index): ti for ti in run.get_task_instances()}
        lines = folder / "commands.jsonl"
        self.commands = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []

    @property
    def note(self) -> str | None:
        """What the grid says of the run, without the link that ends it."""
        from airflow.models.dagrun import DagRunNote
        from airflow.utils.session import create_session

        with create_session() as session:
            found = session.get(DagRunNote, self.run.id)
            return found.content.rpartition(" ([history](")[0] if found else None

    def states(self) -> dict[str, set[str]]:
        """Task -> the states of its instances."""
        return {task: {str(ti.state) for (t, _), ti in self.tasks.items() if t == task} for task, _ in self.tasks}


@pytest.fixture
def run_dag(metadata_database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a DAG to its end: `run_dag(dag, {"train/bpr": (10, "sentence")}, k=3)`; what is not named ends with 0.

    A third value is the closing line.
    """
    for name, value in control_plane.stand_in(tmp_path, STAND_IN).items():
        monkeypatch.setenv(name, value)
    sleep = time.sleep  # `dag.test` sleeps a second whenever nothing is ready: as often as a failed run has boxes left
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.02)))

    def run(dag: DAG, outcomes: dict[str, tuple[Any, ...]] | None = None, **params: Any) -> Ran:
        (tmp_path / "outcomes.json").write_text(json.dumps(outcomes or {}))
        ran = copy.deepcopy(dag)
        for task in ran.tasks:  # in one process, a run would leave its values in the fields of the next one's form
            if not task.is_mapped:
                task.params = copy.deepcopy(task.params)
        ran.on_failure_callback = ran.on_success_callback = None  # here it could look up nothing: see `tell`
        return Ran(ran.test(run_conf=params), tmp_path)

    return run


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A metrics database and a mail server, both real."""
    if not control_plane.TASKS_PYTHON.exists():
        pytest.skip(f"{control_plane.TASKS_PYTHON} does not exist: no PostgreSQL and no mail server for these tests")
    with control_plane.servers(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture
def post(servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything an alert needs, in the environment as the stack sets it, and empty tables."""
    from tests.dags.mailbox import Post, change

    smtp = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": servers["smtp_port"], "extra": smtp}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", servers["dsn"])
    monkeypatch.setenv("RECSYS_METRICS_DSN", servers["dsn"])
    change(servers["dsn"], "TRUNCATE rec.run, rec.message CASCADE")
    return Post(Path(servers["mails"]))


@pytest.fixture
def tell(post: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Have the DAG processor run a finished run's callback, as the scheduler asks it to; returns its log."""
    from tests.dags.mailbox import run_callback

    def call(run: Any, to: str = "one@example.org, two@example.org") -> str:
        with monkeypatch.context() as only_now:
            only_now.setenv("RECSYS_ALERT_TO", to)
            return run_callback(run)

    return call
