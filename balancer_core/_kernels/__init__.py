"""Compiled inner loops, each with its contract in a .pyi and its meaning in reference.py."""

from __future__ import annotations

try:
    from balancer_core._kernels.bins import fill, place_all
    from balancer_core._kernels.ejection import improve
    from balancer_core._kernels.index import Index
    from balancer_core._kernels.place import ELSEWHERE, MAX_TOP, Columns
    from balancer_core._kernels.room import worth
except ModuleNotFoundError as error:
    if not str(error.name).startswith("balancer_core._kernels."):
        raise
    raise ImportError("balancer_core's kernels are not compiled: run `make build`") from error

__all__ = ["ELSEWHERE", "MAX_TOP", "Columns", "Index", "fill", "improve", "place_all", "worth"]
