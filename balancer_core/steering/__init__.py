"""Weights for traffic: law.py says how, controller.py keeps what lasts from step to step."""

from __future__ import annotations

from balancer_core.steering.controller import Steering
from balancer_core.steering.views import EndpointView, InvalidView, WeightPlan

__all__ = ["EndpointView", "InvalidView", "Steering", "WeightPlan"]
