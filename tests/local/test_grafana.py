"""The provisioned Grafana: what it reads is there, and every question of its dashboards is answered to its role."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from local.postgres import start_postgres
from tests.local.test_databases import address, execute, migrate, set_up
from tests.plugins.history import nights

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker/grafana/provisioning"
BOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
CHOSEN = {"dataset": "'cinema'", "metric": "'ndcg'", "k": "20", "split": "'test'", "segment": "'all'"}


def questions(path: Path) -> dict[str, str]:
    """SQL by what it is for: panels, lists to choose from, annotations."""
    board = json.loads(path.read_text(encoding="utf-8"))
    found = {panel["title"]: panel["targets"][0]["rawSql"] for panel in board["panels"]}
    found |= {one["label"]: one["query"] for one in board["templating"]["list"] if one["type"] == "query"}
    return found | {one["name"]: one["target"]["rawSql"] for one in board["annotations"]["list"]}


def fill_in(sql: str) -> str:
    """As Grafana does with its variables and macros."""
    text = re.sub(r"\$__timeFilter\(([a-z._]+)\)", r"\1 BETWEEN '2026-01-01Z' AND '2027-01-01Z'", sql)
    return re.sub(r"\$\{(\w+)(?::sqlstring)?\}", lambda match: CHOSEN[match[1]], text)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The role of the data source, on the thirty nights."""
    with start_postgres(tmp_path_factory.mktemp("postgres")) as server:
        set_up(server)
        migrate(server)
        nights.fill(address(server, "metrics", "metrics"))
        yield address(server, "metrics_reader", "metrics")


@pytest.mark.services
@pytest.mark.parametrize(
    ("board", "title"),
    [(path, title) for path in BOARDS for title in questions(path)],
    ids=lambda part: getattr(part, "stem", part),
)
def test_every_question_of_a_dashboard_has_an_answer(reader: str, board: Path, title: str) -> None:
    """Thirty nights leave no panel empty."""
    assert execute(reader, fill_in(questions(board)[title]))


@pytest.mark.services
def test_every_example_of_the_documentation_has_an_answer(reader: str) -> None:
    """In SQL, as it stands in docs/history.md, to the role that only reads."""
    text = (ROOT / "docs/history.md").read_text(encoding="utf-8")
    examples = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 6
    for example in examples:
        assert execute(reader, example.replace("'demo'", "'cinema'")), example


@pytest.mark.services
def test_the_role_of_the_data_source_cannot_write(reader: str) -> None:
    """Whatever somebody types into a panel."""
    with pytest.raises(psycopg2.Error, match=r"read-only transaction|permission denied"):
        execute(reader, "DELETE FROM rec.run RETURNING run")


def test_the_service_is_closed_by_default() -> None:
    """In a profile, on loopback, without guests, and its password is a secret of .env."""
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))["services"][
        "grafana"
    ]
    assert service["profiles"] == ["grafana"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert service["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    source = yaml.safe_load((FOLDER / "datasources/metrics.yaml").read_text(encoding="utf-8"))["datasources"][0]
    assert (source["user"], source["secureJsonData"]["password"]) == ("metrics_reader", "$METRICS_READER_PASSWORD")
    for path in BOARDS:
        board = json.loads(path.read_text(encoding="utf-8"))
        assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
