"""The whole system on a small catalogue: one stack for all tests, which ends with everything that it started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tasks.store import History, open_store
from tests.e2e.site import ROOT, SETTINGS, Night, Site
from tests.waiting import DEADLINE


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running stack with a catalogue in its store; `retrain_nightly` is switched on, `ingest_media` is not."""
    folder = tmp_path_factory.mktemp("site")
    with Stack(ROOT, folder / "state", environment=SETTINGS, bound=True) as stack:
        settings = {name: value for name, value in stack.environment().items() if name.startswith("RECSYS_")}
        with pytest.MonkeyPatch.context() as patch, History(settings["RECSYS_METRICS_DSN"]) as history:
            for name, value in settings.items():
                patch.setenv(name, value)
            history.migrate()
            site = Site(stack, open_store(), history, folder)
            site.films_arrive(0, site.items)
            for dag in ("retrain_nightly", "ingest_media"):
                stack.api().wait_for_dag(dag, DEADLINE)
            stack.api().unpause("retrain_nightly")
            yield site


@pytest.fixture(scope="session")
def first(site: Site) -> Night:
    """The first night."""
    return site.night()


@pytest.fixture(scope="session")
def second(site: Site, first: Night) -> Night:
    """The night after it, without anything new."""
    return site.night()


@pytest.fixture(scope="session")
def third(site: Site, second: Night) -> Night:
    """The night after three films arrived, with the views of their first week."""
    site.films_arrive(site.items, 3)
    return site.night()
