"""Packing onto hosts whose resources come partly in devices: room for what typically comes is kept."""

from __future__ import annotations

from balancer_core.packing.room import Packer, Shape, copies

__all__ = ["Packer", "Shape", "copies"]
