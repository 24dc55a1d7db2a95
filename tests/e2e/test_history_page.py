"""The history page in the system's Chromium: what people see of thirty nights, with their eyes, keys and rights."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.site import Site
from tests.plugins.history import nights
from tests.plugins.history.nights import DATASET, FAILED, NIGHTS, release_of, run_of
from tests.waiting import DEADLINE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

pytestmark = pytest.mark.e2e
pytest.importorskip("playwright", reason="playwright is not installed: the history page was seen by no browser")
CHROMIUM = shutil.which("chromium")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")
PAGES = {
    "": "Recommender of cinema",
    "metrics": "ndcg@20 on test",
    "runs": "Runs of cinema",
    "run": run_of(FAILED),
    "validation": "Validation of cinema",
    "releases": "Releases of cinema",
    "arrivals": "Arrivals of cinema",
    "alerts": "Alerts of cinema",
    "comparisons": "Comparisons of cinema",
}
HARMLESS = "allow-scripts and allow-same-origin"  # what Chromium says of the frame that Airflow makes


@pytest.fixture(scope="module")
def chromium(site: Site) -> Iterator[Browser]:
    """A browser; the nights are in the metrics database."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("chromium is not installed ('apt-get install chromium'): the history page was seen by no browser")
    nights.fill(os.environ["RECSYS_METRICS_DSN"], live=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


class Visitor:
    """Somebody who is logged in; everything that their browser asked for or complained about is kept."""

    def __init__(self, browser: Browser, site: Site, user: str, theme: str, width: int) -> None:
        self.site, self.requests, self.complaints = site, [], []  # type: tuple[Site, list[str], list[str]]
        self.page: Page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        self.page.set_default_timeout(DEADLINE * 100)  # milliseconds: a tenth of what a run may take
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.go(f"{site.stack.url}/auth/login/")
        passwords = json.loads((site.stack.airflow.home / "passwords.json").read_text())
        self.page.fill("input[name=username]", user)
        self.page.fill("input[name=password]", passwords[user])
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda url: "login" not in url)
        self.page.evaluate("theme => localStorage.setItem('theme', theme)", theme)

    def open(self, page: str = "", **ids: str) -> Frame:
        """Open a page within Airflow, as a deep link does; its frame, when all is there."""
        query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in ({"dataset": DATASET} | ids).items())
        self.go(f"{self.site.stack.url}/plugin/recsys/recsys/{page}?{query}")
        return self.frame(page)

    def go(self, url: str) -> None:
        """Load an address; once more if meanwhile a network of a container came or went, which ends what is loading."""
        from playwright.sync_api import Error

        for _ in range(5):
            try:
                self.page.goto(url)
            except Error as error:
                if "ERR_NETWORK_CHANGED" not in str(error):
                    raise
            else:
                return
        raise AssertionError(url)

    def frame(self, page: str) -> Frame:
        """The frame, when it shows a page."""
        self.page.frame_locator("iframe").locator("main[aria-busy=false]").wait_for()
        self.page.wait_for_url(lambda url: f"/plugin/recsys/recsys/{page}" in url)
        (frame,) = [one for one in self.page.frames if "/recsys/" in one.url and one.parent_frame is not None]
        frame.wait_for_selector("main[aria-busy=false]")
        return frame

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"} and HARMLESS not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """`visit("viewer", theme="dark", width=400)`."""
    visitors: list[Visitor] = []

    def come(user: str = "viewer", theme: str = "light", width: int = 1280) -> Visitor:
        visitors.append(Visitor(chromium, site, user, theme, width))
        return visitors[-1]

    yield come
    for one in visitors:
        one.page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_page_fits_and_asks_nobody_else(visit: Callable[..., Visitor], theme: str, width: int) -> None:
    """In Airflow's colours, wide and narrow, without a complaint of the browser; only tables scroll sideways."""
    visitor = visit(theme=theme, width=width)
    for page, title in PAGES.items():
        frame = visitor.open(page, **({"run": run_of(FAILED)} if page == "run" else {}))
        assert title in frame.inner_text("main")
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth"), page
        red = frame.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
        assert (red < 64) == (theme == "dark")
    assert [url for url in visitor.requests if not url.startswith((visitor.site.stack.url, "data:", "blob:"))] == []
    assert visitor.complaints == []


def test_a_stranger_finds_what_serves_since_when_and_why(visit: Callable[..., Visitor]) -> None:
    """From the first page alone, with what failed before and where to go back."""
    text = visit().open().inner_text("main")
    for part in ("vbpr", release_of(NIGHTS), "2026-11-30 02:44 UTC", "It was promoted: ndcg@20 0.1100", "9 new media"):
        assert part in text
    assert "Go back to an earlier release" in text


