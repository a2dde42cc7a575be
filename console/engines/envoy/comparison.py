"""Does a node's service fail more than it did? Counters before and after a change, compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

#: Errors rose: so many at least, and a share this much above twice what it was before.
LEAST_ERRORS: Final = 10
RISE: Final = 0.05

#: Service -> (requests, errors) since the node's start, or in some time.
Counts = Mapping[str, tuple[int, int]]


def less(newer: Counts, older: Counts) -> Counts:
    """Per service newer - older; a counter that fell is of a restarted node and counts from zero."""
    found = {}
    for service, (requests, errors) in newer.items():
        requests_then, errors_then = older.get(service, (0, 0))
        began_anew = requests < requests_then or errors < errors_then
        found[service] = (
            (requests, errors) if began_anew else (requests - requests_then, errors - errors_then)
        )
    return found


def rise(concerned: Collection[str], before: Counts, since: Counts) -> str:
    """In a sentence, which of the services concerned by a change fails more since; "" for none.

    A name that is no service's (a certificate's) concerns all of them. One that had next to no traffic before cannot
    be compared: a new service whose servers fail is not worse without its listener.
    """
    by_name = set(concerned) <= since.keys()
    for service, (requests, errors) in since.items():
        if by_name and service not in concerned:
            continue
        requests_then, errors_then = before.get(service, (0, 0))
        if requests_then < LEAST_ERRORS:
            continue
        share_then = errors_then / requests_then
        if errors >= LEAST_ERRORS and errors / max(requests, errors) > 2 * share_then + RISE:
            return (
                f"{service}: {errors} of {requests} requests failed after the change,"
                f" {errors_then} of {requests_then} before it"
            )
    return ""
