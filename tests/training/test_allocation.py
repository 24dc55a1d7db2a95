"""Memory freed while a model is trained is used again, and given back after it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,  # 2 GiB of tensors, page by page
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told"),
]

# In a process of its own: what others have freed before would be used first.
WORK = """
import json, resource
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from tasks.data import Dataset
from tasks.models import build_model
from tasks.training import TrainingOptions

def faults(count=20, size=2**24):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(size)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() // 2**20

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20

found = {}

class Stop(Exception):
    pass

def validate(scorer):
    found.update(inside=faults(), kept=resident())
    raise Stop

log, names = sparse.identity(8, dtype=np.float32, format="csr"), np.arange(8).astype(np.str_)
none = sparse.csr_matrix((8, 8), dtype=np.float32)
model = build_model("bpr", {"max_epochs": 1}, Dataset("small", log, none, none, names, names))
model.fit(TrainingOptions())  # loads what torch loads late
found.update(outside=faults(), before=resident())
try:
    model.fit(TrainingOptions(validate=validate))
except Stop:
    found.update(after=resident())
    found["outside again"] = faults(5, 2**26)  # too large for what may be left between other things
    found["small"] = faults(60, 2**20)
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def mebibytes() -> dict[str, int]:
    """What the system gave for 20 tensors of 64 MiB one after the other, and what the process held then."""
    done = subprocess.run([sys.executable, "-c", WORK], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_pages_are_given_a_few_times_while_training_and_each_time_outside(mebibytes: dict[str, int]) -> None:
    assert mebibytes["inside"] < 5 * 64  # one or two as a rule: a second where the first does not lie as it should
    assert min(mebibytes["outside"], mebibytes["outside again"]) > 15 * 64


def test_outside_what_is_small_is_used_again_as_in_any_process(mebibytes: dict[str, int]) -> None:
    """60 tensors of 4 MiB: the library raises its own thresholds until they are mapped no more, unless it was told."""
    assert mebibytes["small"] < 60


def test_what_was_kept_is_given_back_even_after_an_error(mebibytes: dict[str, int]) -> None:
    assert mebibytes["kept"] > mebibytes["before"] + 60
    assert mebibytes["after"] < mebibytes["before"] + 10
