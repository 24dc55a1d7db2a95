"""Connections to the metrics database, of which this package writes the messages of alerts and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CONNECTION = "metrics_db"
ALERTS = "metrics_alerts"  # the same database, with a role that may also write messages
SECONDS = 5  # to connect, and for each query: Airflow ends a callback after 50 s, including the email


def connect(*, write: bool = False) -> connection:
    """Open a connection that ends each statement after SECONDS, and refuses to write unless it is to."""
    import psycopg2  # noqa: PLC0415  DAG files import this module when they are parsed; a parse needs no database

    options = f"-c statement_timeout={SECONDS * 1000} -c default_transaction_read_only={'off' if write else 'on'}"
    opened: connection = psycopg2.connect(**_address(write=write), connect_timeout=SECONDS, options=options)
    return opened


def _address(*, write: bool) -> dict[str, Any]:
    """Return the address from Airflow's connections if one exists, else from RECSYS_METRICS_DSN."""
    for name in (ALERTS, CONNECTION) if write else (CONNECTION,):
        try:
            metrics = Connection.get(name)
        except AirflowNotFoundException:
            continue
        names = ("host", "port", "user", "password", "dbname")
        values = (metrics.host, metrics.port, metrics.login, metrics.password, metrics.schema)
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}
    if dsn := os.environ.get("RECSYS_METRICS_DSN"):
        return {"dsn": dsn}
    raise AirflowNotFoundException(f"no connection {CONNECTION} found, expected it, or RECSYS_METRICS_DSN")
