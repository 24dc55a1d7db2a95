"""Properties of docker-compose.yaml and the first .env that can be tested without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.airflow import RUN_IDS
from local.stack import FROM_CALLER
from tasks.store.layout import RUN_NAME

ROOT = Path(__file__).resolve().parents[2]
SHARE = 0.75  # of the limit of memory, what nightly tasks plan with (plugins/recsys/launch/docker.py)
DOCKER = """#!/bin/sh
case "$*" in "compose version"*) echo 2.30.0 ;; "volume inspect"*) exit 1 ;; esac
"""


def composed(service: str) -> dict[str, Any]:
    """Return one service of docker-compose.yaml."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
    return dict(compose["services"][service])


def default(value: str) -> str:
    """Of `${NAME:-default}`."""
    match = re.fullmatch(r"\$\{[A-Z_]+:-(.*)\}", value)
    assert match, value
    return match.group(1)


def test_a_command_typed_by_hand_plans_with_memory_that_it_has() -> None:
    """Without .env the models' limit is below that of the service, with room for the interpreter and libraries."""
    tasks = composed("tasks")
    assert default(tasks["mem_limit"]).endswith("g")
    limit = float(default(tasks["mem_limit"]).removesuffix("g"))
    assert float(default(tasks["environment"]["RECSYS_MEMORY_GIB"])) == SHARE * limit
    assert default(tasks["environment"]["RECSYS_THREADS"]) == "0"


def test_the_first_env_plans_with_memory_that_there_is(tmp_path: Path) -> None:
    """The memory limit depends on the machine."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "docker/stack.sh", tmp_path / "docker")
    (tmp_path / "bin/docker").write_text(DOCKER, encoding="utf-8")
    (tmp_path / "bin/docker").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["sh", tmp_path / "docker/stack.sh", "env"], env={"PATH": path}, check=True, capture_output=True)
    lines = (tmp_path / ".env").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert list(settings) == [line.split("=", 1)[0] for line in example if "=" in line and not line.startswith("#")]
    planned, limit = int(settings["RECSYS_MEMORY_GIB"]), int(settings["TASK_MEMORY"].removesuffix("g"))
    assert SHARE * limit - 1 < planned <= SHARE * limit


def test_what_the_form_reads_reaches_airflow() -> None:
    """With Docker the variables come from .env, without it from the environment of the user."""
    form = (ROOT / "plugins/recsys/form.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"(RECSYS_[A-Z_]+)"', form))
    assert {"RECSYS_DATASET", "RECSYS_K", "RECSYS_SPLIT"} <= read
    assert read <= set(composed("scheduler")["environment"]) & set(composed("dag-processor")["environment"])
    assert read <= set(FROM_CALLER)


def test_airflow_takes_the_run_ids_that_commands_take() -> None:
    """The same pattern in both stacks."""
    assert f"^{RUN_NAME}(?![\\s\\S])" == RUN_IDS
    assert composed("scheduler")["environment"]["AIRFLOW__SCHEDULER__ALLOWED_RUN_ID_PATTERN"] == RUN_IDS


def environment_of(text: str) -> dict[str, str]:
    """Of an env file."""
    return dict(line.split("=", 1) for line in text.splitlines())


def test_tasks_that_decode_media_get_the_same_but_a_lesser_key_and_no_database() -> None:
    """In the nightly runs, and typed by hand."""
    made = composed("airflow-init")["environment"]
    tasks, media = environment_of(made["TASKS_ENV"]), environment_of(made["MEDIA_ENV"])
    assert composed("scheduler")["environment"]["RECSYS_MEDIA_ENV_FILE"] == "/run/recsys/media.env"
    by_hand, lesser = (composed(name)["environment"] for name in ("tasks", "media"))
    for full, less in ((tasks, media), (by_hand, lesser)):
        house = {"RECSYS_GC_GRACE", "RECSYS_KEEP_DAYS", "RECSYS_KEEP_RELEASES"}  # what `gc` asks, which decodes nothing
        changed = {name for name in full if less.get(name) != full[name]} - (house - less.keys())
        assert changed == {"RECSYS_S3_ACCESS_KEY", "RECSYS_S3_SECRET_KEY", "RECSYS_METRICS_DSN"}
        assert set(less) <= set(full)
        assert less.get("RECSYS_METRICS_DSN", "none") == "none"
        for part in ("ACCESS", "SECRET"):
            setting = less[f"RECSYS_S3_{part}_KEY"]
            assert setting.startswith(f"${{S3_MEDIA_{part}_KEY:?")
            assert composed("store-init")["environment"][f"RECSYS_S3_MEDIA_{part}_KEY"] == setting
    passwords = re.compile("POSTGRES|METRICS|AIRFLOW|ROOT|READER|{S3_SECRET")
    assert not passwords.search(made["MEDIA_ENV"])
    service, other = composed("tasks"), composed("media")
    assert {name for name in service if service[name] != other.get(name)} == {"environment", "build"}


def interpolate(text: str, settings: dict[str, str]) -> str:
    """Fill in `${NAME:-default}` and `${NAME:+instead}` as Compose does, the innermost first."""

    def fill(match: re.Match[str]) -> str:
        value = settings.get(match[1], "")
        return (match[3] if value else "") if match[2] == "+" else value or match[3]

    while (filled := re.sub(r"\$\{([A-Z_]+):([-+])([^${}]*)\}", fill, text)) != text:
        text = filled
    return text


@pytest.mark.parametrize(
    ("settings", "ssl", "tls"),
    [
        ({}, False, False),  # the catcher of docker-compose.yaml
        ({"SMTP_HOST": "smtp.example.org", "SMTP_USER": "ada", "SMTP_PASSWORD": "secret"}, False, True),
        ({"SMTP_HOST": "smtp.example.org", "SMTP_DISABLE_TLS": "true"}, False, False),
        ({"SMTP_HOST": "smtp.example.org", "SMTP_DISABLE_TLS": "false"}, False, True),
        ({"SMTP_HOST": "smtp.example.org", "SMTP_DISABLE_SSL": "false"}, True, True),
    ],
)
def test_mail_to_a_server_that_is_named_speaks_tls(settings: dict[str, str], *, ssl: bool, tls: bool) -> None:
    """Unless it is told not to; tests/plugins/test_mail_tls.py says what these flags do."""
    text = composed("scheduler")["environment"]["AIRFLOW_CONN_SMTP_DEFAULT"]
    connection = json.loads(interpolate(text, settings))
    extra = connection["extra"]
    assert (not extra["disable_ssl"], not extra["disable_tls"]) == (ssl, tls)
    assert connection["host"] == settings.get("SMTP_HOST", "mail")
