"""A client of Airflow's REST API, for the demo and the tests."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from local.errors import StackError

TIMEOUT = 60.0
FINISHED = {"success", "failed"}
_DIRECT = build_opener(ProxyHandler({}))  # ignores proxy settings: the server is on loopback


class RefusedError(StackError):
    """The server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """A session of one user with Airflow's API. Paths are relative to `/api/v2`."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._token: str | None = None

    def get(self, path: str) -> Any:  # noqa: ANN401  JSON
        """Return the resource at `path`."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
        """Create a resource below `path`."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
        """Change the resource at `path`."""
        return self._call("PATCH", path, body)

    def health(self) -> dict[str, dict[str, str | None]]:
        """Return the state of each component, without a login; empty while the server does not answer."""
        try:
            with _DIRECT.open(f"{self.url}/api/v2/monitor/health", timeout=TIMEOUT) as answer:
                health: dict[str, dict[str, str | None]] = json.load(answer)
        except (OSError, HTTPException, ValueError):
            return {}
        return health

    def trigger(self, dag: str, conf: Mapping[str, object]) -> str:
        """Start a run of `dag` with the params `conf`; returns its id."""
        return str(self.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": dict(conf)})["dag_run_id"])

    def run(self, dag: str, run: str) -> dict[str, Any]:
        """Return one run."""
        answer: dict[str, Any] = self.get(f"/dags/{dag}/dagRuns/{quote(run, safe='')}")
        return answer

    def runs_in_progress(self, dag: str = "~") -> list[tuple[str, str]]:
        """Return DAG and id of each run that has begun or waits, the oldest first; `~` is all DAGs."""
        found = self.get(f"/dags/{dag}/dagRuns?state=running&state=queued&order_by=run_after&limit=100")["dag_runs"]
        return [(run["dag_id"], run["dag_run_id"]) for run in found]

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Return all task instances of a run."""
        answer = self.get(f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances?limit=1000")
        instances: list[dict[str, Any]] = answer["task_instances"]
        return instances

    def log(self, dag: str, run: str, task: Mapping[str, Any]) -> list[str]:
        """Return the log lines of the last try of a task instance."""
        where = f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task['task_id']}"
        answer = self.get(f"{where}/logs/{task['try_number']}?full_content=true&map_index={task['map_index']}")
        return [str(line["event"]) if isinstance(line, dict) else str(line) for line in answer["content"]]

    def wait_for_dag(self, dag: str, seconds: float) -> None:
        """Wait until the DAG processor has parsed `dag`; after `seconds` raises StackError with the import errors."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.get(f"/dags/{dag}/details")
            except RefusedError as error:
                if error.status != 404:
                    raise
            else:
                return
            if time.monotonic() > deadline:
                errors = [
                    f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}"
                    for e in self.get("/importErrors")["import_errors"]
                ]
                raise StackError(
                    f"DAG {dag} was not there after {seconds:.0f} s; import errors: {'; '.join(errors) or 'none'}"
                )
            time.sleep(0.5)

    def unpause(self, dag: str) -> None:
        """Unpause `dag`."""
        self.patch(f"/dags/{dag}", {"is_paused": False})

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool if it is missing; an existing pool keeps its slots, which a user may have changed."""
        if not any(pool["name"] == name for pool in self.get("/pools?limit=1000")["pools"]):
            self.post("/pools", {"name": name, "slots": slots, "description": description, "include_deferred": False})

    def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:  # noqa: ANN401  JSON
        for attempt in (1, 2):
            if self._token is None:
                self._token = self._send("POST", "/auth/token", self._login)["access_token"]
            try:
                return self._send(method, f"/api/v2{path}", body)
            except RefusedError as error:
                if error.status != 401 or attempt == 2:
                    raise
                self._token = None  # it has expired
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:  # noqa: ANN401  JSON
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, method=method, data=data, headers=headers)  # noqa: S310  http: our own server
        try:
            with _DIRECT.open(request, timeout=TIMEOUT) as answer:
                content = answer.read()
        except HTTPError as error:
            said = " ".join(error.read(2000).decode(errors="replace").split())
            raise RefusedError(error.code, f"Airflow answered {error.code} to {method} {path}: {said}") from error
        except (OSError, HTTPException) as error:
            raise StackError(f"Airflow did not answer {method} {self.url}{path}: {error}") from error
        return json.loads(content) if content else None
