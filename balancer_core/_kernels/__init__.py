"""Compiled inner loops, each with its contract in a .pyi and its meaning in reference.py."""

from __future__ import annotations

try:
    from balancer_core._kernels.place import MAX_TOP, scan
except ModuleNotFoundError as error:
    if error.name != "balancer_core._kernels.place":
        raise
    raise ImportError("balancer_core's kernels are not compiled: run `make build`") from error

__all__ = ["MAX_TOP", "scan"]
