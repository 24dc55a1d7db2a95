"""The plugin that every component of Airflow loads: it registers the listener."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from recsys.listener import Notes


class RecsysPlugin(AirflowPlugin):
    """What this project adds to Airflow."""

    name = "recsys"
    listeners = [Notes()]  # noqa: RUF012  so Airflow declares it
