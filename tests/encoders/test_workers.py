"""Files that crash, fill or block what decodes them harm themselves alone."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tasks.encoders import DEMO, load_encoder, workers
from tasks.encoders.workers import Workers
from tasks.media import BadMedia
from tasks.store import FolderStore
from tests.encoders.hostile import obey

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    """Real processes, with less patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "SECONDS", 2.0)
        with Workers() as made:
            yield made


def test_what_is_decoded_comes_back_with_its_remarks(pool: Workers) -> None:
    """The bytes, from another process than this."""
    content, said = pool.run(obey, b"short text")
    np.testing.assert_array_equal(content, np.frombuffer(b"short text", dtype=np.uint8))
    assert said == ["short"]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("crash", "its decoder was ended by SIGSEGV"),
        ("leave", "its decoder ended with code 3"),
        ("fill", "needs more than 4 GiB of memory to be decoded"),
        ("hang", "not decoded within 2 seconds"),
        ("refuse no sound", "no sound"),
    ],
)
def test_a_file_that_harms_its_decoder_is_refused(pool: Workers, file: str, reason: str) -> None:
    """With a reason that is the same each time, while the files around it are decoded."""
    with ThreadPoolExecutor(3) as threads:
        before, bad, after = (threads.submit(pool.run, obey, one) for one in (b"one", file.encode(), b"two"))
        assert isinstance(bad.exception(), BadMedia)
        assert str(bad.exception()) == reason
        assert bytes(before.result()[0]) == b"one"  # type: ignore[call-overload]
        assert bytes(after.result()[0]) == b"two"  # type: ignore[call-overload]
    assert bytes(pool.run(obey, b"three")[0]) == b"three"  # type: ignore[call-overload]


def test_a_process_that_was_ended_from_outside_is_forgiven(pool: Workers, tmp_path: Path) -> None:
    """A file is not refused for one kill: the second time it is decoded."""
    file = f"once {tmp_path / 'seen'}".encode()
    assert bytes(pool.run(obey, file)[0]) == file  # type: ignore[call-overload]


def test_a_fault_of_a_decoder_is_no_fault_of_the_file(pool: Workers) -> None:
    """It stops the task, as everywhere."""
    with pytest.raises(ValueError, match="a bug"):
        pool.run(obey, b"break a bug")


def test_a_large_medium_comes_whole(pool: Workers) -> None:
    """More than a pipe holds, by several threads at once."""
    media = [np.random.default_rng(seed).bytes(30 << 20).hex().encode() for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        for medium, (content, _) in zip(media, threads.map(lambda one: pool.run(obey, one), media), strict=True):
            assert bytes(content) == medium  # type: ignore[call-overload]


def test_processes_end_with_the_block() -> None:
    """Also where it is left by an exception."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    before = set(children.read_text().split())

    def fail() -> None:
        with Workers() as made:
            made.run(obey, b"one")
            raise OSError("the store is gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    left = set(children.read_text().split()) - before
    assert all("resource_tracker" in Path(f"/proc/{child}/cmdline").read_text() for child in left)


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["image", "audio", "text"])
def test_decoders_of_media_are_small_and_need_no_torch(modality: str, tmp_path: Path) -> None:
    """They are sent to processes that start in a fraction of a second."""
    decode = load_encoder(FolderStore(tmp_path), DEMO)[modality].decode
    sent = pickle.dumps(decode)
    assert len(sent) < 10_000
    code = f"import pickle, sys; pickle.loads({sent!r}); print({{'torch', 'pandas'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
