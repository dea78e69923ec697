"""`bound_per_group` in its three forms, along a run."""

from __future__ import annotations

import numpy as np
import pytest

from envs_synthetic.groupwise import crossing, sign_flip
from theoryrl.algorithms import AnhPairs, GroupwiseFinite, GroupwiseRegression
from theoryrl.proofs import bound_per_group, certify, regret_per_group


def test_the_three_forms_are_ordered() -> None:
    run = GroupwiseRegression().run(sign_flip(1_000, seed=1), 1_000, seed=0, trace=True)
    certificate, data, worst = (bound_per_group(run, kind) for kind in ("certificate", "data", "worst"))
    assert certificate.shape == (len(run.checkpoints), 4)
    assert np.all(regret_per_group(run) <= certificate + 1e-6) and np.all(certificate <= data + 1e-9) and np.all(data <= worst + 1e-9)


def test_a_bound_that_does_not_apply_says_so() -> None:
    run = GroupwiseRegression(clip=False).run(sign_flip(50, seed=1), 50, seed=0, trace=True)
    with pytest.raises(ValueError, match="clip=False"):
        bound_per_group(run)
    run = GroupwiseFinite().run(crossing(50), 50, seed=0, trace=True)
    with pytest.raises(ValueError, match="kind"):
        bound_per_group(run, "tight")


def test_controls_have_no_theorem() -> None:
    with pytest.raises(ValueError, match="no theorem is registered"):
        certify(GroupwiseFinite(meta="uniform"), crossing(50), 50, seeds=range(1))


def test_centred_labels_need_a_constant_in_the_span() -> None:
    import dataclasses

    problem = sign_flip(200, seed=0)
    moved = dataclasses.replace(problem, features=problem.features[:, :4] - 0.5, name="")
    certificate = certify(GroupwiseRegression(center=True), moved, 200, seeds=range(1))
    assert certificate.verdict == "not applicable" and "constant" in certificate.failing[0].name


def test_baselines_are_compared_with_every_hypothesis() -> None:
    run = AnhPairs().run(crossing(500), 500, seed=0, trace=True)
    proof = run.proof()
    assert not proof.violations and proof.chains["pairs"][0].value.shape == (len(run.checkpoints), 3, 2)
