"""The output of the demo during a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from local.demo import closing_line
from local.errors import StackError
from local.follow import Lines, Table, describe, follow, label
from local.rest import Api, RefusedError


def task(name: str, state: str | None, **more: object) -> dict[str, object]:
    """Return a task instance like the API."""
    return {
        "task_id": name,
        "map_index": -1,
        "rendered_map_index": None,
        "state": state,
        "duration": None,
        "try_number": 1,
    } | more


def test_a_mapped_box_is_named_by_what_it_was_mapped_over() -> None:
    """Users know `image`, not index 0; the index is shown until the name is known."""
    assert label(task("scan", "running")) == "scan"
    assert label(task("extract", "running", map_index=0, rendered_map_index="image")) == "extract [image]"
    assert label(task("extract", None, map_index=0)) == "extract [0]"


def test_a_line_tells_state_seconds_and_repeated_tries() -> None:
    """One line has all that users need to know."""
    line = describe(task("train", "up_for_retry", duration=12.34, try_number=2))
    assert line.split() == ["!", "train", "up_for_retry", "12.3", "s", "try", "2"]
    assert describe(task("train", None)).split() == ["train", "waiting"]


def test_a_log_gets_a_line_for_each_change_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Polling every second does not fill a log."""
    show = Lines()
    show([task("scan", None)], 0.0)
    show([task("scan", "running")], 1.0)
    show([task("scan", "running")], 2.0)
    show([task("scan", "success", duration=1.5)], 3.0)
    assert [line.split()[:5] for line in capsys.readouterr().out.splitlines()] == [
        ["1", "s", ">", "scan", "running"],
        ["3", "s", "+", "scan", "success"],
    ]


def test_a_mapped_box_is_not_shown_twice_under_two_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Airflow sets the name of a mapped task shortly after its start."""
    show = Lines()
    show([task("extract", "running", map_index=0)], 1.0)
    show([task("extract", "running", map_index=0, rendered_map_index="0")], 1.5)
    show([task("extract", "running", map_index=0, rendered_map_index="image")], 2.0)
    shown = capsys.readouterr().out
    assert "extract [image]" in shown
    assert "extract [0]" not in shown
    show([task("extract", "failed", map_index=1)], 3.0)
    assert "extract [1]" in capsys.readouterr().out


def test_a_terminal_is_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second table overwrites all lines of the first."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((80, 24)))
    written: list[str] = []
    show = Table(written.append)
    show([task("scan", "running"), task("align", None)], 1.0)
    show([task("scan", "success"), task("align", None)], 2.0)
    assert not written[0].startswith("\x1b[3A")
    assert written[1].startswith("\x1b[3A")
    assert written[1].count("\n") == 3


def test_a_terminal_too_low_gets_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that have scrolled away cannot be overwritten."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((80, 3)))
    written: list[str] = []
    Table(written.append)([task("scan", "running"), task("align", None)], 1.0)
    assert written == []
    assert "scan" in capsys.readouterr().out


def test_the_closing_line_of_a_box_is_found_in_its_log() -> None:
    """Plain values are shown, nested ones are not; a line that only looks like JSON is skipped."""
    log = [
        "python -m tasks extract",
        '{"encoded": 3, "cached": 300, "share": 0.01, "ids": [1, 2]}',
        "{not json}",
        "bye",
    ]
    assert closing_line(log) == "encoded 3, cached 300, share 0.01"
    assert closing_line(["nothing here"]) == ""


class Busy(BaseHTTPRequestHandler):
    """Airflow's API as far as `follow` asks it; `silent` counts requests that get no answer, as on a busy machine."""

    silent = 0
    refused = False

    def do_POST(self) -> None:
        """Log in."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"access_token": "x"})

    def do_GET(self) -> None:
        """Answer, refuse, or hang up."""
        if self.path.endswith("/tasks"):
            self.answer({"tasks": [{"task_id": "scan", "downstream_task_ids": []}]})
        elif type(self).silent:
            type(self).silent -= 1
            self.close_connection = True
        elif type(self).refused:
            self.send_error(404)
        else:
            tasks = [task("scan", "success")]
            self.answer({"state": "success", "task_instances": tasks})

    def answer(self, content: object) -> None:
        """Send JSON."""
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def busy() -> Iterator[Api]:
    """An API of the class Busy."""
    Busy.silent, Busy.refused = 0, False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Api(f"http://127.0.0.1:{server.server_port}", "admin", "secret")
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_api_that_is_silent_for_a_while_does_not_end_the_watching(
    busy: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run goes on in Airflow, whether its API answers or not."""
    monkeypatch.setattr("local.follow.INTERVAL", 0.01)
    Busy.silent = 2
    assert follow(busy, "films", "run") == "success"
    assert "+ scan" in capsys.readouterr().out


def test_an_api_that_stays_silent_or_refuses_ends_it(busy: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own sentence."""
    monkeypatch.setattr("local.follow.INTERVAL", 0.01)
    monkeypatch.setattr("local.follow.PATIENCE", 0.0)
    Busy.silent = 1000
    with pytest.raises(StackError, match="Airflow did not answer GET"):
        follow(busy, "films", "run")
    Busy.silent, Busy.refused = 0, True
    with pytest.raises(RefusedError, match="answered 404"):
        follow(busy, "films", "run")
