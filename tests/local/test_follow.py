"""The output of the demo during a run."""

from __future__ import annotations

import os

import pytest

from local.demo import closing_line
from local.follow import Lines, Table, describe, label


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
