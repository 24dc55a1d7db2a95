"""The life of an installation in containers, day by day: made, used, upgraded, hurt, restored, removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from urllib.parse import quote

import pytest

from local.rest import Api, RefusedError
from tasks.store import read_artefact
from tests.containers.site import DAG, NETWORK, OF_COMPOSE, PROJECT, Night, Site, dangling, docker
from tests.waiting import wait_for

pytestmark = pytest.mark.containers
MODALITIES = ("image", "audio", "text")
FEW = ["popularity", "ease"]  # models of the later nights, which are about something else
FILMS, NEW = 300, 3
# Three new films and the log of all views until then, as a user loads them.
FILMS_ARRIVE = f"""
python -m tasks demo-catalogue --out /scratch/new --first-item {FILMS} --items {NEW} --users 400 --opening {FILMS}
python -m tasks load-media /scratch/new --dataset demo
python -m tasks load-interactions /scratch/new/interactions.csv --dataset demo
"""
MAKE_LOG = f"""
python -m tasks demo-catalogue --out /scratch/log --first-item {FILMS} --items {NEW} --users 400 --opening {FILMS}
"""
RENUMBER = """
python -c "
import pandas as pd
log = pd.read_csv('/scratch/log/interactions.csv')
log['item_id'] = log['item_id'].astype('category').cat.codes
log.to_csv('/scratch/log/interactions.csv', index=False)
"
"""
LOAD_LOG = "python -m tasks load-interactions /scratch/log/interactions.csv --dataset demo\n"


def log_of(site: Site, run: str, name: str) -> list[str]:
    """What the last try of a task logged."""
    (task,) = (task for task in site.api.tasks(DAG, run) if task["task_id"] == name)
    return site.api.log(DAG, run, task)


def runs(site: Site) -> dict[str, str]:
    """All runs that Airflow knows, with their states."""
    return {run["dag_run_id"]: run["state"] for run in site.api.get(f"/dags/{DAG}/dagRuns?limit=100")["dag_runs"]}


def metrics(site: Site) -> list[list[str]]:
    """All metrics."""
    return site.rows("SELECT run, model, split, metric, k, value FROM rec.metric ORDER BY 1, 2, 3, 4, 5")


def test_make_up_ends_when_the_ui_answers_and_says_where(site: Site) -> None:
    """The address that it prints is the right one, no password is in its log, and nobody gets in without."""
    said = (site.folder / "up.log").read_text()
    assert f"http://localhost:{site.settings['UI_PORT']}   user admin   password in .env: AIRFLOW_ADMIN" in said
    assert site.secret("AIRFLOW_ADMIN_PASSWORD") not in said
    url = f"http://127.0.0.1:{site.settings['UI_PORT']}"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        assert answer.status == 200
    assert DAG in [dag["dag_id"] for dag in site.api.get("/dags")["dags"]] or site.api.wait_for_dag(DAG, 120) is None
    with pytest.raises(RefusedError):
        Api(url, "admin", "guess").get("/dags")


def test_two_tasks_share_the_cores_of_a_machine_without_a_gpu(site: Site) -> None:
    """With one slot the models of a night would wait for each other; with a GPU they must."""
    pools = {pool["name"]: pool["slots"] for pool in site.api.get("/pools")["pools"]}
    assert pools["gpu"] == (1 if site.secret("ACCELERATOR") == "cuda" else 2)


def test_status_and_logs_show_what_runs(site: Site) -> None:
    """Every service and its health; the last lines of one."""
    assert "api-server" in site.make("status").stdout
    assert "scheduler" in site.make("logs", "ARGS=scheduler").stdout


def test_databases_have_roles_that_keep_to_their_own(site: Site) -> None:
    """The metrics' role cannot enter Airflow's database, nor Airflow's the metrics; the reader only reads."""
    table = "rec.run"
    for role, secret, database, statement, allowed in (
        ("metrics", "METRICS_DB_PASSWORD", "metrics", f"SELECT count(*) FROM {table}", True),
        ("metrics", "METRICS_DB_PASSWORD", "airflow", "SELECT 1", False),
        ("airflow", "AIRFLOW_DB_PASSWORD", "metrics", "SELECT 1", False),
        ("metrics_reader", "METRICS_READER_PASSWORD", "metrics", f"SELECT count(*) FROM {table}", True),
        ("metrics_reader", "METRICS_READER_PASSWORD", "metrics", f"DELETE FROM {table}", False),
        ("metrics_reader", "METRICS_READER_PASSWORD", "airflow", "SELECT 1", False),
        ("metrics", "AIRFLOW_DB_PASSWORD", "metrics", "SELECT 1", False),
    ):
        dsn = f"postgresql://{role}:{site.secret(secret)}@postgres/{database}"
        query = f"psql '{dsn}' -c '{statement}' >/dev/null && echo yes || echo no"
        said = site.compose("exec", "-T", "postgres", "sh", "-c", query)
        assert said.strip() == ("yes" if allowed else "no"), (role, database, statement)


