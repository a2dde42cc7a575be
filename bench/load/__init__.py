"""An open-loop load generator: requests leave at their scheduled instants, whatever the server does.

A closed loop waits for an answer before it asks again, and so asks less the slower the server is:
it hides the queue it should measure. Here arrivals are Poisson at a fixed rate,
latency is counted from the scheduled instant, and a request that cannot even be sent is a failure.

arrivals.py   when requests are due
client.py     HTTP/1.1 over kept-alive connections
generator.py  sends them and keeps the records
summary.py    percentiles, failures, share per host
"""

from __future__ import annotations

from .generator import Generator, LoadPlan
from .summary import Record, Summary, percentile, summarise

__all__ = ["Generator", "LoadPlan", "Record", "Summary", "percentile", "summarise"]
