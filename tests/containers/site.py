"""The containerised system as its operator sees it: made from a fresh copy of the project, under a name of its own."""

from __future__ import annotations

import email
import email.policy
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from local.ports import free_port
from local.rest import FINISHED, Api
from tasks.store import Artefact, Store, read_artefact
from tasks.store.s3 import S3Store
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "recsys-test"
NETWORK = f"{PROJECT}_tasks"
OF_COMPOSE, OF_TASKS = f"label=com.docker.compose.project={PROJECT}", f"label=recsys.site={NETWORK}"
DAG = "retrain_nightly"
PORTS = ("UI_PORT", "S3_PORT", "CONSOLE_PORT", "MAIL_PORT", "POSTGRES_PORT")
IMAGES = ("TASK_IMAGE", "AIRFLOW_IMAGE", "ENGINE_PROXY_IMAGE")


def docker(*words: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """What the docker command says."""
    done = subprocess.run(["docker", *words], env=env, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def dangling() -> list[str]:
    """Volumes that belong to no container."""
    return docker("volume", "ls", "-q", "--filter", "dangling=true").split()


def remove_left_overs() -> None:
    """Containers, networks and volumes of a test run that was killed: without its .env they are of no use."""
    for label in (OF_COMPOSE, OF_TASKS):
        if found := docker("ps", "-aq", "--filter", label).split():
            docker("rm", "--force", "--volumes", *found)
    for kind in ("network", "volume"):
        if found := docker(kind, "ls", "-q", "--filter", OF_COMPOSE).split():
            docker(kind, "rm", *found)


@dataclass(frozen=True)
class Night:
    """One finished run."""

    run: str
    state: str
    tasks: list[dict[str, Any]]

    def states(self) -> dict[str, str]:
        """Task, with what it is mapped over, -> state."""
        return {f"{t['task_id']} {t['rendered_map_index'] or ''}".strip(): t["state"] for t in self.tasks}


@dataclass
class Site:
    """One installation in `folder`."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)  # environment variables, which go before .env
    dangling_before: set[str] = field(default_factory=lambda: set(dangling()))

    def make(self, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Type `make ...`."""
        done = subprocess.run(
            ["make", *words], cwd=self.folder, env=self.environment(**more), capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done

    def compose(self, *words: str, check: bool = True) -> str:
        """Type `docker compose ...`."""
        done = subprocess.run(
            ["docker", "compose", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done.stdout

    def tasks(self, script: str) -> str:
        """Type commands of the task package in one container of the image."""
        return self.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "tasks", "-ec", script)

    def environment(self, **more: str) -> dict[str, str]:
        """Of what is typed."""
        return os.environ | self.settings | more

    def secret(self, name: str) -> str:
        """A line of .env."""
        lines = (self.folder / ".env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))[name]

    @property
    def api(self) -> Api:
        """Airflow's, as the admin."""
        return Api(f"http://127.0.0.1:{self.settings['UI_PORT']}", "admin", self.secret("AIRFLOW_ADMIN_PASSWORD"))

    @property
    def store(self) -> Store:
        """The bucket, through the port on loopback."""
        return S3Store(
            "recsys",
            endpoint=f"127.0.0.1:{self.settings['S3_PORT']}",
            access_key=self.settings["OBJECT_STORE_ROOT_USER"],
            secret_key=self.settings["OBJECT_STORE_ROOT_PASSWORD"],
            secure=False,
        )

    def rows(self, statement: str, database: str = "metrics") -> list[list[str]]:
        """What a database answers."""
        words = ["exec", "-T", "postgres", "psql", "-U", "postgres", "-d", database, "-At", "-F", "|", "-c", statement]
        return [line.split("|") for line in self.compose(*words).splitlines()]

    def champion(self) -> str:
        """The release of the demo that is served."""
        ((found,),) = self.rows("SELECT release FROM rec.champion WHERE dataset = 'demo'")
        return found

    def mails(self, run: str) -> list[EmailMessage]:
        """All that was sent about a run: mails of the runs before may still be on their way."""
        base = f"http://127.0.0.1:{self.settings['MAIL_PORT']}/api/v1"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{base}/messages") as answer:
            found = json.load(answer)["messages"]
        mails = []
        for one in found:
            with opener.open(f"{base}/message/{one['ID']}/raw") as answer:
                mails.append(email.message_from_bytes(answer.read(), policy=email.policy.default))
        return [mail for mail in mails if f", {run})" in "".join(str(mail["Subject"]).splitlines())]

    def press_trigger(self, **form: object) -> str:
        """As the button does; the run's name."""
        api = self.api
        api.wait_for_dag(DAG, 120)
        api.unpause(DAG)
        return api.trigger(DAG, form)

    def follow(self, run: str) -> Night:
        """Wait for the run's end."""
        api = self.api
        wait_for(f"the end of {run}", lambda: api.run(DAG, run)["state"] in FINISHED)
        return Night(run, api.run(DAG, run)["state"], api.tasks(DAG, run))

    def night(self, **form: object) -> Night:
        """Trigger and follow."""
        return self.follow(self.press_trigger(**form))

    def counts(self, night: Night, modality: str) -> dict[str, int]:
        """What a night's extract did."""
        return dict(read_artefact(self.store, f"runs/{night.run}/extract-{modality}").manifest.counts)

    def release(self, night: Night) -> Artefact:
        """What a night published."""
        decision = read_artefact(self.store, f"runs/{night.run}/publish").json("decision.json")
        assert decision["published"]
        return read_artefact(self.store, f"releases/demo/{decision['release']}")

    def task_containers(self) -> list[str]:
        """Names of the task containers that there are."""
        return docker("ps", "-a", "--filter", OF_TASKS, "--format", "{{.Names}}").split()


def copied(target: Path) -> Path:
    """The project as a fresh clone has it, and what is not committed yet."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def installation(folder: Path, mail_image: str | None) -> Site:
    """Settings under which an installation of the tests disturbs no other one."""
    reserved: set[int] = set()
    settings = {"COMPOSE_PROJECT_NAME": PROJECT, "UP_TIMEOUT": "600"}
    settings |= {"HEALTH_INTERVAL": "5s", "TASK_LOST_AFTER": "60"}  # half of the defaults
    for name in PORTS:
        reserved.add(port := free_port(reserved))
        settings[name] = str(port)
    for name in IMAGES:
        settings[name] = f"{PROJECT}-{name.lower().removesuffix('_image').replace('_', '-')}:latest"
    if "OBJECT_STORE_IMAGE" in os.environ:  # a stand-in, which knows root alone
        root = {"OBJECT_STORE_ROOT_USER": "root-of-tests", "OBJECT_STORE_ROOT_PASSWORD": "Jq3-xV9_wT5-rB7_kL1"}
        settings |= root
        settings |= {
            "S3_ACCESS_KEY": root["OBJECT_STORE_ROOT_USER"],
            "S3_SECRET_KEY": root["OBJECT_STORE_ROOT_PASSWORD"],
            "S3_MEDIA_ACCESS_KEY": root["OBJECT_STORE_ROOT_USER"],
            "S3_MEDIA_SECRET_KEY": root["OBJECT_STORE_ROOT_PASSWORD"],
        }
    if mail_image:
        settings["MAIL_IMAGE"] = mail_image
    if "PYTHON_IMAGE" in os.environ:  # that of the tests, whose pip finds PyTorch's build for CPUs
        settings["ACCELERATOR"] = "cpu"
        settings["NODE_IMAGE"] = os.environ["PYTHON_IMAGE"]  # without npm: the history page has no charts there
    return Site(folder, settings)
