"""The DAG that goes back to an earlier release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from tests.nasty import NASTY


@pytest.mark.parametrize("release", ["", "0123456789abcdef"], ids=["the one before", "one by its name"])
def test_it_is_the_command_with_what_the_form_says(
    dags: dict[str, Any], run_dag: Callable[..., Any], release: str
) -> None:
    """One task, which does what is typed by hand."""
    ran = run_dag(dags["roll_back"], dataset="films", release=release)
    assert ran.commands == [["rollback", "--dataset", "films", f"--release={release}"]]
    assert ran.state == "success"


@pytest.mark.parametrize("name", [name for name in NASTY.values() if name], ids=[k for k, v in NASTY.items() if v])
def test_it_refuses_names_that_are_none(dags: dict[str, Any], name: str) -> None:
    """As the commands do."""
    with pytest.raises(ParamValidationError):
        dags["roll_back"].params.get_param("release").resolve(name)


def test_it_can_be_started_at_once(dags: dict[str, Any]) -> None:
    """Somebody who has to go back does not look for a switch first."""
    assert dags["roll_back"].is_paused_upon_creation is False
