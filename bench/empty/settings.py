"""The console's settings, with another map of addresses and nothing else changed."""

from __future__ import annotations

from console.settings import *

ROOT_URLCONF = "bench.empty.urls"
