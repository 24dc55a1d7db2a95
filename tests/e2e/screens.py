"""Pictures for docs/operate.md: `python -m tests.e2e.screens FOLDER` plays a bad night on a real stack.

A mail server that is gone, a night whose validation fails, the message that arrives later, a night that the gate turns
down, and the night on which all is well again. Takes about ten minutes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.site import DATASET, Site, open_site
from tests.e2e.test_history_page import CHROMIUM, QUIET, Visitor
from tests.e2e.test_outages import kill
from tests.waiting import wait_for


class Camera:
    """Takes pictures of the pages that an operator looks at."""

    def __init__(self, browser: Browser, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.eyes = {theme: Visitor(browser, site, "admin", theme, 1280) for theme in ("light", "dark")}

    def page(self, name: str, theme: str, page: str, **ids: str) -> None:
        """A page of the history."""
        visitor = self.eyes[theme]
        visitor.open(page, **({"dataset": DATASET} | ids))
        visitor.page.wait_for_timeout(500)
        visitor.page.screenshot(path=self.folder / f"{name}.png")

    def run(self, name: str, theme: str, run: str) -> None:
        """The page of a run in Airflow."""
        page = self.eyes[theme].page
        self.eyes[theme].go(f"{self.site.stack.url}/dags/retrain_nightly/runs/{quote(run, safe='')}")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(3000)
        page.screenshot(path=self.folder / f"{name}.png")

    def mail(self, name: str, theme: str, text: str) -> None:
        """A mail as its reader shows it."""
        page = self.eyes[theme].page.context.new_page()
        page.set_viewport_size({"width": 800, "height": 900})
        page.set_content(text)
        page.screenshot(path=self.folder / f"{name}.png")
        page.close()


@contextmanager
def without_mail_server(site: Site) -> Iterator[None]:
    """Kill it; start it again at the end."""
    kill(site.stack.mail)
    try:
        yield
    finally:
        site.stack.mail.launch()


def renumber(site: Site) -> Path:
    """A log whose items are numbered 0..n-1, which is the source's own mistake; returns the right one."""
    right = site.catalogue / f"from-{site.items}" / "interactions.csv"
    log = pd.read_csv(right)
    log["item_id"] = log["item_id"].astype("category").cat.codes
    log.to_csv(wrong := site.catalogue / "renumbered.csv", index=False)
    site.command("load-interactions", str(wrong), "--dataset", DATASET)
    return right


def play(site: Site, camera: Camera) -> None:
    """The nights, in order."""
    site.night()
    site.films_arrive(site.items, 3)
    site.night()
    right = renumber(site)
    with without_mail_server(site):
        failed = site.night()
        tried = "SELECT 1 FROM rec.alert WHERE run = %s AND failed_attempts > 0"
        wait_for("a try to send", lambda: site.rows(tried, failed.run))
        camera.run("bad-night-run", "dark", failed.run)
        camera.page("bad-night-validation", "light", "validation", run=failed.run)
        camera.page("bad-night-alerts", "light", "alerts")
    wait_for("the mail", lambda: len(site._mails()) > site.mails_seen)
    (mail,) = [one for one in site._mails()[site.mails_seen :] if "failed" in one["Subject"]]
    body = mail.get_body(("html",))
    assert body is not None
    camera.mail("bad-night-mail", "light", body.get_content())
    site.mails_seen = len(site._mails())
    site.command("load-interactions", str(right), "--dataset", DATASET)
    refused = site.night(models=["bpr"], force=True)
    camera.page("bad-night-refused", "dark", "run", run=refused.run)
    site.films_arrive(site.items + 3, 2)
    site.night()
    unsettled = "SELECT 1 FROM rec.alert WHERE run = %s AND settled_at IS NULL"
    wait_for("the news that all is well again", lambda: not site.rows(unsettled, failed.run))
    camera.page("bad-night-well", "light", "alerts")
    camera.page("bad-night-overview", "dark", "")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        pytest.MonkeyPatch.context() as patch,
        sync_playwright() as driver,
        open_site(Path(place), patch.setenv) as opened,
    ):
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        play(opened, Camera(chromium, opened, target))
        chromium.close()
