"""Rebalancing: move loads between hosts where what it saves is more than what moving costs."""

from __future__ import annotations

from balancer_core.rebalance.cost import Cost, cost_of
from balancer_core.rebalance.plan import Move, Plan
from balancer_core.rebalance.problem import Balance, InvalidProblem, Problem
from balancer_core.rebalance.rules import Breach, breach
from balancer_core.rebalance.solver import Budget, chunks, rebalance

__all__ = [
    "Balance",
    "Breach",
    "Budget",
    "Cost",
    "InvalidProblem",
    "Move",
    "Plan",
    "Problem",
    "breach",
    "chunks",
    "cost_of",
    "rebalance",
]
