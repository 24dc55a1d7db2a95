"""The real servers of the stack: PostgreSQL, S3 and mail."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from minio import Minio
from minio.error import S3Error

from local.errors import StackError
from local.mail import Mail
from local.ports import HOST
from local.postgres import Postgres, start_postgres
from local.processes import alive, send, wait_ended
from local.s3 import S3, start_s3
from local.service import Service, inherit_environment, running
from local.stack import Stack, gpu_slots
from local.state import State

pytestmark = pytest.mark.services
PATIENCE = 20.0  # seconds until a test fails; the event usually takes milliseconds


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    """Return a mail server, the service that starts fastest."""
    server = Mail(State(tmp_path / "state"), bound=True)
    with running(server):
        yield server


def test_postgres_asks_for_the_password(tmp_path: Path) -> None:
    """Other users of the machine cannot connect."""
    with start_postgres(tmp_path) as dsn:
        login = urlsplit(dsn)
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(dsn.replace(str(login.password), "wrong"))


def test_postgres_listens_on_loopback_alone(tmp_path: Path) -> None:
    """The demo cannot be reached from other machines."""
    with start_postgres(tmp_path) as dsn:
        connection = psycopg2.connect(dsn)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')")
            assert cursor.fetchone() == (HOST, "")
        connection.close()


def test_postgres_runs_in_a_folder_with_blanks_that_others_cannot_enter(tmp_path: Path) -> None:
    """A checkout in /root works too, although PostgreSQL must not run as root."""
    closed = tmp_path / "my own"
    closed.mkdir(mode=0o700)
    with start_postgres(closed / "state") as dsn:
        psycopg2.connect(dsn).close()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_postgres_keeps_its_data_and_its_port(tmp_path: Path) -> None:
    """Stopping loses no data, and the DSN stays valid."""
    server = Postgres(State(tmp_path), bound=True)
    with running(server):
        dsn = server.ensure_database("metrics")
        connection = psycopg2.connect(dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.close()
    with running(Postgres(State(tmp_path), bound=True)):
        assert server.ensure_database("metrics") == dsn
        connection = psycopg2.connect(dsn)
        with connection.cursor() as cursor:
            cursor.execute("SELECT answer FROM kept")
            assert cursor.fetchone() == (42,)
        connection.close()


def test_postgres_refuses_data_of_another_version(tmp_path: Path) -> None:
    """Our error is clearer than that of PostgreSQL."""
    server = Postgres(State(tmp_path), bound=True)
    with running(server):
        pass
    (server.data / "PG_VERSION").write_text("12\n", encoding="ascii")
    with pytest.raises(StackError, match="is of PostgreSQL 12, expected"):
        server.launch()


def test_two_stores_at_once_keep_apart(tmp_path: Path) -> None:
    """Several stacks can run on one machine."""
    with start_s3(tmp_path / "a") as first, start_s3(tmp_path / "b") as second:
        client(first).make_bucket(bucket_name="only-here")
        assert client(first).bucket_exists(bucket_name="only-here")
        assert not client(second).bucket_exists(bucket_name="only-here")


def test_the_store_keeps_its_objects_when_its_ports_change(tmp_path: Path) -> None:
    """If another process uses a remembered port, the port changes but the data stay."""
    server = S3(State(tmp_path), bound=True)
    with running(server):
        server.ensure_bucket("kept")
        client(server.environment()).put_object(bucket_name="kept", object_name="a", data=BytesIO(b"1"), length=1)
    before = server.environment()["RECSYS_S3_ENDPOINT"]
    with socket.create_server((HOST, int(before.rpartition(":")[2]))):
        again = S3(State(tmp_path), bound=True)
        with running(again):
            assert again.environment()["RECSYS_S3_ENDPOINT"] != before
            answer = client(again.environment()).get_object(bucket_name="kept", object_name="a")
            assert answer.read() == b"1"
            answer.release_conn()


def test_the_store_refuses_other_keys(tmp_path: Path) -> None:
    """Only the generated key can read or write."""
    with start_s3(tmp_path) as settings, pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        client(dict(settings) | {"RECSYS_S3_SECRET_KEY": "wrong"}).list_buckets()


def test_a_sent_mail_is_a_file(mail: Mail) -> None:
    """A sent email can be read in the folder."""
    with smtplib.SMTP(HOST, mail.state.port("mail")) as connection:
        connection.sendmail("a@localhost", ["b@localhost"], b"Subject: checks failed\r\n\r\nthree items\r\n")
    (kept,) = mail.folder().glob("*.eml")
    message = message_from_bytes(kept.read_bytes())
    assert (message["Subject"], message.get_payload()) == ("checks failed", "three items\r\n")


def test_starting_what_runs_does_nothing(mail: Mail) -> None:
    """The same process keeps running."""
    before = mail.identity
    assert not Mail(State(mail.state.folder), bound=True).launch()
    assert mail.identity == before


def test_a_killed_server_is_started_again_on_its_port(mail: Mail) -> None:
    """Starting repairs."""
    before, port = mail.identity, mail.state.port("mail")
    assert before is not None
    send(before, signal.SIGKILL)
    wait_ended([before], PATIENCE)
    assert mail.launch()
    mail.wait()
    assert mail.state.port("mail") == port
    assert mail.identity not in {before, None}


class Lively(Mail):
    """A mail server with an additional setting."""

    colour = "red"

    def settings(self) -> Mapping[str, str]:
        """One more."""
        return {**super().settings(), "COLOUR": self.colour}


def test_a_server_with_other_settings_is_replaced(tmp_path: Path) -> None:
    """A running server never keeps an outdated port or password."""
    server = Lively(State(tmp_path), bound=True)
    with running(server):
        before = server.identity
        assert before is not None
        server.colour = "blue"
        assert server.launch()
        server.wait()
        assert not alive(before)


class Broken(Service):
    """A server that prints a reason and ends."""

    name, title = "broken", "the broken server"

    def command(self) -> list[str]:
        """Return a command that prints a sentence and fails."""
        return ["sh", "-c", "echo no more room; exit 3"]

    def ready(self) -> bool:
        """Never."""
        return False


class Lapsing(Service):
    """A server that ends after a moment when it is started first, and stays when it is started again."""

    name, title = "lapsing", "the lapsing server"

    def command(self) -> list[str]:
        """Return a command that behaves so."""
        return ["sh", "-c", "[ -e again ] && touch up && exec sleep 600; touch again; sleep 1; exit 3"]

    def ready(self) -> bool:
        """Whether it was started again."""
        return (self.folder() / "up").exists()


@pytest.mark.fault("F9")
def test_a_server_that_ends_for_what_was_before_is_started_anew(tmp_path: Path) -> None:
    """As a scheduler whose database was killed and is back; one that has just been started says why it ended."""
    first = Lapsing(State(tmp_path))
    first.launch()
    before, again = first.identity, Lapsing(State(tmp_path), bound=True)
    try:
        assert before is not None
        assert not again.launch()
        again.wait()
        assert again.identity not in {before, None}
    finally:
        again.stop()


class Slow(Broken):
    """A server that neither ends nor becomes ready."""

    deadline = 0.5

    def command(self) -> list[str]:
        """Return a command that prints a sentence and sleeps."""
        return ["sh", "-c", "echo still thinking; exec sleep 600"]


@pytest.mark.parametrize(("kind", "sentence"), [(Broken, "ended while starting"), (Slow, "was not ready after")])
def test_a_server_that_does_not_come_up_says_why(tmp_path: Path, kind: type[Service], sentence: str) -> None:
    """The error has the log's path and last lines, and no process is left."""
    server = kind(State(tmp_path), bound=True)
    with pytest.raises(StackError, match=sentence) as caught, running(server):
        pass
    assert str(server.log) in str(caught.value)
    assert server.log.read_text(encoding="utf-8").strip() in str(caught.value)
    assert server.identity is None


