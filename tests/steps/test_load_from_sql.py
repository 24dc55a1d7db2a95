"""`load-interactions postgresql://... --query` on a real PostgreSQL."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pyarrow.parquet as pq
import pytest

from tasks.__main__ import main
from tasks.data import Interactions
from tasks.errors import BadInput, TaskError
from tasks.steps.load_interactions import load_interactions
from tasks.store import FolderStore, Store, logs, query, read_artefact
from tasks.store.pointers import current
from tasks.store.query import save_answer

TABLE = """
CREATE TABLE ratings (
    customer bigint, film text, stars numeric(2, 1), at timestamptz, note jsonb, seen boolean, day date, local timestamp
);
INSERT INTO ratings VALUES
    (7, '007', 4.5, '2026-11-29 12:00:00+02', '{"a": 1}', true, '2026-11-29', '2026-11-29 10:00:00.9'),
    (7, 'a "quoted", odd name', 2, '2026-11-29 10:00:01+00', NULL, false, '2026-11-28', '2026-11-29 10:00:01'),
    (8, '\\N', 5, '2026-11-29 10:00:02+00', NULL, true, '1969-12-31', '2026-11-29 10:00:02')
"""
QUERY = "SELECT customer AS user_id, film AS item_id, stars AS rating, at AS timestamp FROM ratings"


def run(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement, and return its rows."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def shop(folder_store: Store, empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database with ratings, which SHOP_DSN holds, too."""
    run(empty_dsn, TABLE)
    monkeypatch.setenv("SHOP_DSN", empty_dsn)
    return empty_dsn


def place(dsn: str) -> str:
    """The address as messages have it."""
    parts = urlsplit(dsn)
    return f"postgresql://{parts.hostname}:{parts.port}{parts.path}"


def load(text: str, **options: Any) -> dict[str, object]:
    """Load the answer of a query."""
    return load_interactions(file="env:SHOP_DSN", query=text, dataset="films", **options)


