"""The whole stack, which is started, watched and stopped as one."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from local import airflow
from local.errors import StackError
from local.mail import Mail
from local.ports import HOST
from local.postgres import Postgres
from local.processes import end, find_marked
from local.rest import Api
from local.s3 import BUCKET, S3
from local.service import Service
from local.state import State
from tasks.store.schema import migrate

GPU_POOL = "gpu"
SETTLE = 20.0  # seconds for which servers that ran on without their database are watched
# Settings that the task package and the DAGs take from the caller's environment; the stack sets all others.
FROM_CALLER = (
    "AIRFLOW_CONN_APPRISE_DEFAULT",
    "AIRFLOW_CONN_SLACK_DEFAULT",
    "RECSYS_ALERT_CHANNELS",
    "RECSYS_ALERT_TEMPLATES",
    "RECSYS_ALERT_TO",
    "RECSYS_APPROVAL",
    "RECSYS_CHAMPION_DAYS",
    "RECSYS_SHARDS",
    "RECSYS_CODE_VERSION",
    "RECSYS_CONFIG",
    "RECSYS_CONSOLE_URL",
    "RECSYS_DATASET",
    "RECSYS_DEVICE",
    "RECSYS_ENCODER",
    "RECSYS_FEATURES",
    "RECSYS_K",
    "RECSYS_LOG_LEVEL",
    "RECSYS_MEMORY_GIB",
    "RECSYS_MODALITIES",
    "RECSYS_OVERDUE_HOURS",
    "RECSYS_MODELS",
    "RECSYS_SPLIT",
    "RECSYS_THREADS",
)


def gpu_slots(root: Path) -> int:
    """How many tasks may use a GPU or all cores at a time: one with a GPU, else two, as in docker/stack.sh.

    Two tasks fill the cores when one of them reads, imports or trains on one thread, and hold no more memory than a
    machine for this has.
    """
    return 1 if subprocess.run(["sh", root / "docker" / "gpu.sh"], check=False).returncode == 0 else 2


class Stack:
    """PostgreSQL, S3, mail and Airflow for the project in `root`, with all their data in `state_dir`.

    Several stacks can run at once, each with its own `state_dir`. A context manager: stopped at the end of the block.
    """

    def __init__(
        self,
        root: Path,
        state_dir: Path,
        *,
        dags: Path | None = None,
        environment: Mapping[str, str] | None = None,
        bound: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`dags`: another folder of DAGs. `environment`: settings for Airflow and the tasks that override all others.

        `bound`: all servers end with this process, even if it is killed. `say` gets one line per step.
        """
        if sys.platform != "linux":
            raise StackError(f"platform {sys.platform} found, expected linux: use `docker compose up` here")
        self.root = root.resolve()
        self.state = State(state_dir)
        self.state.folder.chmod(0o711)  # PostgreSQL may run as another user, who must be able to enter
        self._more = dict(environment or {})
        self._say = say
        self.postgres = Postgres(self.state, bound=bound)
        self.s3 = S3(self.state, bound=bound)
        self.mail = Mail(self.state, bound=bound)
        self.airflow = airflow.Settings(
            self.state, self.root, dags=(dags or self.root / "dags").resolve(), more=self._settings
        )
        self.scheduler = airflow.Scheduler(self.airflow, bound=bound)
        others = (airflow.ApiServer, airflow.DagProcessor, airflow.Triggerer, airflow.Watchdog)
        self.parts: list[Service] = [*(kind(self.airflow, bound=bound) for kind in others), self.scheduler]
        self.services: list[Service] = [self.postgres, self.s3, self.mail, *self.parts]

    @property
    def url(self) -> str:
        """URL of Airflow's UI."""
        return self.airflow.url

    @property
    def login(self) -> tuple[str, str]:
        """User and password of Airflow's UI."""
        return airflow.USER, self.airflow.password

    @property
    def s3_url(self) -> str:
        """URL of the S3 server."""
        return f"http://{self.s3.endpoint}"

    @property
    def shell_file(self) -> Path:
        """File that a shell sources to use this stack from any folder; it has the keys of all servers."""
        return self.state.folder / "env"

    @property
    def mails(self) -> Path:
        """Folder in which every sent email becomes a file `*.eml`."""
        return self.mail.folder()

    def api(self) -> Api:
        """Return a client of Airflow's API."""
        return self.airflow.api()

    def environment(self) -> dict[str, str]:
        """Return the variables, on top of `os.environ`, with which `python -m tasks` and `airflow` use this stack."""
        return self.airflow.environment()

    def start(self) -> list[str]:
        """Start servers that are stopped or have other settings, and wait until all are ready; returns those started.

        Raises StackError if a server does not become ready. The others keep running, so that they can be inspected.
        """
        with self.state.lock():
            started = self._start(self.postgres, self.s3, self.mail)
            for database in ("airflow", "metrics"):
                self.postgres.ensure_database(database)
            migrate(self.postgres.dsn("metrics", "metrics"))
            self.s3.ensure_bucket(BUCKET)
            if self.airflow.outdated():
                self._say("Airflow's database: new schema")
                self._shut(self.parts)
                self.airflow.prepare()
            survivors = [part for part in self.parts if part.identity is not None]
            started += self._start_airflow()
            if self.postgres.name in started:
                started += self._settle([part for part in survivors if part.name not in started])
            self.api().ensure_pool(GPU_POOL, gpu_slots(self.root), "Tasks that need the GPU, or all cores without one")
            self._write_shell_file()
        return started

    def stop(self) -> bool:
        """End all servers and everything they started; returns whether anything was running."""
        with self.state.lock():
            running = self._shut(self.parts)
            for service in reversed(self.services):
                running |= service.stop()
            left = find_marked(self.state.mark)  # tasks whose Airflow process was killed
            end(left, grace=3.0)
        return running or bool(left)

    def status(self) -> dict[str, str]:
        """Return the state of each server by name: ready or not ready, with its pid, or stopped."""
        self.state.reload()
        states = {}
        for service in self.services:
            identity = service.identity
            states[service.name] = (
                "stopped" if identity is None else f"{'ready' if service.ready() else 'not ready'}, pid {identity.pid}"
            )
        return states

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, *services: Service) -> list[str]:
        started = self._launch(*services)
        self._wait(*services)
        return started

    def _launch(self, *services: Service) -> list[str]:
        started = [service for service in services if service.launch()]
        for service in started:
            self._say(f"{service.title}: starting, log in {service.log}")
        return [service.name for service in started]

    def _wait(self, *services: Service) -> None:
        for service in services:
            service.wait()

    def _start_airflow(self) -> list[str]:
        """Start the scheduler last, and stop an outdated one first: a task that meets no API server loses a try."""
        others = [part for part in self.parts if part is not self.scheduler]
        started = self._launch(*others)  # which may choose another port
        if self.scheduler.outdated():
            self.scheduler.stop()
        self._wait(*others)
        return started + self._start(self.scheduler)

    def _settle(self, survivors: list[Service]) -> list[str]:
        """Watch servers that ran on without their database, which is back, and start those that end after all."""
        ended: list[str] = []
        limit = time.monotonic() + SETTLE
        while survivors and time.monotonic() < limit:
            ended += self._start(*(part for part in survivors if part.identity is None))
            time.sleep(0.5)
        return ended

    def _shut(self, services: list[Service]) -> bool:
        """Stop all of them at the same time."""
        with ThreadPoolExecutor(len(services)) as pool:
            ended = list(pool.map(lambda service: service.shut(), services))
        for service in services:
            self.state.remember_daemon(service.name, None)
        return any(ended)

    def _settings(self) -> dict[str, str]:
        """Return the addresses of all servers, for Airflow and the tasks."""
        threads = str(os.cpu_count() or 1)
        sender = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@localhost"}
        smtp = {"conn_type": "smtp", "host": HOST, "port": self.state.port(self.mail.name), "extra": sender}
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.postgres.dsn(
                "airflow", "airflow", driver="postgresql+psycopg2"
            ),
            "AIRFLOW_CONN_METRICS_DB": self.postgres.dsn("metrics", "metrics"),
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(smtp),
            "RECSYS_HOME": str(self.root),
            "RECSYS_PYTHON": str(self.root / ".venv" / "tasks" / "bin" / "python"),
            "RECSYS_STORE": f"s3://{BUCKET}",
            **self.s3.environment(),
            "RECSYS_METRICS_DSN": self.postgres.dsn("metrics", "metrics"),
            "RECSYS_ALERT_TO": "operator@localhost",
            "OMP_NUM_THREADS": threads,  # the pool `gpu` lets few tasks at a time have all cores
            "OPENBLAS_NUM_THREADS": threads,
            **{name: os.environ[name] for name in FROM_CALLER if os.environ.get(name)},
            **self._more,
        }

    def _write_shell_file(self) -> None:
        """Write the addresses and keys of all servers for shells."""
        lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(self.environment().items())]
        lines.append(f"PATH={shlex.quote(str(self.root / '.venv' / 'tasks' / 'bin'))}:$PATH")
        lines.append(f"export PYTHONPATH={shlex.quote(str(self.root))}")
        with os.fdopen(
            os.open(self.shell_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write("\n".join(lines) + "\n")
