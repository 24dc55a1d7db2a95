"""The plugin that every component of Airflow loads: the listener, and the pages of the metrics history."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from recsys.history import PREFIX, VIEWS, HistoryPage
from recsys.listener import Notes


class RecsysPlugin(AirflowPlugin):
    """What this project adds to Airflow."""

    # without annotations, so Airflow declares them
    name = "recsys"
    listeners = [Notes()]  # noqa: RUF012
    fastapi_apps = [{"app": HistoryPage(), "url_prefix": PREFIX, "name": "Recommender history"}]  # noqa: RUF012
    external_views = VIEWS
