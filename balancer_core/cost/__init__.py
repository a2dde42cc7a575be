"""The one currency in which every kind of load is weighed; curves.py says how and why."""

from __future__ import annotations

from balancer_core.cost.curves import DOUBT_CAP, doubt, free_share, price

__all__ = ["DOUBT_CAP", "doubt", "free_share", "price"]