def test_a_task_container_reaches_store_and_database_and_nothing_else(site: Site) -> None:
    """Not Airflow, not the proxy before the engine, not the world."""
    code = "; ".join(
        [
            "import socket, sys",
            "host, port = sys.argv[1].split(':')",
            "socket.create_connection((host, int(port)), 3)",
        ]
    )
    found = {}
    for target in ("object-store:9000", "postgres:5432", "api-server:8080", "engine-proxy:2375", "1.1.1.1:53"):
        words = ["run", "--rm", "--network", NETWORK, "--entrypoint", "python", site.settings["TASK_IMAGE"], "-c", code]
        found[target] = subprocess.run(["docker", *words, target], capture_output=True, check=False).returncode == 0
    assert found == {
        "object-store:9000": True,
        "postgres:5432": True,
        "api-server:8080": False,
        "engine-proxy:2375": False,
        "1.1.1.1:53": False,
    }


def test_the_first_night_ends_with_a_release(site: Site, first: Night) -> None:
    """On the demo catalogue, triggered with what the form has by default: every box succeeded at its first try.

    But for those that ask a human, which no run does by default.
    """
    assert first.state == "success"
    done = [task for task in first.tasks if task["task_id"] not in {"approve", "promote"}]
    assert {task["state"] for task in done} == {"success"}
    assert {task["try_number"] for task in done} == {1}
    assert {task["state"] for task in first.tasks if task not in done} == {"skipped"}
    assert len([name for name in first.states() if name.startswith("train ")]) == 6


def test_the_release_is_in_the_object_store_and_is_served(site: Site, first: Night) -> None:
    """Whole, by its manifest; the champion's row names it; it speaks of films and viewers."""
    release = site.release(first)
    for name in release.manifest.files:
        release.path(name)  # reading compares the hash
    assert release.prefix.rpartition("/")[2] == site.champion()
    recommendations = release.frame("recommendations.parquet")
    assert recommendations["item_id"].astype(str).str.startswith("film-").all()
    assert recommendations["user_id"].nunique() > 300


def test_the_metrics_are_in_postgresql(site: Site, first: Night) -> None:
    """Of every model; and the command shows them."""
    where = f"run = '{first.run}' AND split = 'test' AND metric = 'ndcg' AND k = 20"
    rows = site.rows(f"SELECT model, value FROM rec.metric WHERE {where}")
    metrics = {model: float(value) for model, value in rows}
    assert set(metrics) == {"popularity", "ease", "hybrid", "bpr", "vbpr", "lightgcn"}
    assert min(metrics["vbpr"], metrics["lightgcn"]) > metrics["popularity"] > 0
    assert first.run in site.compose("run", "--rm", "-T", "tasks", "history")


def test_tasks_leave_neither_containers_nor_volumes(site: Site, first: Night) -> None:
    """What they write is in the store."""
    assert site.task_containers() == []
    assert set(dangling()) <= site.dangling_before


def test_no_secret_is_in_the_ui_or_in_a_log(site: Site, first: Night) -> None:
    """What is rendered is the command line alone."""
    secrets = [site.secret(name) for name in ("METRICS_DB_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_DB_PASSWORD")]
    secrets.append(site.settings.get("S3_SECRET_KEY") or site.secret("S3_SECRET_KEY"))
    for task in first.tasks:
        shown = json.dumps([task, *site.api.log(DAG, first.run, task)])
        assert not any(secret in shown for secret in secrets), task["task_id"]
        if task["task_id"] == "promote":  # skipped, as nobody was asked
            assert task["state"] == "skipped"
        elif task["task_id"] not in {"features", "models", "approve", "announce"}:  # these run in Airflow itself
            assert list(task["rendered_fields"]) == ["command"]