@pytest.mark.services
def test_an_answer_is_read_as_a_file_is(
    shop: str, folder_store: Store, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids as they are, ratings and times by their types; no word has the password in it."""
    words = ["load-interactions", "env:SHOP_DSN", "--query", QUERY, "--dataset", "films", "--threshold", "4"]
    with caplog.at_level("INFO"):
        assert main(words) == 0
    closing_line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (closing_line["format"], closing_line["rows"], closing_line["below_threshold"]) == ("sql", 3, 1)
    assert caplog.messages[0] == f"{place(shop)} read as sql (by --query): 3 rows"
    artefact = read_artefact(folder_store, str(current(folder_store, "interactions/films")))
    kept = Interactions.load(artefact.path(logs.FILE))
    assert kept.user_ids[kept.users].tolist() == ["7", "8"]
    assert kept.item_ids[kept.items].tolist() == ["007", "\\N"]
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == [1_795_946_400, 1_795_946_402]
    assert artefact.manifest.parameters["source"] == place(shop)
    assert artefact.manifest.parameters["query"] == QUERY
    password = str(urlsplit(shop).password)
    assert password not in artefact.manifest.model_dump_json() + caplog.text + json.dumps(closing_line)


@pytest.mark.services
@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("at", [1_795_946_400, 1_795_946_401, 1_795_946_402]),
        ("local", [1_795_946_400, 1_795_946_401, 1_795_946_402]),
        ("day", [1_795_910_400, 1_795_824_000, -86_400]),
        ("extract(epoch FROM at)", [1_795_946_400, 1_795_946_401, 1_795_946_402]),
        ("'1876-11-29 10:00:00+00'::timestamptz", [-2_937_564_000] * 3),  # in Berlin an offset of 53 min 28 s
        ("at::text", [1_795_946_400, 1_795_946_401, 1_795_946_402]),
    ],
)
def test_times_of_every_type_are_seconds(
    shop: str, folder_store: Store, monkeypatch: pytest.MonkeyPatch, column: str, expected: list[int]
) -> None:
    """Whatever time zone and date style the server or the user prefers; times without a zone are UTC."""
    run(shop, f"ALTER ROLE CURRENT_USER IN DATABASE {urlsplit(shop).path[1:]} SET timezone = 'Europe/Berlin'")
    monkeypatch.setenv("PGDATESTYLE", "German")
    load(f"SELECT customer AS user, film AS item, {column} AS time FROM ratings", timestamp_column="time")
    artefact = read_artefact(folder_store, str(current(folder_store, "interactions/films")))
    kept = Interactions.load(artefact.path(logs.FILE))
    assert kept.timestamps is not None
    assert kept.timestamps.tolist() == expected


@pytest.mark.services
def test_columns_become_arrow_columns_by_their_types(shop: str, tmp_path: Path) -> None:
    """What has no type of its own is its text; NULL is null, and an infinite time, too."""
    infinite = "'infinity', '-infinity', 'infinity'"
    run(shop, f"INSERT INTO ratings (film, stars, day, local, at) VALUES ('', 'NaN', {infinite})")
    columns = "customer, film, stars, at, note, seen, day, local, ARRAY[1, 2] AS list, 1::smallint AS small, 0.5::real"
    text = f"SELECT {columns}, 'x'::char(3) AS padded FROM ratings ORDER BY customer;  "
    save_answer(shop, text, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    kinds = {"customer": "int64", "film": "string", "stars": "double", "at": "timestamp[us, tz=UTC]", "note": "string"}
    kinds |= {"seen": "bool", "day": "date32[day]", "local": "timestamp[us]", "list": "string", "small": "int64"}
    kinds |= {"float4": "double", "padded": "string"}
    assert {field.name: str(field.type) for field in table.schema} == kinds
    last = table.slice(3).to_pylist()[0]
    assert [last[name] for name in ("customer", "at", "note", "seen", "day", "local")] == [None] * 6
    assert (last["film"], last["list"], last["padded"]) == ("", "{1,2}", "x")
    assert table["film"].to_pylist()[:3] == ["007", 'a "quoted", odd name', "\\N"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix in {".csv", ".parquet"}] == ["a.parquet"]


@pytest.mark.services
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT customer AS user, film AS item FROM ratings WHERE false", "{place} has no rows, expected"),
        ("SELECT NULL::bigint AS user, film AS item FROM ratings", "column user of {place} has no id in row 1"),
        ("SELECT customer AS user, '' AS item FROM ratings", "column item of {place} has the id '' in row 1"),
        ("SELECT stars AS user, film AS item FROM ratings", "is of type double, expected ids that are text or whole"),
        ("SELECT customer AS user, film AS item, seen FROM ratings", "--rating-column seen with --threshold"),
        (
            "SELECT customer AS user, film AS item, NULLIF(at, at) AS timestamp FROM ratings",
            "column timestamp of {place} has no time in row 1 (3 such rows)",
        ),
        (
            "SELECT customer AS user, film AS item, 'infinity'::timestamptz AS timestamp FROM ratings",
            "column timestamp of {place} has no time in row 1",
        ),
        (
            "SELECT customer AS user, film AS item, '0044-03-15 BC'::date AS timestamp FROM ratings",
            "the answer of {place} cannot be read: ",
        ),
        (
            "SELECT customer AS user, film AS item, note::text AS timestamp FROM ratings WHERE customer = 7",
            "expected seconds or ISO 8601",
        ),
        ("SELECT day, film FROM ratings", "{place} has columns ['day', 'film'], expected one for the user"),
        ("SELECT film AS user, film AS user FROM ratings", "has the columns ['user', 'user'], expected each name once"),
        ("SELECT FROM ratings", "has the columns [], expected each name once"),
        ("  ;", "an empty --query for {place} found, expected one SELECT"),
        ("SELECT * FROM films", '{place} refused the query: relation "films" does not exist; expected one SELECT'),
        ("SELECT 1 / (stars - stars) AS user FROM ratings", "{place} refused the query: division by zero; expected"),
        ("DELETE FROM ratings", "{place} refused the query: syntax error at or near "),
        ("SELECT 1 AS user; DROP TABLE ratings", '{place} refused the query: syntax error at or near ";"'),
        ("WITH gone AS (DELETE FROM ratings RETURNING *) SELECT * FROM gone", "WITH clause containing a data-mod"),
        ("SELECT erase() AS user, 1 AS item", "cannot execute DELETE in a read-only transaction"),
        ("EXPLAIN SELECT 1", "refused the query: syntax error"),
    ],
)
def test_what_cannot_be_a_log_is_one_sentence(
    shop: str, folder_store: Store, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """Exit code 2; nothing is changed, neither in the store nor in the database."""
    run(shop, "CREATE FUNCTION erase() RETURNS int LANGUAGE sql AS 'DELETE FROM ratings; SELECT 1'")
    assert main(["load-interactions", "env:SHOP_DSN", "--query", text, "--dataset", "films"]) == 2
    said = capsys.readouterr().err
    assert message.replace("{place}", place(shop)) in said
    assert said.count("\n") == 1
    assert str(urlsplit(shop).password) not in said
    assert current(folder_store, "interactions/films") is None
    assert run(shop, "SELECT count(*) FROM ratings") == [(3,)]


@pytest.mark.services
def test_a_password_that_is_typed_is_warned_of_and_not_repeated(
    shop: str, folder_store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of processes shows it; libpq's own variable and file keep it apart, as env:NAME does."""
    password = str(urlsplit(shop).password)
    load_interactions(file=shop, query=QUERY, dataset="films", implicit=True)
    assert "the password stands on the command line" in caplog.text
    assert password not in caplog.text
    caplog.clear()
    monkeypatch.setenv("PGPASSWORD", password)
    bare = shop.replace(f":{password}@", "@")
    assert load_interactions(file=bare, query=QUERY, dataset="films", implicit=True)["changed"] is False
    assert "password" not in caplog.text


@pytest.mark.services
def test_a_server_that_does_not_answer_is_a_fault(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password and a closed port: exit code 1, which a scheduler retries, without the password."""
    password = str(urlsplit(shop).password)
    for wrong in (shop.replace(password, "wr0ng"), f"postgresql://me:wr0ng@127.0.0.1:1/{'x'}"):
        monkeypatch.setenv("SHOP_DSN", wrong)
        with pytest.raises(TaskError, match=f"no answer of {place(wrong)}, expected a server") as caught:
            load(QUERY)
        assert caught.value.exit_code == 1
        assert "wr0ng" not in str(caught.value)


@pytest.mark.services
def test_a_statement_that_takes_too_long_for_the_server_is_a_fault(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address may hold the server's own options."""
    monkeypatch.setenv("SHOP_DSN", f"{shop}?options=-cstatement_timeout%3D20")
    with pytest.raises(TaskError, match="canceling statement due to statement timeout"):
        load("SELECT 1 AS user, 2 AS item FROM pg_sleep(5)")


@pytest.mark.services
def test_an_answer_without_end_is_refused(shop: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is bounded as files are, and what was written of it is removed."""
    monkeypatch.setattr(query, "LARGEST", 1 << 20)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(BadInput, match=r"the answer of .* has more than 1\.0 MiB, expected at most that"):
        load("SELECT n AS user, n AS item FROM generate_series(1, 1000000) n")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".csv", ".parquet"}]


@pytest.mark.services
def test_many_rows_are_streamed(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is converted block by block; a text over the border of two is one value."""
    monkeypatch.setattr(query, "BLOCK", 1 << 14)
    text = "SELECT n AS user, E'item\n' || n AS item FROM generate_series(1, 20000) n"
    save_answer(shop, text, tmp_path / "a.parquet")
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        assert file.metadata.num_row_groups > 10
        table = file.read()
    assert table["user"].to_pylist() == list(range(1, 20_001))
    assert table["item"].to_pylist()[-1] == "item\n20000"


@pytest.mark.services
def test_ids_of_an_answer_are_composed(shop: str, folder_store: Store) -> None:
    """As those of a file: accents as two characters are one id with those as one, also in what is added later."""
    assert shop
    load("SELECT 'Jose' || chr(769) AS user_id, 'a' AS item_id")
    added = load("SELECT 'Jos' || chr(233) AS user_id, unnest(ARRAY['a', 'b']) AS item_id", append=True)
    assert (added["users"], added["added"], added["repeated"]) == (1, 1, 1)
    artefact = read_artefact(folder_store, str(current(folder_store, "interactions/films")))
    assert Interactions.load(artefact.path(logs.FILE)).user_ids.tolist() == ["Jos\u00e9"]


@pytest.mark.services
def test_what_is_new_in_the_database_is_added(shop: str, folder_store: Store) -> None:
    """Every night, say, what came since yesterday; rows of the day before are no second rows."""
    load(QUERY, implicit=True)
    run(shop, "INSERT INTO ratings VALUES (9, 'new', 5, '2026-11-30 10:00:00+00')")
    closing_line = load(QUERY, implicit=True, append=True)
    assert (closing_line["added"], closing_line["repeated"], closing_line["contradicting"]) == (1, 3, 0)
    assert load(QUERY, implicit=True, append=True)["changed"] is False


@pytest.mark.usefixtures("folder_store")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["postgresql://me@host/shop"], "an address of a database found without --query, expected both"),
        (["env:SHOP"], "an address of a database found without --query, expected both"),
        (["log.csv", "--query", "SELECT 1"], "--query found without an address of a database, expected both"),
        (["s3://bucket/key", "--query", "SELECT 1"], "--query found without an address of a database"),
        (["env:NONE", "--query", "SELECT 1"], "env:NONE found and NONE is not set, expected it to be postgresql://"),
        (["env:TOKEN", "--query", "SELECT 1"], "env:TOKEN found and TOKEN is not such an address, expected it to be"),
        (["env:ODD", "--query", "SELECT 1"], "the address of the database cannot be read, expected postgresql://"),
        (["env:ODD", "--query", "SELECT 1", "--format", "csv"], "--query with --format or --delimiter found"),
        (["env:ODD", "--query", "SELECT 1", "--delimiter", ";"], "--query with --format or --delimiter found"),
    ],
)
def test_what_does_not_belong_together_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    """Before a server is asked; what a variable holds is not repeated."""
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setenv("ODD", "postgresql://me:s3cret@host:port%/x?nonsense=s3cret")
    assert main(["load-interactions", *words, "--dataset", "films"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "s3cret" not in said


@pytest.mark.services
def test_quick_takes_the_same_sources(shop: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comparison of models on the answer of a query."""
    text = "SELECT u AS user, i AS item FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * i) % 3 <> 1"
    words = ["quick", "env:SHOP_DSN", "--query", text, "--models", "popularity", "--k", "2", "--threads", "1"]
    store = os.environ["RECSYS_STORE"]
    assert main([*words, "--keep", str(tmp_path / "kept")]) == 0
    assert "| popularity | 1 |" in capsys.readouterr().out
    assert os.environ["RECSYS_STORE"] == store
    kept = FolderStore(tmp_path / "kept")
    manifest = read_artefact(kept, str(current(kept, "interactions/quick"))).manifest
    assert manifest.parameters["source"] == place(shop)
