"""Time per epoch on a GPU, how much of that time it computes, and the share of its peak that the models reach.

    python -m benchmarks.gpu [LOG] [--models NAME ...] [--batches N ...] [--threads N]

LOG is as in `benchmarks.models`. `epoch` is the median of three epochs, with all work of the training loop between
validations. `step` is the mean of ten steps on the same batches in the fastest round, `CPU` that of three steps on the
given number of threads of the same machine, `times` their ratio. `busy` is the share of a step in which a kernel runs.
Peaks are measured first, in the same run: a copy within the GPU, and a product of float32 matrices. `of copy` and
`of product` are the shares of the peaks that a step reaches: the minimum of bytes that its operations move, each input
and each output once, and the operations of its matrix products. Caches can serve small tables faster than the measured
memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.models import Ours
from benchmarks.worlds import draw, fixed_batches, read
from tasks.data import Dataset
from tasks.models import MODELS, build_model, model_class
from tasks.models.families.gradient import GradientModel
from tasks.training import Batch, Triplets
from tasks.training.allocation import keep_memory
from tasks.training.loop import run_epoch

STEPS, ON_CPU, ROUNDS, EPOCHS = 10, 3, 2, 3
GRADIENT = [name for name in MODELS if issubclass(model_class(name), GradientModel)]
PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # position of the left matrix
GATHERING = {"index_select", "embedding", "gather", "index"}  # only the requested rows of a table are read


def size(tensor: Tensor) -> int:
    """Return the size of a tensor in bytes."""
    if tensor.layout == torch.sparse_csr:
        return sum(part.nbytes for part in (tensor.crow_indices(), tensor.col_indices(), tensor.values()))
    return tensor.numel() * tensor.element_size()


class Counted(TorchDispatchMode):
    """Counts the bytes that operations in the block move, and the operations of matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.operations = 0

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if func.is_view or "empty" in name:  # no data are moved
            return result
        inputs = [one for one in tree_leaves((args, dict(kwargs or {}))) if isinstance(one, Tensor)]
        outputs = [one for one in tree_leaves(result) if isinstance(one, Tensor)]
        if name in GATHERING:
            inputs[0] = outputs[0]
        changed = [
            one
            for argument, given in zip(func._schema.arguments, args, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
            for one in tree_leaves(given)
        ]
        self.bytes += sum(map(size, [*inputs, *(changed or outputs)]))
        if name in PRODUCTS:
            left, right = args[PRODUCTS[name] :][:2]
            terms = left.values().numel() if left.layout == torch.sparse_csr else left.numel()
            self.operations += 2 * terms * right.shape[-1]
        return result


def waited(work: Callable[[], object]) -> float:
    """Return the seconds until the work is complete on the GPU."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def step_seconds(ours: Ours, batches: list[Batch], rounds: int) -> float:
    """Return the seconds per step without synchronisation between steps, in the fastest round."""

    def steps() -> None:
        for batch in batches:
            ours.step(batch)

    return min(waited(steps) for _ in range(rounds)) / len(batches)


def peaks() -> tuple[float, float]:
    """Return bytes per second of a copy (read and written) and operations per second of a product."""
    table = torch.randn(2**28, device="cuda")
    copy, square = torch.empty_like(table), table[: 2**26].view(2**13, 2**13)
    moving = min(waited(lambda: copy.copy_(table)) for _ in range(STEPS))
    product = min(waited(lambda: square @ square) for _ in range(STEPS))
    return 2 * size(table) / moving, 2 * 8192**3 / product


def busy(ours: Ours, batches: list[Batch]) -> float:
    """Return the seconds per step in which kernels run."""
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as record:
        for batch in batches:
            ours.step(batch)
        torch.cuda.synchronize()
    return sum(event.self_device_time_total for event in record.key_averages()) / 1e6 / len(batches)


def epochs(ours: Ours, data: Dataset, batch: int) -> Iterator[float]:
    """Seconds of one after the other, as the loop goes through them."""
    triplets, rng = Triplets(data.train, batch), np.random.default_rng(0)

    def epoch() -> None:
        ours.model.train()
        ours.model.start_epoch(rng)
        run_epoch(ours.model, ours.optimizer, triplets.draw(rng, torch.device("cuda")))

    while True:
        yield waited(epoch)


def case(name: str, data: Dataset, batch: int, copying: float, multiplying: float) -> None:
    """Print the line of one model."""
    torch.cuda.reset_peak_memory_stats()
    here = Ours(begin(name, data, batch))
    here.start_epoch()
    batches = fixed_batches(data, STEPS, batch)
    there = Ours(begin(name, data, batch).to("cuda"))  # parameters must be on the GPU before the optimiser is created
    moved = [Batch(one.users.cuda(), one.positives.cuda(), one.negatives.cuda()) for one in batches]
    there.start_epoch()
    step = step_seconds(there, moved, ROUNDS)
    going = epochs(there, data, batch)
    per_epoch = [next(going) for _ in range(EPOCHS)]
    with Counted() as counted:
        there.step(moved[0])
    with keep_memory():  # as in the training loop
        on_cpu = step_seconds(here, batches[:ON_CPU], ROUNDS)
    print(
        f"{name:<10}{batch:>7}{np.median(per_epoch):>9.3f}{step * 1e3:>9.2f}{on_cpu * 1e3:>9.1f}{on_cpu / step:>8.1f}"
        f"{busy(there, moved) / step:>8.0%}{counted.bytes / step / copying:>9.1%}"
        f"{counted.operations / step / multiplying:>12.1%}{torch.cuda.max_memory_allocated() / 2**20:>8.0f}",
        flush=True,
    )


def begin(name: str, data: Dataset, batch: int) -> GradientModel:
    """Return a model at the start of training."""
    model = build_model(name, {"batch_size": batch, "learning_rate": 1e-3}, data)
    assert isinstance(model, GradientModel)
    model.initialise(torch.Generator().manual_seed(0))
    return model


def main(log: Path | None, models: list[str], batches: list[int], threads: int) -> None:
    """Print the peaks and one line per case."""
    torch.set_num_threads(threads)
    data = draw(1_250_000) if log is None else read(log)
    copying, multiplying = peaks()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {threads} threads of the CPU")
    print(f"peaks: {copying / 1e12:.2f} TB/s copied, {multiplying / 1e12:.1f} TFLOP/s multiplied in float32")
    print(f"{data.train.nnz} training interactions, {data.shape[0]} users, {data.shape[1]} items")
    print(
        f"{'model':<10}{'batch':>7}{'epoch s':>9}{'step ms':>9}{'CPU ms':>9}{'times':>8}{'busy':>8}{'of copy':>9}"
        f"{'of product':>12}{'MiB':>8}"
    )
    for batch in batches:
        for name in models:
            case(name, data, batch, copying, multiplying)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--models", nargs="+", choices=GRADIENT, default=GRADIENT, metavar="NAME")
    parser.add_argument("--batches", nargs="+", type=int, default=[2048, 32768], metavar="N")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("torch found no GPU, expected one: run this on a machine with a GPU")
    main(options.log, options.models, options.batches, options.threads)