def test_without_a_gpu_the_log_says_so(site: Site, first: Night) -> None:
    """Here there is none."""
    for task in first.tasks:
        if task["task_id"] == "train":
            assert any(
                line.startswith("on the CPU, no GPU is available") for line in site.api.log(DAG, first.run, task)
            )


def test_an_upgrade_in_place_keeps_the_data(site: Site, first: Night) -> None:
    """From images and a database schema of before (Airflow 3.1's) to those of now: same runs, metrics, release."""
    before = runs(site), metrics(site), site.champion()
    images = docker("ps", "--filter", OF_COMPOSE, "--format", "{{.Names}} {{.Image}}")
    assert f"{PROJECT}-scheduler-1" in images
    old = docker("inspect", "-f", "{{.Image}}", f"{PROJECT}-scheduler-1")
    site.compose("stop", "api-server", "scheduler", "dag-processor", "triggerer")
    words = ["db", "downgrade", "--to-version", "3.1.0", "--yes"]
    site.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "airflow", "airflow-init", *words)
    site.make("up", REVISION="the-next-one")
    assert docker("inspect", "-f", "{{.Image}}", f"{PROJECT}-scheduler-1") != old
    assert "Running upgrade" in site.compose("logs", "--no-log-prefix", "airflow-init")
    assert (runs(site), metrics(site), site.champion()) == before
    label = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
    assert docker("inspect", "-f", label, f"{PROJECT}-scheduler-1") == "the-next-one"


def test_the_second_night_extracts_only_what_is_new(site: Site, first: Night) -> None:
    """Three films more, the rest from the cache; and what was refused is not tried into the release."""
    site.tasks(FILMS_ARRIVE)
    night = site.night(models=FEW)
    assert night.state == "success"
    for modality in MODALITIES:
        then, now = site.counts(first, modality), site.counts(night, modality)
        assert (then["found"], then["extracted"]) == (FILMS, FILMS - 1)
        assert (now["found"], now["cached"], now["extracted"]) == (FILMS + NEW, FILMS - 1, NEW)
        assert now["rejected"] == 1  # of the three broken films, one in each modality
    aligned = read_artefact(site.store, f"runs/{night.run}/align").manifest.counts
    assert aligned["kept"] == FILMS + NEW  # each broken film by what it has in the other modalities
    assert [aligned[f"missing_{modality}"] for modality in MODALITIES] == [1, 1, 1]


def test_the_third_night_finds_nothing_new(site: Site) -> None:
    """And is skipped."""
    champion = site.champion()
    night = site.night(models=FEW)
    assert night.state == "success"
    assert night.states()["scan"] == "skipped"
    assert site.champion() == champion


def test_a_failed_validation_mails_and_changes_nothing(site: Site) -> None:
    """A log whose items were renumbered 0..n-1: stopped before training, at the first try, with one mail."""
    champion = site.champion()
    site.tasks(MAKE_LOG + RENUMBER + LOAD_LOG)
    night = site.night(models=FEW)
    site.tasks(MAKE_LOG + LOAD_LOG)
    assert night.state == "failed"
    assert (night.states()["check-embeddings"], night.states()["train"]) == ("failed", "upstream_failed")
    (mail,) = wait_for("the mail", lambda: site.mails(night.run), deadline=120)
    body = mail.get_body(("plain",))
    assert body is not None
    text = " ".join(body.get_content().split())
    for fact in ("id_spaces_agree", "interactions_are_covered", night.run, champion, site.settings["UI_PORT"]):
        assert fact in text
    assert site.champion() == champion


