"""Decoders that do what a file may make a decoder do. A module of its own, because processes import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from tasks.media import BadMedia
from tasks.media.remarks import remark_on_text


def obey(data: bytes) -> object:
    """Do what the file says."""
    word, _, rest = data.decode().partition(" ")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "leave":
        os._exit(3)
    if word == "fill":
        return np.ones(1 << 34)
    if word == "hang":
        time.sleep(600)
    if word == "refuse":
        raise BadMedia(rest)
    if word == "break":
        raise ValueError(rest)
    if word == "once":  # the first time alone
        path = Path(rest)
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if word == "short":
        remark_on_text("")
    return np.frombuffer(data, dtype=np.uint8)
