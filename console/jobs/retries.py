"""How long a job waits before it is tried again: twice as long each time, and not all at the same moment.

Without the spread, jobs that failed together (their database was away) would come back together.
"""

from __future__ import annotations

from typing import Final

LONGEST_S: Final = 3600.0
#: A job whose worker was lost waits at least so long before the second attempt: it may have been its doing.
LOSS_BACKOFF_S: Final = 1.0
#: Workers that a job may take with it before it is set aside.
MOST_LOSSES: Final = 5


def wait_s(base_s: float, times: int, draw: float) -> float:
    """Seconds until the next try, after so many that went wrong. draw: random, from 0 to 1.

    From half of the full wait to all of it; at most LONGEST_S, but never less than half of base_s.
    """
    if times < 1:
        return 0.0
    # 2.0**1024 is too large for a float; LONGEST_S is reached long before.
    full = max(base_s, min(base_s * 2.0 ** min(times - 1, 64), LONGEST_S))
    return full * (0.5 + 0.5 * draw)
