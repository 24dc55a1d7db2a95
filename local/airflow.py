"""Airflow: API server with UI, scheduler, DAG processor and triggerer, configured only by environment variables."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from local.errors import StackError
from local.ports import HOST
from local.rest import Api
from local.service import LAST_LINES, Service, inherit_environment
from local.state import State

USER = "admin"
API = "api-server"
# What commands take as --run: RUN_NAME in tasks/store/layout.py, whose package takes seconds to import. To the end of
# the text, since `$` would let a newline pass.
RUN_IDS = r"^[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}(?![\s\S])"
SCHEMA = "airflow schema"  # fact: the schema version of the database


class Settings:
    """Configuration of one Airflow installation of the stack in `root`."""

    def __init__(self, state: State, root: Path, *, dags: Path, more: Callable[[], Mapping[str, str]]) -> None:
        """`more` returns the settings that depend on other servers; they override those made here."""
        self.state = state
        self.root = root
        self.dags = dags
        self.more = more
        self.python = root / ".venv" / "airflow" / "bin" / "python"
        self.home = state.folder / "airflow"

    @property
    def url(self) -> str:
        """URL of the UI and the API."""
        return f"http://{HOST}:{self.state.port(API)}"

    @property
    def password(self) -> str:
        """Password of the user `admin`."""
        return self.state.secret("airflow:admin")

    def api(self) -> Api:
        """Return a client of the API."""
        return Api(self.url, USER, self.password)

    def environment(self) -> dict[str, str]:
        """Return the environment of all four components: they must agree on every secret."""
        processes = str(max(2, min(4, os.cpu_count() or 2)))
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": processes,  # each is a process of 200 MB, and a task fills a core
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.root / "plugins"),
            "AIRFLOW__CORE__FERNET_KEY": self.state.secret("airflow:fernet", _fernet_key),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.state.port(API)),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": self.state.secret("airflow:api", _long_secret),
            "AIRFLOW__API_AUTH__JWT_SECRET": self.state.secret("airflow:jwt", _long_secret),
            "AIRFLOW__API_AUTH__JWT_ISSUER": "recsys",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",  # seconds; less would cost CPU time
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__SCHEDULER__ALLOWED_RUN_ID_PATTERN": RUN_IDS,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # seconds; also delays seeing a task's end
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",  # there is no lineage server
            **self.more(),
        }

    def outdated(self) -> bool:
        """Whether the database needs a migration to this version's schema."""
        return self.state.fact(SCHEMA) != self._version()

    def prepare(self) -> None:
        """Write the password file and migrate the database to this version's schema; no component may be running."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        passwords = self.home / "passwords.json"
        with os.fdopen(os.open(passwords, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({USER: self.password}, file)
        command = [str(self.python), "-m", "airflow", "db", "migrate"]
        done = subprocess.run(
            command,
            env=inherit_environment() | self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = "\n".join(f"  {line}" for line in (done.stdout + done.stderr).splitlines()[-LAST_LINES:])
            raise StackError(f"`airflow db migrate` ended with exit code {done.returncode}:\n{lines}")
        self.state.remember_fact(SCHEMA, self._version())

    def _version(self) -> str:
        if not self.python.exists():
            raise StackError(f"{self.python} does not exist, expected Airflow's environment there: run `make install`")
        folder = self.python.parent.parent
        installed = sorted(folder.glob("lib/python3*/site-packages/apache_airflow_core-*.dist-info"))
        if len(installed) != 1:
            raise StackError(
                f"{len(installed)} versions of Airflow found in {folder}, expected one: run `make install`"
            )
        return installed[0].name.removesuffix(".dist-info").rpartition("-")[2]


class Part(Service):
    """One of Airflow's components, a process. Starting all of them takes half a minute on two busy cores."""

    deadline = 240.0
    grace = 15.0
    words: ClassVar[list[str]]
    component: ClassVar[str]  # its name in the health report
    heartbeat: ClassVar[str | None] = None  # key of its last heartbeat in the health report

    def __init__(self, airflow: Settings, *, bound: bool = False) -> None:
        super().__init__(airflow.state, bound=bound)
        self.airflow = airflow
        self._launched: datetime | None = None

    def claim_ports(self) -> None:
        """Claim no port: only the API server listens."""

    def folder(self) -> Path:
        """Return Airflow's home, which all components share."""
        return self.airflow.home

    def command(self) -> list[str]:
        """Return the command: a module, because the first line of a script cannot hold a path with blanks."""
        return [str(self.airflow.python), "-m", "airflow", *self.words]

    def settings(self) -> Mapping[str, str]:
        """Return the shared environment."""
        return self.airflow.environment()

    def launch(self) -> bool:
        """Start the component; `ready` then ignores older heartbeats."""
        before = datetime.now(UTC)
        if started := super().launch():
            self._launched = before
        return started

    def ready(self) -> bool:
        """Whether the health report says healthy, with a heartbeat since the start."""
        report = self.airflow.api().health().get(self.component, {})
        if report.get("status") != "healthy":
            return False
        if self.heartbeat is None or self._launched is None:
            return True
        last = report.get(self.heartbeat)
        return last is not None and datetime.fromisoformat(last) >= self._launched


class ApiServer(Part):
    """API server and UI."""

    name, title, component = API, "Airflow's API server", "metadatabase"
    words: ClassVar[list[str]] = ["api-server"]

    def claim_ports(self) -> None:
        """Claim the only port of Airflow."""
        self.state.claim_port(self.name)


class Scheduler(Part):
    """Starts due tasks as child processes. Task logs are read from the folder, so it does not serve them."""

    name, title, component = "scheduler", "Airflow's scheduler", "scheduler"
    grace = 3.0  # it would wait for its tasks, which may take hours; they start again after the next start
    heartbeat = "latest_scheduler_heartbeat"
    words: ClassVar[list[str]] = ["scheduler", "--skip-serve-logs"]


class DagProcessor(Part):
    """Parses DAG files."""

    name, title, component = "dag-processor", "Airflow's DAG processor", "dag_processor"
    heartbeat = "latest_dag_processor_heartbeat"
    words: ClassVar[list[str]] = ["dag-processor"]


class Triggerer(Part):
    """Waits for the events of deferred tasks and assets."""

    name, title, component = "triggerer", "Airflow's triggerer", "triggerer"
    heartbeat = "latest_triggerer_heartbeat"
    words: ClassVar[list[str]] = ["triggerer", "--skip-serve-logs"]


class Watchdog(Part):
    """Sees what the others cannot tell; it is ready when it has looked once."""

    name, title, component = "watchdog", "the watchdog", "watchdog"

    def command(self) -> list[str]:
        """Return the command: a module of the plugins."""
        return [str(self.airflow.python), "-m", "recsys.watchdog", str(self._look)]

    def settings(self) -> Mapping[str, str]:
        """Return the shared environment, and where the plugins are."""
        return {**super().settings(), "PYTHONPATH": str(self.airflow.root / "plugins")}

    def ready(self) -> bool:
        """Whether it has looked since the start."""
        since = self._launched.timestamp() if self._launched else 0.0
        return self._look.exists() and self._look.stat().st_mtime >= since

    @property
    def _look(self) -> Path:
        return self.folder() / "watchdog.json"


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _long_secret() -> str:
    return secrets.token_hex(32)
