"""The whole system on a small catalogue: one stack for all tests, which ends with everything that it started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.site import Night, Site, open_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running stack with a catalogue in its store; `retrain_nightly` is switched on, `ingest_media` is not."""
    with pytest.MonkeyPatch.context() as patch, open_site(tmp_path_factory.mktemp("site"), patch.setenv) as opened:
        yield opened


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
