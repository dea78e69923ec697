r"""The MEX objective of a linear class along one fixed policy (derived here).

With :math:`f_h = \phi^\top \theta_h` and targets :math:`r + \phi(x', \pi)^\top \theta_{h+1}`, the excess squared loss is
:math:`\|\theta_h - A_h \theta_{h+1} - b_h\|^2_{\Sigma_h}`, and the objective

.. math:: \psi_1^\top \theta_1 - \eta \sum_h \|\theta_h - A_h \theta_{h+1} - b_h\|^2_{\Sigma_h}, \qquad \psi_1 = \phi(x_1, \pi_1),

is concave.  No exactness is claimed for the class as a whole: A_h may have negative weights, so that raising later values need
not raise earlier ones, and the largest objective over f is not the largest of these values over policies.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from typing import Any

import numpy as np

from theoryrl import validate

CUTOFF = 1e-10  # relative: eigenvalues below it count as zero, and so do components of psi outside the range


@dataclasses.dataclass(frozen=True, eq=False)
class LinearValue:
    """The largest objective of a linear class along a policy.

    Attributes
    ----------
    value : float
        The supremum; inf if some psi_h leaves the range of Sigma_h and no radius is given.
    theta : ndarray, shape (H, m), or None
        Weights that attain it.
    bounded : bool
        Whether the supremum without a radius is finite.
    """

    value: float
    theta: np.ndarray | None
    bounded: bool


def linear_statistics(features: Any, next_features: Any, rewards: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return (A, b, Sigma): :math:`\Sigma = \sum \phi \phi^\top`, :math:`A = \Sigma^+ \sum \phi \phi'^\top`, :math:`b = \Sigma^+ \sum \phi r`, stage by stage.

    Parameters
    ----------
    features, next_features : (H, n, m) arrays
        :math:`\phi(x_h, a_h)` and :math:`\phi(x_{h+1}, \pi_{h+1})` of n samples; those after the last stage are not read.
    rewards : (H, n) array

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    features = validate.real_array("features", features, (None, None, None))
    next_features = validate.real_array("next_features", next_features, features.shape)
    rewards = validate.real_array("rewards", rewards, features.shape[:2])
    transposed = np.swapaxes(features, 1, 2)
    Sigma = transposed @ features
    inverse = np.linalg.pinv(Sigma, rcond=CUTOFF, hermitian=True)
    A = inverse @ transposed @ next_features
    A[-1] = 0
    return A, (inverse @ transposed @ rewards[..., None])[..., 0], Sigma


def linear_value(A: Any, b: Any, Sigma: Any, psi: Any, eta: float, radius: float | None = None) -> LinearValue:
    r"""Return the largest objective along a policy, in closed form: :math:`\sum_h \psi_h^\top b_h + \frac1{4 \eta} \psi_h^\top \Sigma_h^+ \psi_h`.

    Here :math:`\psi_{h+1} = A_h^\top \psi_h`; the value is inf if some psi_h leaves the range of Sigma_h.

    Parameters
    ----------
    A, Sigma : (H, m, m) arrays
        As `linear_statistics` returns them; Sigma is positive semidefinite.
    b : (H, m) array
    psi : (m,) array
        Features of the start state under the policy.
    eta : float
        Positive.
    radius : float, optional
        Require norms of all theta_h of at most this; a second-order cone program (cvxpy) where the closed form leaves the ball.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    ImportError
        If a cone program is needed and cvxpy is not there.
    """
    psi = validate.real_array("psi", psi, (None,))
    m = len(psi)
    A = validate.real_array("A", A, (None, m, m))
    H = len(A)
    b = validate.real_array("b", b, (H, m))
    Sigma = validate.real_array("Sigma", Sigma, (H, m, m))
    eta = validate.real("eta", eta, 0, open_ends=True)
    if radius is not None:
        radius = validate.real("radius", radius, 0, open_ends=True)
    values, vectors = np.linalg.eigh((Sigma + np.swapaxes(Sigma, 1, 2)) / 2)
    if np.min(values) < -CUTOFF * max(float(np.max(values)), 1):
        raise ValueError(f"Sigma: expected positive semidefinite matrices, got an eigenvalue {np.min(values)}")
    total, flow, bonuses = 0.0, psi, []
    bounded = True
    for h in range(H):
        large = values[h] > CUTOFF * max(values[h][-1], 1e-300)
        coordinates = vectors[h].T @ flow
        bounded &= bool(np.linalg.norm(coordinates[~large]) <= math.sqrt(CUTOFF) * np.linalg.norm(flow))
        inverse = np.where(large, 1 / np.where(large, values[h], 1), 0)
        bonuses.append(vectors[h] @ (inverse * coordinates))
        total += float(flow @ b[h] + flow @ bonuses[h] / (4 * eta))
        flow = A[h].T @ flow
    theta, following = np.zeros((H, m)), np.zeros(m)
    for h in range(H - 1, -1, -1):
        following = theta[h] = A[h] @ following + b[h] + bonuses[h] / (2 * eta)
    if bounded and (radius is None or np.linalg.norm(theta, axis=1).max() <= radius):
        return LinearValue(total, theta, True)
    if radius is None:
        return LinearValue(math.inf, None, False)
    roots = np.sqrt(np.maximum(values, 0))[..., None] * np.swapaxes(vectors, 1, 2)
    return _cone_program(A, b, roots, psi, eta, radius, bounded)


def _cone_program(A: np.ndarray, b: np.ndarray, roots: np.ndarray, psi: np.ndarray, eta: float, radius: float, bounded: bool) -> LinearValue:
    """Solve the norm-constrained problem; `roots` are square roots R of Sigma, R' R = Sigma."""
    cvxpy: Any = importlib.import_module("cvxpy")
    H, m = b.shape
    theta = cvxpy.Variable((H, m))
    residuals = [roots[h] @ (theta[h] - b[h] - (A[h] @ theta[h + 1] if h + 1 < H else 0)) for h in range(H)]
    objective = psi @ theta[0] - eta * sum(cvxpy.sum_squares(residual) for residual in residuals)
    problem = cvxpy.Problem(cvxpy.Maximize(objective), [cvxpy.norm(theta[h]) <= radius for h in range(H)])
    problem.solve(solver="CLARABEL")
    return LinearValue(float(problem.value), np.array(theta.value), bounded)
