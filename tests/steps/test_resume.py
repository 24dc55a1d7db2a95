"""A training whose process is killed by SIGKILL, and the same command given again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tasks.steps.train import train
from tasks.store import Store, read_artefact
from tests.steps.night import reach_prepare

RUN = "scheduled__2026-11-21T02:00:00+00:00"
CHECKPOINT = f"runs/{RUN}/checkpoint-bpr/checkpoint.safetensors"
EPOCHS = 150
HYPERPARAMETERS: dict[str, dict[str, object]] = {
    "bpr": {"max_epochs": EPOCHS, "evaluate_every": 1, "patience": EPOCHS, "embedding_size": 8}
}


def command() -> subprocess.Popen[str]:
    """The task as its container starts it."""
    arguments = ["train", "--run", RUN, "--model", "bpr", "--threads", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "tasks", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def training(store: Store) -> dict[str, object]:
    """What the training said of itself, without what a clock said."""
    said = read_artefact(store, f"runs/{RUN}/train-bpr").json("training.json")
    return {key: value for key, value in said.items() if key not in {"seconds", "history"}}


def learned(store: Store) -> dict[str, str]:
    """Hashes of the files of the model."""
    files = read_artefact(store, f"runs/{RUN}/train-bpr").manifest.files
    return {name: entry.sha256 for name, entry in files.items() if name != "training.json"}


@pytest.mark.fault("F1")
@pytest.mark.slow
def test_a_killed_training_resumes_where_it_was(folder_store: Store) -> None:
    """The second process trains the epochs that were left, gives the same bits, and leaves no checkpoint behind."""
    reach_prepare(folder_store, RUN, ["bpr"], HYPERPARAMETERS)
    train(run=RUN, model="bpr", threads=1)
    expected = learned(folder_store), training(folder_store)
    for info in list(folder_store.list(f"runs/{RUN}/train-bpr/")):
        folder_store.delete(info.key)

    first = command()
    deadline = time.monotonic() + 120
    while not list(folder_store.list(CHECKPOINT)):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    first.communicate()
    assert not list(folder_store.list(f"runs/{RUN}/train-bpr/manifest.json"))

    second = command()
    said = "".join(second.communicate(timeout=120))
    assert second.returncode == 0, said
    assert "bpr resumes after epoch" in said
    assert (learned(folder_store), training(folder_store)) == expected
    assert not list(folder_store.list(f"runs/{RUN}/checkpoint-bpr/"))
