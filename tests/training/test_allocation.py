"""Memory freed in the block is used again in it, and given back after it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told")

# In a process of its own: what others have freed before would be used first.
WORK = """
import json, resource
from pathlib import Path

import torch

from tasks.training.allocation import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() // 2**20

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20

found = {"outside": faults(), "before": resident()}
try:
    with kept_memory():
        found |= {"inside": faults(), "kept": resident()}
        raise ValueError
except ValueError:
    print(json.dumps(found | {"after": resident(), "outside again": faults()}))
"""


@pytest.fixture(scope="module")
def mebibytes() -> dict[str, int]:
    """What the system gave for 20 tensors of 64 MiB one after the other, and what the process held then."""
    done = subprocess.run([sys.executable, "-c", WORK], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_pages_are_given_once_in_the_block_and_each_time_outside(mebibytes: dict[str, int]) -> None:
    assert mebibytes["inside"] < 2 * 64
    assert min(mebibytes["outside"], mebibytes["outside again"]) > 15 * 64


def test_what_was_kept_is_given_back_even_after_an_error(mebibytes: dict[str, int]) -> None:
    assert mebibytes["kept"] > mebibytes["before"] + 60
    assert mebibytes["after"] < mebibytes["before"] + 10
