"""docker/postgres/databases.sql on a real PostgreSQL: who may connect where, and that the reader reads `rec` alone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors
import pytest

from local.postgres import _programs, start_postgres
from tasks.store import History

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {"airflow": "airflow-Pw-1234567", "metrics": "metrics-Pw-1234567", "metrics_reader": "reader-Pw-12345678"}
PASSWORDS |= {"metrics_alerts": "alerts-Pw-12345678"}
BEFORE = """
CREATE ROLE metrics_reader LOGIN PASSWORD 'old' CREATEDB;
GRANT pg_read_all_data, pg_monitor TO metrics_reader;
CREATE ROLE metrics;
CREATE DATABASE metrics OWNER metrics;
CREATE DATABASE metrics_before_2026;
CREATE DATABASE airflow_restored;
GRANT CONNECT ON DATABASE metrics_before_2026 TO metrics_reader;
"""  # as the version before made them, and what a restore left


def address(server: str, role: str, database: str) -> str:
    """DSN of a database for one role."""
    parts = urlsplit(server)
    return f"postgresql://{role}:{PASSWORDS[role]}@{parts.hostname}:{parts.port}/{database}"


def execute(dsn: str, statement: str) -> list[tuple[object, ...]]:
    """The rows of the last of some statements."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def set_up(server: str) -> None:
    """As the service `databases` of docker-compose.yaml does at every start."""
    names = {
        "airflow": "AIRFLOW_DB_PASSWORD",
        "metrics": "METRICS_DB_PASSWORD",
        "metrics_reader": "METRICS_READER_PASSWORD",
        "metrics_alerts": "METRICS_ALERTS_PASSWORD",
    }
    environment = os.environ | {variable: PASSWORDS[role] for role, variable in names.items()}
    script = ROOT / "docker/postgres/databases.sql"
    done = subprocess.run(
        [_programs() / "psql", "--quiet", "--no-psqlrc", f"--file={script}", server],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def migrate(server: str) -> None:
    """As `provision` does after that."""
    with History(address(server, "metrics", "metrics")) as history:
        history.migrate()


@pytest.fixture(scope="module", params=["a new installation", "one of the version before"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two starts of an installation; a table in Airflow's database, and one of a later migration."""
    with start_postgres(tmp_path_factory.mktemp("postgres")) as dsn:
        if request.param != "a new installation":
            for statement in BEFORE.strip().splitlines():
                execute(dsn, statement)
            execute(dsn, f"ALTER ROLE metrics LOGIN PASSWORD '{PASSWORDS['metrics']}'")
            migrate(dsn)
        set_up(dsn)
        migrate(dsn)
        set_up(dsn)
        execute(address(dsn, "airflow", "airflow"), "CREATE TABLE connection (password text)")
        execute(address(dsn, "metrics", "metrics"), "CREATE TABLE rec.later (n int); INSERT INTO rec.later VALUES (7)")
        execute(address(dsn, "metrics", "metrics"), "CREATE VIEW rec.latest AS SELECT * FROM rec.later")
        execute(address(dsn, "metrics", "metrics"), "CREATE TABLE public.other (n int)")
        yield dsn


def test_the_reader_reads_every_table_and_view_of_rec(server: str) -> None:
    """Also those of migrations to come."""
    reader = address(server, "metrics_reader", "metrics")
    names = [
        str(name)
        for (name,) in execute(
            reader, "SELECT relname FROM pg_class WHERE relnamespace = 'rec'::regnamespace AND relkind IN ('r', 'v')"
        )
    ]
    assert {"run", "later", "latest"} < set(names)
    for name in names:
        execute(reader, f'SELECT * FROM rec."{name}"')
    assert execute(reader, "SELECT n FROM rec.latest") == [(7,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT rolpassword FROM pg_authid",
        "SELECT * FROM public.other",
        "SELECT * FROM public._yoyo_migration",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "COPY rec.run TO PROGRAM 'cat'",
        "COPY rec.later FROM '/etc/passwd'",
        "SELECT setconfig FROM pg_db_role_setting, pg_hba_file_rules",
        "SELECT * FROM pg_largeobject",
    ],
)
def test_the_reader_reads_nothing_else(server: str, statement: str) -> None:
    """No password verifiers, no files, no other schema."""
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(address(server, "metrics_reader", "metrics"), statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO rec.later VALUES (1)",
        "UPDATE rec.later SET n = 1",
        "DELETE FROM rec.later",
        "TRUNCATE rec.later",
        "DROP TABLE rec.later",
        "CREATE TABLE rec.mine (n int)",
        "CREATE TABLE public.mine (n int)",
        "CREATE TEMPORARY TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SET ROLE metrics",
        "SET temp_file_limit = '1TB'",
        "ALTER ROLE metrics_reader CONNECTION LIMIT -1",
    ],
)
def test_the_reader_writes_nothing(server: str, statement: str) -> None:
    """Neither as it comes in nor after it has left the read-only mode, which anybody may."""
    reader = address(server, "metrics_reader", "metrics")
    with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction)):
        execute(reader, statement)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(f"{reader}?options=-c%20default_transaction_read_only%3Doff", statement)


