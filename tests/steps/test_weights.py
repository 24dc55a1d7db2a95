"""The command `weights`, against a real server on this machine."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch

from tasks.encoders import load_encoder
from tasks.encoders.audioclip.checkpoints import CHECKPOINTS, Checkpoint
from tasks.errors import BadInput, Corrupt, NotFound, TaskError
from tasks.steps.weights import weights
from tasks.store import Store, read_artefact
from tests.encoders.audioclip_world import MAKERS, TINY, random_model

Publish = Callable[..., Checkpoint]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and writes no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Address of a server of the folder `site`."""
    (tmp_path / "site").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "site")))
    thread = Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def publish(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Release a checkpoint under the name `small`: a small model's, or whatever the arguments say."""

    def released(content: object = None, *, promised: bytes | None = None) -> Checkpoint:
        path = tmp_path / "site" / "small.pt"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(random_model().state_dict() if content is None else content, path)
        data = path.read_bytes() if promised is None else promised
        checkpoint = Checkpoint(f"{site}/small.pt", len(data), hashlib.sha256(data).hexdigest(), TINY)
        monkeypatch.setitem(CHECKPOINTS, "small", checkpoint)
        return checkpoint

    return released


def test_a_released_checkpoint_becomes_an_encoder(publish: Publish, folder_store: Store) -> None:
    """Downloaded, verified and converted, it is found by its name and gives the vectors of its weights."""
    checkpoint = publish()
    found = weights(name="small")
    artefact = read_artefact(folder_store, str(found["weights"]))
    assert artefact.json("config.json")["source_sha256"] == checkpoint.sha256
    origin = {"architecture": "audioclip", "source": checkpoint.url, "source_sha256": checkpoint.sha256}
    assert artefact.manifest.parameters == origin
    state = artefact.tensors("model.safetensors")
    assert all(torch.equal(state[key], value) for key, value in random_model().state_dict().items())
    encoder = load_encoder(folder_store, "small")["text"]
    assert encoder.encode([encoder.decode(MAKERS["text"](0))]).shape == (1, TINY.embed_dim)


def test_a_second_time_is_as_good_as_once(publish: Publish, folder_store: Store) -> None:
    """The same file gives the same weights, so the cache stays valid."""
    publish()
    assert weights(name="small") == weights(name="small")


def test_a_copy_at_hand_is_taken_and_verified(publish: Publish, folder_store: Store, tmp_path: Path) -> None:
    """No download with --path, and no less verification."""
    publish()
    copy = tmp_path / "copy.pt"
    (tmp_path / "site" / "small.pt").rename(copy)
    assert weights(name="small", path=copy)["encoder"] == "small"
    copy.write_bytes(copy.read_bytes()[:-1] + b"\1")
    with pytest.raises(Corrupt, match=r"copy\.pt has sha256"):
        weights(name="small", path=copy)
    with pytest.raises(NotFound, match="does not exist"):
        weights(name="small", path=tmp_path / "nowhere.pt")


def test_a_mirror_may_be_named(publish: Publish, site: str, folder_store: Store, tmp_path: Path) -> None:
    """--url says where else the same file is."""
    publish()
    (tmp_path / "site" / "small.pt").rename(tmp_path / "site" / "mirror.pt")
    assert weights(name="small", url=f"{site}/mirror.pt")["encoder"] == "small"


@pytest.mark.parametrize(
    ("served", "promised", "sentence"),
    [
        (b"x" * 1000, b"y" * 1000, "has sha256 .*, expected .*: it is not the released file"),
        (b"x" * 999, b"x" * 1000, "has 999 bytes, expected 1000"),
        (b"x" * 3_000_000, b"x" * 1000, "has 1001 bytes, expected 1000"),
    ],
    ids=["other content", "too short", "too long"],
)
def test_another_file_is_refused_and_nothing_is_kept(
    publish: Publish, folder_store: Store, served: bytes, promised: bytes, sentence: str
) -> None:
    """Not one byte more is read of a file that is too long, and nothing of it reaches the store."""
    publish(served, promised=promised)
    with pytest.raises(Corrupt, match=sentence):
        weights(name="small")
    assert list(folder_store.list("")) == []


@pytest.mark.fault("F12")
def test_a_pickle_that_runs_code_is_refused(publish: Publish, folder_store: Store, tmp_path: Path) -> None:
    """Even a file of the promised hash is read as tensors and nothing else."""

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    publish(pickle.dumps({"conv1.weight": Trap()}))
    with pytest.raises(BadInput, match="not a plain PyTorch state dict"):
        weights(name="small")
    assert not (tmp_path / "sprung").exists()
    assert list(folder_store.list("")) == []


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_of_another_model_are_refused(publish: Publish, folder_store: Store, change: str) -> None:
    """One name too few, one too many or another shape is named."""
    state = dict(random_model().state_dict())
    if change == "extra":
        state["head.weight"] = torch.zeros(3)
    else:
        value = state.pop("ln_final.weight")
        if change == "shape":
            state["ln_final.weight"] = value[:-1]
    publish(state)
    with pytest.raises(BadInput, match=r"ln_final\.weight|head\.weight"):
        weights(name="small")
    assert list(folder_store.list("")) == []


def test_a_server_that_does_not_answer_is_said(site: str, publish: Publish, folder_store: Store) -> None:
    """An absent file, and a port where nobody listens, are faults that may pass: a TaskError, and tried again."""
    publish()
    for url in (f"{site}/absent.pt", "http://127.0.0.1:9/small.pt"):
        with pytest.raises(TaskError, match="cannot be downloaded") as raised:
            weights(name="small", url=url)
        assert raised.value.exit_code == 1


def test_an_address_with_a_password_is_refused_and_not_shown(publish: Publish, folder_store: Store) -> None:
    """Nor can what looks like this machine be the user of another one."""
    publish()
    for url in ("https://ada:very-secret@example.org/x", "http://127.0.0.1:very-secret@example.org/x"):
        with pytest.raises(BadInput, match="an address with a user or password found, expected none") as found:
            weights(name="small", url=url)
        assert "very-secret" not in str(found.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://example.org/small.pt", "ftp://127.0.0.1/x", "small.pt"])
def test_only_safe_addresses_are_opened(publish: Publish, folder_store: Store, url: str) -> None:
    """No local file, and nothing over a line that anybody could change."""
    publish()
    with pytest.raises(BadInput, match="expected https"):
        weights(name="small", url=url)


def test_an_unknown_checkpoint_is_answered_with_the_known(folder_store: Store) -> None:
    """The released names are listed."""
    with pytest.raises(BadInput, match="audioclip-full, audioclip-partial"):
        weights(name="audioclip")


def test_the_released_files_are_the_known_ones() -> None:
    """Addresses are those of the release, sizes and hashes those of its files."""
    full = CHECKPOINTS["audioclip-full"]
    assert full.url == "https://github.com/AndreyGuzhov/AudioCLIP/releases/download/v0.1/AudioCLIP-Full-Training.pt"
    assert (full.size, full.sha256[:8]) == (537_302_068, "2441d35b")
    partial_ = CHECKPOINTS["audioclip-partial"]
    assert (partial_.size, partial_.sha256[:8]) == (537_302_068, "1921885b")