def test_how_a_metric_moved_is_drawn_and_told(visit: Callable[..., Visitor]) -> None:
    """Thirty nights of VBPR: a line on a canvas, the same in a table, events beside it."""
    frame = visit().open("metrics", model="vbpr")
    assert frame.locator(".chart canvas").count() == 1
    assert frame.evaluate(PAINTED)
    (row,) = frame.locator("table", has_text="First and last run").locator("tbody tr").all_inner_texts()
    assert row.split("\t")[:4] == ["vbpr", "0.0810", "0.1100", "+0.0290"]
    assert {"rollback", "rejected", "failed"} <= set(frame.locator("table", has_text="Events").inner_text().split())


PAINTED = """
() => {
  const canvas = document.querySelector(".chart canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size > 20;
}
"""


def test_which_expectation_failed_and_for_which_items(visit: Callable[..., Visitor]) -> None:
    """On the page of the run; its name leads to the trend with the bound."""
    visitor = visit()
    frame = visitor.open("run", run=run_of(FAILED))
    assert ", ".join(nights.BAD) in frame.inner_text("main")
    frame.click("text=vectors_are_finite")
    shown = visitor.frame("validation").inner_text("main")
    assert "vectors_are_finite of audio" in shown
    assert "at most" in shown


def test_how_two_releases_differ_for_people(visit: Callable[..., Visitor]) -> None:
    """What came and went, whose lists changed most, and the figures of both."""
    text = visit().open("releases", one=release_of(NIGHTS - 1), other=release_of(NIGHTS)).inner_text("main")
    assert "85.0 % of the first 20 items of 580 users stayed. Items: 3 new, 0 gone. Users: 1 new, 0 gone." in text
    assert "ada\tfilm-0310\tfilm-0002" in text
    assert "ndcg@20 on test\t0.1090\t0.1100\t+0.0010" in text


def test_the_keyboard_is_enough(visit: Callable[..., Visitor]) -> None:
    """Tab reaches the skip link, then each page of the menu; Enter opens it, and the address in the bar follows."""
    visitor = visit()
    frame = visitor.open()
    frame.evaluate("document.body.focus()")
    keyboard = visitor.page.keyboard
    frame.locator(".skip").focus()
    keyboard.press("Enter")
    assert frame.evaluate("document.activeElement.id") == "main"
    frame.locator(".skip").focus()
    for _ in range(2):
        keyboard.press("Tab")
    assert frame.evaluate("document.activeElement.textContent") == "Metrics"
    outline = frame.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    keyboard.press("Enter")
    assert "ndcg@20 on test" in visitor.frame("metrics").inner_text("main")


def test_what_users_named_is_text(visit: Callable[..., Visitor]) -> None:
    """An item that somebody gave the name of an element makes none."""
    visitor = visit()
    frame = visitor.open("validation", run=run_of(nights.WARNED))
    assert nights.MARKUP in frame.inner_text("main")
    assert frame.locator("main img").count() == 0


def test_a_viewer_reads_how_to_go_back_and_cannot(visit: Callable[..., Visitor]) -> None:
    """The button is off and says why; Airflow refuses the request, too."""
    frame = visit("viewer").open("releases", release=release_of(29))
    assert frame.locator("button.primary").is_disabled()
    text = frame.inner_text("main")
    assert "who may read runs and not start them" in text
    assert f"rollback --dataset {DATASET} --release {release_of(29)}" in text
    assert frame.evaluate(TRIGGER, {"dataset": DATASET, "release": ""}) == 403


TRIGGER = """
async (conf) => (await fetch("../api/v2/dags/roll_back/dagRuns", {
  method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({logical_date: null, conf}),
})).status
"""


def test_the_button_starts_the_rollback(visit: Callable[..., Visitor], site: Site) -> None:
    """With the login of who pressed it; these releases lie in no store, so the command refuses and nothing moves."""
    frame = visit("admin").open("releases", release=release_of(29))
    frame.click("button.primary")
    frame.wait_for_selector("text=Airflow runs it as")
    (run,) = site.runs("roll_back")
    assert run in frame.inner_text("main")
    assert site.stack.api().run("roll_back", run)["conf"]["release"] == release_of(29)
    assert site.follow(run, "roll_back", expect_mail=True).state == "failed"
    champion = site.history.champion(DATASET)
    assert champion is not None
    assert champion.release == release_of(NIGHTS)


def test_without_a_login_a_deep_link_asks_for_one(chromium: Browser, site: Site) -> None:
    """And leads back to what it named."""
    page = chromium.new_context().new_page()
    page.goto(f"{site.stack.url}/plugin/recsys/recsys/runs?dataset={DATASET}")
    page.wait_for_url(lambda url: "login" in url)
    assert "runs" in page.url
    page.context.close()
