"""What a run of load came to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

#: Kinds of failure that are not an answer.
REFUSED = "refused"  # no connection
RESET = "reset"  # the connection broke before the answer was complete
DEADLINE = "deadline"  # no complete answer in time
PROTOCOL = "protocol"  # what came was not an HTTP answer we can read
OVERLOAD = "overload"  # not sent: too many were outstanding


@dataclass(frozen=True, slots=True)
class Record:
    """One request. Seconds; scheduled_s counts from the start of the run, latency_s from that instant.

    status is 0 where no answer came, and error then says why. host is who answered, "" if unknown.
    """

    scheduled_s: float
    latency_s: float
    status: int = 0
    error: str = ""
    host: str = ""

    @property
    def failed(self) -> bool:
        return not 200 <= self.status < 400


@dataclass(frozen=True, slots=True)
class Summary:
    """Latencies in milliseconds, by the rule of percentile(); NaN when there are none.

    They are those of the requests that succeeded and of those that missed their deadline,
    the latter with the time they had waited: leaving them out would flatter the tail.
    Other failures have no latency that means anything, and fast ones would flatter the median.
    share: of the answers that named a host, the part of each. failures_by: error or status to count.
    max_lag_ms: how late the generator itself was at worst; if it is not small the figures are about the generator.
    """

    requests: int
    failures: int
    failures_by: dict[str, int]
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    share: dict[str, float]
    max_lag_ms: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe: NaN becomes None."""
        fields = asdict(self)
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in fields.items()
        }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value that at least percent % of the values do not exceed; NaN of nothing.

    ordered must be ascending. It is always one of the values; nothing is interpolated.
    """
    if not 0 < percent <= 100:
        raise ValueError(f"percent: {percent!r} is not above 0 and at most 100")
    if not ordered:
        return math.nan
    # Multiplied first: 0.9 * 10 is exact only by luck.
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]


def summarise(records: Iterable[Record], max_lag_s: float = 0.0) -> Summary:
    """Summary of some records. O(n log n)."""
    records = list(records)
    failures = Counter(record.error or str(record.status) for record in records if record.failed)
    hosts = Counter(record.host for record in records if record.host)
    named = sum(hosts.values())
    latencies = sorted(
        record.latency_s * 1000 for record in records if not record.failed or record.error == DEADLINE
    )
    return Summary(
        requests=len(records),
        failures=sum(failures.values()),
        failures_by=dict(sorted(failures.items())),
        p50_ms=percentile(latencies, 50),
        p90_ms=percentile(latencies, 90),
        p99_ms=percentile(latencies, 99),
        max_ms=percentile(latencies, 100),
        share={host: count / named for host, count in sorted(hosts.items())},
        max_lag_ms=max_lag_s * 1000,
    )
