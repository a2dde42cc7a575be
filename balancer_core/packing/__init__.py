"""Packing: batches onto few hosts, and hosts whose resources come partly in devices.

bins, bound, batch and arrivals pack whole amounts of any resources, many loads at once (pack) or one by one
(place_each, best_order). room keeps whole devices and room for what typically comes (Packer).
"""

from __future__ import annotations

from balancer_core.packing.arrivals import best_order, place_each
from balancer_core.packing.batch import pack
from balancer_core.packing.bins import InvalidPacking, Packing
from balancer_core.packing.room import Packer, Shape, copies

__all__ = ["InvalidPacking", "Packer", "Packing", "Shape", "best_order", "copies", "pack", "place_each"]
