"""Pickers: which member takes this request, session or key, decided in nanoseconds and without the cluster's
columns.

For a user
    Members are names with weights. A key is a str or bytes: a session, a client's address, a shard's name.

        members = Members({"web-1": 4.0, "web-2": 2.0})
        Rendezvous(members).pick("session-17")

    ==================  =======================================  ==============  ==========================
    picker              keeps                                    a pick costs    take it for
    ==================  =======================================  ==============  ==========================
    Rendezvous          every key that need not move             O(members)      up to about 100 members
    Maglev              nearly every such key                    O(1)            many picks, few changes
    Jump                every such key; the last member leaves   O(ln members)   numbered shards
    BoundedLoad         such keys, and no member above its bound O(members)      keys of unequal heat
    PowerOfTwoChoices   nothing                                  O(ln members)   many independent pickers
    ShortestDelay       nothing                                  O(members)      one picker that sees all
    ==================  =======================================  ==============  ==========================

    The first four ask a key and need no state, but for BoundedLoad's loads; the last two ask how many
    requests are in flight at each member, and a source of random numbers.

For an implementor
    One file an algorithm, each with its paper, its cost and when not to use it. Members (members.py) are
    checked once; a picker never checks again. Hashes come from hashing.digest alone. Loops are in
    _kernels/hashing.pyx and equal hashing_reference.py on every input. pick() names a member; rows() takes
    digests by the array, for tables and tests. Nothing here has a clock, and random numbers come from the
    caller.
"""

from __future__ import annotations

from balancer_core.pickers.bounded_load import BoundedLoad
from balancer_core.pickers.hashing import InvalidMembers, digest, digests
from balancer_core.pickers.jump import Jump
from balancer_core.pickers.maglev import Maglev
from balancer_core.pickers.members import Members
from balancer_core.pickers.rendezvous import Rendezvous
from balancer_core.pickers.shortest_delay import ShortestDelay
from balancer_core.pickers.two_choices import PowerOfTwoChoices

__all__ = [
    "BoundedLoad",
    "InvalidMembers",
    "Jump",
    "Maglev",
    "Members",
    "PowerOfTwoChoices",
    "Rendezvous",
    "ShortestDelay",
    "digest",
    "digests",
]
