"""One module for each question of the history page; `ROUTERS` has all of them."""

from recsys.history.routes import alerts, arrivals, comparisons, metrics, overview, releases, runs, validation

ROUTERS = [one.router for one in (overview, metrics, runs, validation, releases, arrivals, alerts, comparisons)]
