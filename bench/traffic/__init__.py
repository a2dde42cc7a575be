"""B1: the tail of requests on unequal hosts, ours beside the balancers of today, on one rack in one run.

stage.py     the rack with its servers, the product, and the peers, all before the same hosts
peers.py     Envoy and HAProxy as they come, and with the weights that an all-knowing operator would give
turns.py     one run of load through one door, and the wait until nothing of it is left
tails.py     the tail at four loads
faults.py    a host fails at once, another loses its cpu
slow_server.py  one of eleven servers becomes slow
ramp.py      more load than hosts under other work seem to carry
antagonist.py  that other work
"""