@pytest.mark.fault("F3")
def test_running_out_of_memory_is_reported(site: Site) -> None:
    """A limit that is too low: the log names it, and the fault is one that is tried again."""
    site.make("up", TASK_MEMORY="32m", NO_BUILD="1")
    run = site.press_trigger(models=FEW, force=True)
    wait_for("the first try", lambda: "up_for_retry" in [t["state"] for t in site.api.tasks(DAG, run)])
    said = "\n".join(log_of(site, run, "scan"))
    assert "out of memory: it needed more than its limit of 32m (RECSYS_TASK_MEMORY)" in said
    site.api.patch(f"/dags/{DAG}/dagRuns/{quote(run, safe='')}", {"state": "failed"})
    site.make("up", NO_BUILD="1")
    assert site.task_containers() == []


@pytest.mark.fault("F2")
def test_a_killed_schedulers_container_is_reaped_and_its_task_tried_again(site: Site) -> None:
    """Killed outright while a model trained: its container goes on alone until the scheduler is back."""
    run = site.press_trigger(models=["bpr"], force=True)
    api = site.api

    def training() -> list[str]:
        states = {task["task_id"]: task["state"] for task in api.tasks(DAG, run)}
        return site.task_containers() if states.get("train") == "running" else []

    (orphan,) = wait_for("a container that trains", training)
    os.kill(int(docker("inspect", "-f", "{{.State.Pid}}", f"{PROJECT}-scheduler-1")), signal.SIGKILL)
    assert orphan in site.task_containers()
    wait_for("the orphan's end", lambda: orphan not in site.task_containers(), deadline=120)
    assert f"removed task container {orphan}" in site.compose("logs", "--no-log-prefix", "scheduler")
    night = site.follow(run)
    assert night.state == "success"
    (train,) = (task for task in night.tasks if task["task_id"] == "train")
    assert train["try_number"] == 2
    assert site.task_containers() == []


FILES = ["airflow.dump", "metrics.dump", "store.tar"]


def test_a_backup_brings_everything_back_after_the_volumes_were_destroyed(site: Site) -> None:
    """Both databases and every object; and the next night knows that nothing is new."""
    site.make("backup")
    (backup,) = (site.folder / "backups").iterdir()
    assert sorted(path.name for path in backup.iterdir()) == ["COMPLETE", "SHA256SUMS", *FILES]
    assert "is as it was written" in site.make("verify-backup", f"FROM=backups/{backup.name}").stdout
    before = runs(site), metrics(site), site.champion(), objects(site)
    site.make("down", "ARGS=--volumes")
    assert docker("volume", "ls", "-q", "--filter", OF_COMPOSE) == ""
    site.make("restore", f"FROM=backups/{backup.name}", REVISION="the-next-one")
    assert (runs(site), metrics(site), site.champion(), objects(site)) == before
    assert site.night(models=["bpr"]).states()["scan"] == "skipped"


def test_a_backup_that_was_changed_is_refused(site: Site) -> None:
    """Before anything is touched."""
    (backup,) = (site.folder / "backups").iterdir()
    champion = site.champion()
    with (backup / "metrics.dump").open("ab") as file:
        file.write(b"x")
    done = site.make("restore", f"FROM=backups/{backup.name}", check=False)
    assert done.returncode != 0
    assert "is not as it was written" in done.stderr
    assert site.champion() == champion


def objects(site: Site) -> dict[str, int]:
    """Every object and its size."""
    return {info.key: info.size for info in site.store.list("")}


def test_down_in_the_middle_of_a_run_leaves_nothing_but_the_data(site: Site) -> None:
    """Neither containers nor networks, those of running tasks included; with --volumes not even the data."""
    site.press_trigger(models=FEW, force=True)
    wait_for("a task container", site.task_containers)
    site.make("down")
    assert left(site) == {"container": [], "network": [], "volume": volumes()}
    assert len(volumes()) == 4
    site.make("down", "ARGS=--volumes")
    assert left(site) == {"container": [], "network": [], "volume": []}


def volumes() -> list[str]:
    """The named volumes of the installation."""
    return docker("volume", "ls", "-q", "--filter", OF_COMPOSE).split()


def left(site: Site) -> dict[str, list[str]]:
    """What is still there of the installation."""
    found = {}
    for kind, words in (("container", ["ps", "-aq"]), ("network", ["network", "ls", "-q"])):
        of_compose = docker(*words, "--filter", OF_COMPOSE).split()
        found[kind] = of_compose + (site.task_containers() if kind == "container" else [])
    found["volume"] = volumes()
    return found
