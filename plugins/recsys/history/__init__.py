"""The metrics history as pages inside the Airflow UI: `app` answers, `static/` shows, `queries` has all of the SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PREFIX = "/recsys"  # of all its addresses
ROUTE = "recsys"  # of the page of Airflow that frames it
Message = MutableMapping[str, Any]


class HistoryPage:
    """The application, built at its first request: every component loads the plugin, and the API server alone asks."""

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer a request (ASGI)."""
        from recsys.history.app import application  # noqa: PLC0415

        await application()(scope, receive, send)


VIEWS = [
    {"name": "Recommender", "href": f"{PREFIX}/", "destination": "nav", "category": "browse", "url_route": ROUTE},
    {
        "name": "Recommender",
        "href": f"{PREFIX}/run?run={{RUN_ID}}",
        "destination": "dag_run",
        "url_route": "recsys-run",
    },
]
