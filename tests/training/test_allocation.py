"""Memory freed in the block is used again in it, and given back after it."""

from __future__ import annotations

import platform
import resource
from pathlib import Path

import pytest
import torch

from tasks.training.allocation import kept_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told")
MIB = 2**20


def faults() -> int:
    """Pages that the system gave this process for 20 tensors of 64 MiB, one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(16 * MIB)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """MiB that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // MIB


def test_pages_are_given_once_in_the_block_and_each_time_outside() -> None:
    once = 64 * MIB // resource.getpagesize()
    assert faults() > 15 * once
    with kept_memory():
        assert faults() < 2 * once
    assert faults() > 15 * once


def test_what_was_kept_is_given_back_even_after_an_error() -> None:
    def work() -> None:
        with kept_memory():
            torch.ones(128 * MIB)
            assert resident() > before + 500
            raise ValueError("stop")

    before = resident()
    with pytest.raises(ValueError, match="stop"):
        work()
    assert resident() < before + 100