def test_a_bound_server_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """A killed test run leaves no servers running."""
    program = (
        "import sys, time; from pathlib import Path; from local.mail import Mail; from local.state import State\n"
        "server = Mail(State(Path(sys.argv[1])), bound=True)\n"
        "server.launch(); server.wait(); print('up', flush=True); time.sleep(600)"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        server = Mail(State(tmp_path)).identity
        assert server is not None
        starter.kill()
    assert wait_ended([server], PATIENCE) == set()


def test_servers_do_not_see_settings_of_other_installations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of another Airflow or PostgreSQL in the shell are not inherited."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("no_proxy", "intern")
    kept = inherit_environment()
    assert "AIRFLOW__CORE__EXECUTOR" not in kept
    assert "PGHOST" not in kept
    assert kept["no_proxy"].split(",")[:2] == ["intern", HOST]
    assert kept["PATH"] == os.environ["PATH"]


def test_the_stack_passes_on_what_the_caller_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset set in the shell reaches the DAGs; a store does not, because the stack has its own."""
    monkeypatch.setenv("RECSYS_DATASET", "films")
    monkeypatch.setenv("RECSYS_STORE", "s3://elsewhere")
    settings = Stack(tmp_path, tmp_path / "state", environment={"RECSYS_ALERT_TO": "me@localhost"}).environment()
    assert settings["RECSYS_DATASET"] == "films"
    assert settings["RECSYS_STORE"] == "s3://recsys"
    assert settings["RECSYS_ALERT_TO"] == "me@localhost"


@pytest.mark.parametrize(("code", "slots"), [(0, 1), (1, 2)])
def test_one_task_at_a_time_uses_a_gpu_and_two_the_cores(tmp_path: Path, code: int, slots: int) -> None:
    """`docker/gpu.sh` says whether there is one, by its exit code."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "gpu.sh").write_text(f"exit {code}\n", encoding="utf-8")
    assert gpu_slots(tmp_path) == slots


def test_a_stack_that_never_ran_is_stopped_without_a_word(tmp_path: Path) -> None:
    """Stopping twice does nothing."""
    stack = Stack(tmp_path, tmp_path / "state")
    assert not stack.stop()
    assert set(stack.status().values()) == {"stopped"}


def client(settings: Mapping[str, str]) -> Minio:
    """Return a client like that of the task package."""
    return Minio(
        settings["RECSYS_S3_ENDPOINT"],
        access_key=settings["RECSYS_S3_ACCESS_KEY"],
        secret_key=settings["RECSYS_S3_SECRET_KEY"],
        secure=False,
        region="us-east-1",
    )
