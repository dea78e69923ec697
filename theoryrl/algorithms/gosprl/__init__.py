"""GOSPRL, what its samples are collected for, and what it is compared with."""

from theoryrl.algorithms.gosprl.estimates import EstimatedModel, GoalPlan, estimated_model
from theoryrl.algorithms.gosprl.frank_wolfe import FrankWolfeEstimation, MaxEntCollection, MaxEntEstimation
from theoryrl.algorithms.gosprl.gosprl import GOSPRL
from theoryrl.algorithms.gosprl.gosprl_theory import closed_form, time_bound
from theoryrl.algorithms.gosprl.peers import OracleCollection, UniformCollection, model_error
from theoryrl.algorithms.gosprl.rules import (
    ClippedGoalFree,
    DiameterEstimate,
    Discounted,
    GoalFree,
    GoalFreeUnknownDiameter,
    MaurerPontil,
    Modest,
    Treasure,
)
from theoryrl.algorithms.gosprl.zero_one_ucrl import ZeroOneUCRL

__all__ = [
    "GOSPRL",
    "ClippedGoalFree",
    "DiameterEstimate",
    "Discounted",
    "EstimatedModel",
    "FrankWolfeEstimation",
    "GoalFree",
    "GoalFreeUnknownDiameter",
    "GoalPlan",
    "MaurerPontil",
    "MaxEntCollection",
    "MaxEntEstimation",
    "Modest",
    "OracleCollection",
    "Treasure",
    "UniformCollection",
    "ZeroOneUCRL",
    "closed_form",
    "estimated_model",
    "model_error",
    "time_bound",
]
