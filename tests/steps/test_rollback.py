"""`rollback`: what is served goes back, and only to what can be served."""

from __future__ import annotations

import pytest

from tasks.__main__ import main
from tasks.errors import Corrupt, NotFound
from tasks.steps.publish import publish
from tasks.steps.rollback import rollback
from tasks.store import History, Store, read_artefact, release_prefix
from tests.steps.night import DATASET, reach_publish, spoil

pytestmark = pytest.mark.services


@pytest.fixture
def releases(folder_store: Store, history: History) -> list[str]:
    """Three releases, the last of which is served."""
    found = []
    for n in range(3):
        reach_publish(folder_store, history, f"r{n}", {"popularity": 0.3}, log_seed=n)
        found.append(str(publish(run=f"r{n}", force_publish=True)["release"]))
    return found


@pytest.mark.fault("F22")
def test_rollback_serves_the_release_before(releases: list[str], history: History) -> None:
    """Step by step, or by name, and forward again."""
    found = rollback(dataset=DATASET)
    assert (found["release"], found["before"], found["run"]) == (releases[1], releases[2], "r1")
    assert rollback(dataset=DATASET)["release"] == releases[0]
    assert rollback(dataset=DATASET, release=releases[2])["release"] == releases[2]
    champion = history.champion(DATASET)
    assert champion is not None
    assert (champion.release, champion.version) == (releases[2], 6)


def test_after_a_rollback_the_next_run_is_compared_with_what_is_served(
    releases: list[str], folder_store: Store, history: History
) -> None:
    """Not with what was withdrawn."""
    rollback(dataset=DATASET)
    reach_publish(folder_store, history, "r3", {"popularity": 0.31}, log_seed=3)
    publish(run="r3")
    champion = read_artefact(folder_store, "runs/r3/publish").json("decision.json")["gate"]["champion"]
    assert champion["release"] == releases[1]


@pytest.mark.fault("F22")
def test_a_release_that_is_gone_is_not_served(releases: list[str], folder_store: Store, history: History) -> None:
    """Half of one neither."""
    folder_store.delete(f"{release_prefix(DATASET, releases[1])}/manifest.json")
    with pytest.raises(NotFound, match=releases[1]):
        rollback(dataset=DATASET)
    champion = history.champion(DATASET)
    assert champion is not None
    assert champion.release == releases[2]


@pytest.mark.fault("F5", "F22")
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
def test_a_damaged_release_is_not_served(
    releases: list[str], folder_store: Store, history: History, damage: str
) -> None:
    """Every file is read before the pointer moves."""
    spoil(folder_store, f"{release_prefix(DATASET, releases[1])}/recommendations.parquet", damage)
    with pytest.raises(Corrupt, match=r"recommendations\.parquet"):
        rollback(dataset=DATASET)
    champion = history.champion(DATASET)
    assert champion is not None
    assert champion.release == releases[2]


@pytest.mark.parametrize("options", [["--dataset", "unknown"], ["--dataset", DATASET, "--release", "0123456789abcdef"]])
def test_what_does_not_exist_is_named(
    releases: list[str], capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """A dataset without a release, or a release of another name: bad input."""
    assert main(["rollback", *options]) == 2
    assert options[-1] in capsys.readouterr().err


def test_a_wrong_name_is_answered_with_the_known_ones(releases: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The newest first, whatever the store holds."""
    assert main(["rollback", "--dataset", DATASET, "--release", releases[0][:8]]) == 2
    assert f"expected one of {', '.join(reversed(releases))}" in capsys.readouterr().err


def test_the_first_release_has_none_before_it(folder_store: Store, history: History) -> None:
    """It goes on being served."""
    reach_publish(folder_store, history, "r0", {"popularity": 0.3})
    publish(run="r0")
    with pytest.raises(NotFound, match="no other release"):
        rollback(dataset=DATASET)
