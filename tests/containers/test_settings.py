"""What `make up` asks of .env, and the mistakes that are made with it. Nothing is started here."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from tests.containers.site import Site, copied, installation

pytestmark = pytest.mark.containers


@pytest.fixture
def mine(site: Site, tmp_path: Path) -> Site:
    """A copy of the project with the .env of the installation, to be spoilt."""
    other = installation(copied(tmp_path), None)
    for name in ("S3_SECRET_KEY", "S3_MEDIA_SECRET_KEY", "OBJECT_STORE_ROOT_PASSWORD"):
        other.settings.pop(name, None)
    (other.folder / ".env").touch(mode=0o600)
    (other.folder / ".env").write_text((site.folder / ".env").read_text())
    return other


def spoil(site: Site, name: str, value: str | None) -> None:
    """Change a line of .env, or take it out."""
    path = site.folder / ".env"
    line = "" if value is None else f"{name}={value}"
    changed, count = re.subn(rf"^{name}=.*$", line, path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(changed)


def test_secrets_are_generated_long_different_and_kept_to_their_owner(site: Site) -> None:
    """At the first start, by nobody's imagination."""
    path = site.folder / ".env"
    lines = [line.partition("=") for line in path.read_text().splitlines()]
    secrets = [value for name, _, value in lines if name.endswith(("_PASSWORD", "_SECRET", "SECRET_KEY", "FERNET_KEY"))]
    assert len(secrets) == len(set(secrets)) == 14
    assert min(map(len, secrets)) >= 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ".env\n" in (site.folder / ".gitignore").read_text()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("POSTGRES_PASSWORD", None, "POSTGRES_PASSWORD is missing in .env"),
        ("AIRFLOW_FERNET_KEY", "", "AIRFLOW_FERNET_KEY is missing in .env"),
        ("AIRFLOW_ADMIN_PASSWORD", "admin", "AIRFLOW_ADMIN_PASSWORD in .env has 5 characters, expected at least 16"),
        ("AIRFLOW_ADMIN_PASSWORD", "my-long-Password-of-all", "AIRFLOW_ADMIN_PASSWORD in .env can be guessed"),
        ("AIRFLOW_JWT_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaa", "AIRFLOW_JWT_SECRET in .env has less than six different"),
        ("METRICS_DB_PASSWORD", "x9@host/other?y=8-long-one", "METRICS_DB_PASSWORD in .env has characters with"),
        ("S3_SECRET_KEY", "changeme-changeme-1", "S3_SECRET_KEY in .env can be guessed"),
    ],
)
def test_a_weak_or_missing_secret_is_refused(mine: Site, name: str, value: str | None, sentence: str) -> None:
    """With the one sentence that says which and what to do, before anything is built or started."""
    spoil(mine, name, value)
    done = mine.make("up", check=False)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "/dev/urandom" in done.stderr or "expected letters" in done.stderr
    assert "Building" not in done.stdout + done.stderr


def test_data_without_its_secrets_is_not_started_with_others(mine: Site) -> None:
    """A lost .env is told of before anything is done: new passwords would not open the databases."""
    (mine.folder / ".env").unlink()
    done = mine.make("up", check=False)
    assert done.returncode != 0
    assert "volume recsys-test_postgres of an earlier installation found and no .env" in done.stderr
    assert not (mine.folder / ".env").exists()


def test_compose_itself_refuses_what_is_missing(mine: Site) -> None:
    """Who types `docker compose up` is told what writes it."""
    (mine.folder / ".env").unlink()
    mine.settings.pop("S3_ACCESS_KEY", None)
    with pytest.raises(AssertionError, match=r"required variable .* is missing a value: run `make up`"):
        mine.compose("config", "-q")


def test_everything_that_is_named_is_pinned_and_on_loopback(mine: Site) -> None:
    """Images by default, ports always."""
    text = (mine.folder / "docker-compose.yaml").read_text()
    images = re.findall(r"image: (\S+)", text)
    assert all(re.fullmatch(r"\*task-image|\$\{[A-Z_]+_IMAGE:-[^}]+:[^}]+\}", image) for image in images), images
    assert all(port.startswith("127.0.0.1:") for port in re.findall(r'"([^"]*:\d+)"', text) if "$" in port)


def test_every_service_is_limited_watched_and_bounded_in_its_log(site: Site) -> None:
    """Memory, a health check (a one-shot ends instead), rotation, no new privileges."""
    import json

    config = json.loads(site.compose("--profile", "*", "config", "--format", "json"))
    for name, service in config["services"].items():
        once = service.get("restart") == "no"
        assert "mem_limit" in service, name
        assert service["logging"]["options"]["max-size"] == "10m", name
        assert "no-new-privileges" in service["security_opt"], name
        assert once or service["restart"] == "unless-stopped", name
        watched = "healthcheck" in service and "test" in service["healthcheck"]
        assert once or watched or name == "engine-proxy", name  # whose image has its own


def test_a_gpu_override_is_valid(site: Site) -> None:
    """And asks for what NVIDIA's driver calls a gpu."""
    said = site.compose("-f", "docker-compose.yaml", "-f", "docker-compose.gpu.yaml", "--profile", "*", "config")
    assert "capabilities:\n                - gpu" in said


def test_a_command_that_is_none_names_the_known_ones(mine: Site) -> None:
    """And a restore without a backup, and one of a folder that is none."""
    import subprocess

    done = subprocess.run([mine.folder / "docker/stack.sh", "start"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert (
        "command 'start' found, expected up, env, pin, down, status, logs, backup, verify-backup or restore"
        in done.stderr
    )
    assert "no backup is named" in mine.make("restore", check=False).stderr
    assert "airflow.dump is not there" in mine.make("restore", "FROM=backups/none", check=False).stderr