def test_the_reader_is_limited(server: str) -> None:
    """In time, connections and disk."""
    reader = address(server, "metrics_reader", "metrics")
    names = (
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "default_transaction_read_only",
        "temp_file_limit",
    )
    assert [execute(reader, f"SHOW {name}") for name in names] == [[("1min",)], [("1min",)], [("on",)], [("1GB",)]]
    ((limit, *flags),) = execute(
        server,
        "SELECT rolconnlimit, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles "
        "WHERE rolname = 'metrics_reader'",
    )
    assert limit == 20
    assert not any(flags)
    assert execute(server, "SELECT roleid FROM pg_auth_members WHERE member = 'metrics_reader'::regrole") == []


def test_a_role_connects_to_its_own_database_alone(server: str) -> None:
    """Of all that are there, with the templates and what a restore leaves."""
    everywhere = execute(server, "SELECT datname, datdba::regrole::text FROM pg_database")
    for role, own in (("airflow", "airflow"), ("metrics", "metrics"), ("metrics_reader", "metrics")):
        for database in [str(name) for name, owner in everywhere if name != own and owner != role]:
            with pytest.raises(psycopg2.OperationalError, match=r"permission denied|not currently accepting"):
                psycopg2.connect(address(server, role, database))
        psycopg2.connect(address(server, role, own)).close()


@pytest.mark.slow
def test_a_restored_backup_has_the_same_rights(server: str, tmp_path: Path) -> None:
    """With the commands of docker/stack.sh: while it is being restored nobody but its owner is let in."""
    script = (ROOT / "docker/stack.sh").read_text(encoding="utf-8")
    made, closed = re.findall(r'"((?:CREATE|REVOKE ALL ON) DATABASE \$\{name\}_restored[^"]*)"', script)
    options = re.search(r"pg_restore --username postgres (.*) --dbname", script)
    assert options is not None
    words = options[1].replace('"$name"', "metrics").split()
    execute(server, "DROP DATABASE IF EXISTS metrics_restored")
    for statement in (made, closed):
        execute(server, statement.replace("${name}", "metrics").replace("$name", "metrics"))
    dump = tmp_path / "metrics.dump"
    source, target = (urlsplit(server)._replace(path=f"/{name}").geturl() for name in ("metrics", "metrics_restored"))
    subprocess.run([_programs() / "pg_dump", "--format=custom", f"--file={dump}", source], check=True)
    subprocess.run([_programs() / "pg_restore", *words, "--dbname", target, dump], check=True)
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(address(server, "metrics_reader", "metrics_restored"))
    execute(server, "ALTER DATABASE metrics RENAME TO metrics_before_2027")
    execute(server, "ALTER DATABASE metrics_restored RENAME TO metrics")
    set_up(server)
    migrate(server)
    test_the_reader_reads_every_table_and_view_of_rec(server)
    test_the_reader_reads_nothing_else(server, "SELECT * FROM public.other")
    test_the_reader_writes_nothing(server, "SELECT lo_create(0)")
    test_a_role_connects_to_its_own_database_alone(server)


def test_the_role_of_alerts_writes_messages(server: str) -> None:
    """It tells, settles, and marks deliveries; a decision that is told is written by the tasks' role."""
    alerts = address(server, "metrics_alerts", "metrics")
    tell = "SELECT rec.tell('k', 'failed', 's', 't', 'films', 'd', 'r', '{}', '0')"
    assert execute(alerts, tell) != [(None,)]
    assert execute(alerts, tell) == [(None,)]
    execute(alerts, "INSERT INTO rec.delivery (message, channel) SELECT id, 'email' FROM rec.message")
    execute(alerts, "UPDATE rec.delivery SET sent_at = now()")
    assert execute(alerts, "SELECT repeats, sent_at IS NOT NULL FROM rec.alert") == [(0, True)]
    assert execute(alerts, "SELECT rec.settle('s', 'films', 'd', 'r', '{}', '0')") != [(None,)]
    assert execute(alerts, "SELECT n FROM rec.later") == [(7,)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM rec.message",
        "INSERT INTO rec.run (run, dataset, config) VALUES ('r', 'd', '{}')",
        "UPDATE rec.pointer SET release = 'mine'",
        "UPDATE rec.later SET n = 1",
        "CREATE TABLE rec.mine (n int)",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_the_role_of_alerts_writes_nothing_else(server: str, statement: str) -> None:
    """Above all not what is served."""
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(address(server, "metrics_alerts", "metrics"), statement)


def test_nobody_else_writes_messages(server: str) -> None:
    """The reader may call the functions, and has no right to what they write."""
    with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction)):
        execute(address(server, "metrics_reader", "metrics"), "SELECT rec.settle('s', '', '', '', '{}', '0')")
