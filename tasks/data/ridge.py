"""Ridge regression with its penalty chosen by the leave-one-out error."""

from __future__ import annotations

import numpy as np

PENALTIES = 10.0 ** np.arange(-4, 3)  # times the mean eigenvalue of the second moments


def predict_by_ridge(inputs: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the predicted targets (m, t) of `asked` (m, d), learned from inputs (n, d) and targets (n, t).

    Without intercept: all are centred by the caller. The error of leaving out row i is its residual divided by
    1 - h_i, with h the diagonal of the hat matrix (Allen 1974, PRESS), so no row is learned from twice.
    """
    values, vectors = _moments(inputs)
    turned = inputs @ vectors  # (n, r)
    products = turned.T @ targets
    scale = float(values.sum()) / inputs.shape[1] or 1.0

    def error(penalty: float) -> float:
        inverse = 1 / (values + penalty)
        leverage = np.einsum("ij,j,ij->i", turned, inverse, turned)
        residuals = targets - turned @ (inverse[:, None] * products)
        return float(np.mean((residuals / np.maximum(1 - leverage, 1e-9)[:, None]) ** 2))

    best = min((scale * float(penalty) for penalty in PENALTIES), key=error)
    return np.asarray((asked @ vectors) @ (products / (values + best)[:, None]))


def _moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues (r,) above zero of the second moments of `inputs` (n, d), and their directions (d, r).

    By the smaller of the two products of the matrix with itself.
    """
    tall = len(inputs) >= inputs.shape[1]
    values, vectors = np.linalg.eigh(inputs.T @ inputs if tall else inputs @ inputs.T)
    kept = values > 1e-12 * max(float(values[-1]), 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    return values, vectors if tall else inputs.T @ vectors / np.sqrt(values)
