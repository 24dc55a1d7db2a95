"""Arrays read from a file, of the shape that they have to be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse


def get_array(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array `name`; KeyError when it is missing, ValueError when it is of another shape."""
    if arrays[name].shape != shape:
        raise ValueError(f"{name} of shape {arrays[name].shape} instead of {shape}")
    return arrays[name]


def build_sparse(values: np.ndarray, arrays: Mapping[str, np.ndarray], shape: tuple[int, int]) -> sparse.csr_matrix:
    """CSR of `values` at `indices` and `starts` of `arrays`; KeyError and ValueError as `get_array`."""
    matrix = sparse.csr_matrix((values, arrays["indices"], arrays["starts"]), shape=shape)
    matrix.check_format(full_check=True)
    return matrix
