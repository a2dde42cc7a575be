"""How an endpoint is chosen: by load, by a key of the request, or by what the client brings from before."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from console.engines.target.checks import InvalidTarget, check_choice, check_integer
from console.engines.target.pool.values import (
    DAY_S,
    PATH_PATTERN,
    TOKEN_PATTERN,
    check_bool,
    check_number,
    check_number_or_off,
    check_text,
)

Balance = Literal["steelyard", "round_robin", "least_request", "random", "hash"]
KeyKind = Literal["source", "header", "cookie", "path", "query"]
Table = Literal["maglev", "ring"]
StickyKind = Literal["cookie", "header"]
MOST_KEYS = 8


class HashKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing of a request that may decide: the client's address, a header, a cookie, the path (without its
    query), or one field of the query.

    name: of the header, the cookie or the field. ttl_s: a client without the cookie gets one for so long;
    0: it gets none.
    """

    by: KeyKind = "source"
    name: str = ""
    ttl_s: float = 0.0

    def __post_init__(self) -> None:
        check_choice("by", self.by, get_args(KeyKind))
        if self.by in ("source", "path"):
            if self.name:
                raise InvalidTarget("name", f"{self.by} has no name")
        else:
            check_text("name", self.name, TOKEN_PATTERN, f"a {self.by}'s name")
        check_number_or_off("ttl_s", self.ttl_s, 1, 366 * DAY_S)
        if self.ttl_s and self.by != "cookie":
            raise InvalidTarget("ttl_s", "only a cookie can be given to a client")


class Hash(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Consistent hashing: the same key goes to the same endpoint, and few keys move when endpoints come and go.

    keys: the first that the request has decides; none: any endpoint. table: maglev is even and quick, ring moves
    fewer keys. by_weight: endpoints' parts follow what their hosts can carry, at the price of keys that move when
    that changes. most_load_percent: an endpoint with more than so much of the mean load passes new keys on to
    the next (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded Loads, 2018); 0 is no limit.
    """

    keys: tuple[HashKey, ...] = (HashKey(),)
    table: Table = "maglev"
    by_weight: bool = False
    most_load_percent: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MOST_KEYS:
            raise InvalidTarget("keys", f"{len(self.keys)} keys are not 1 to {MOST_KEYS}")
        check_choice("table", self.table, get_args(Table))
        check_bool("by_weight", self.by_weight)
        if self.most_load_percent != 0:
            check_integer("most_load_percent", self.most_load_percent, 10_000, least=101)


class Sticky(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A client that was served comes back to the same endpoint, also while it drains; others are shared out.

    by: a cookie that browsers keep, or a header that programs send back as they got it. Either names the endpoint's
    address in the open and is not signed: it can lead a client to any endpoint of this service, and to no other.
    For the client's address, see Hash. name: "" is "to-" and the service's name. path, ttl_s: the cookie's; ttl_s 0:
    until the browser is closed. strict: 503 when the endpoint is gone, instead of another endpoint.
    """

    by: StickyKind = "cookie"
    name: str = ""
    path: str = "/"
    ttl_s: float = 0.0
    strict: bool = False

    def __post_init__(self) -> None:
        check_choice("by", self.by, get_args(StickyKind))
        if self.name:
            check_text("name", self.name, TOKEN_PATTERN, f"a {self.by}'s name")
        check_text("path", self.path, PATH_PATTERN, "a path that begins with / (no spaces, no #)")
        if ";" in self.path:
            raise InvalidTarget("path", "a cookie's path has no ;")
        check_number_or_off("ttl_s", self.ttl_s, 1, 366 * DAY_S)
        check_bool("strict", self.strict)
        if self.by == "header" and (self.path != "/" or self.ttl_s):
            raise InvalidTarget(
                "path" if self.path != "/" else "ttl_s", "a header has neither path nor ttl_s"
            )


class SlowStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A newcomer's share grows for window_s from least_percent of what it will be; window_s 0 is off.

    aggression: 1 grows evenly, more grows quickly at first.
    """

    window_s: float = 0.0
    least_percent: int = 10
    aggression: float = 1.0

    def __post_init__(self) -> None:
        check_number_or_off("window_s", self.window_s, 0.1, DAY_S)
        check_integer("least_percent", self.least_percent, 100)
        check_number("aggression", self.aggression, 0.1, 100)
