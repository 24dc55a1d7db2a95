"""Who may open the history page, and what its answers forbid the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from recsys.history.app import application

PLACES = {"/static/{name}": "/static/main.js", "/library/{name}": "/library/uPlot.esm.js"}


def addresses() -> list[str]:
    """Every address of the application."""
    found = [route.path for route in application().routes]
    assert len(found) > 20
    return sorted({PLACES.get(path, path) for path in found})


@pytest.mark.parametrize("path", addresses())
def test_no_address_answers_without_a_login(client: Callable[..., Any], path: str) -> None:
    """Neither pages nor their files nor the description of the API."""
    answer = client().get(f"/recsys{path}")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


def test_a_person_without_a_login_is_told_where_it_is(client: Callable[..., Any]) -> None:
    """As a browser asks that follows a link of an email."""
    answer = client().get("/recsys/run?run=x", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert 'href="../">log in</a>' in answer.text


def test_a_viewer_may_read_and_not_roll_back(client: Callable[..., Any]) -> None:
    """And whoever may trigger DAGs may."""
    told = {role: client(role).get("/recsys/api/me").json()["may_roll_back"] for role in ("viewer", "user", "admin")}
    assert told == {"viewer": False, "user": True, "admin": True}


def test_nothing_can_be_written(client: Callable[..., Any]) -> None:
    """No address takes anything but questions."""
    kinds = {method for route in application().routes for method in route.methods}
    assert kinds <= {"GET", "HEAD"}
    assert client("admin").post("/recsys/api/overview").status_code == 405


def test_a_page_can_load_nothing_of_others(viewer: Any) -> None:
    """And nobody else can frame it."""
    answer = viewer.get("/recsys/")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http" not in answer.text


@pytest.mark.parametrize("name", ["..%2Fapp.py", "app.py", "page.html", ".hidden", "absent.js"])
def test_only_files_of_the_page_are_sent(viewer: Any, name: str) -> None:
    """No name leads out of the folder."""
    assert viewer.get(f"/recsys/static/{name}").status_code == 404


def test_the_api_is_described(viewer: Any) -> None:
    """By OpenAPI, to those who may use it."""
    described = viewer.get("/recsys/openapi.json").json()
    assert {"/api/metrics", "/api/diff", "/api/trend"} <= set(described["paths"])
    assert all(path["get"]["description"] for path in described["paths"].values())
