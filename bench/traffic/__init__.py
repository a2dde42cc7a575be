"""B1: the tail of requests on unequal hosts, ours beside the balancers of today, on one rack in one run.

stage.py     the rack with its servers, the product, and the peers, all before the same hosts
product.py   the product: control plane, agents, a service; nodes.py its engines on machines of their own
peers.py     Envoy and HAProxy as they come, and with the weights that an all-knowing operator would give (ways.py)
turns.py     one run of load through one door or several, and the wait until nothing of it is left
tails.py     the tail at four loads
quota_windows.py  what tail the rack's hosts allow at all, simulated
four_envoys.py  the tail through four balancers at once
faults.py    a host fails at once, another loses its cpu
thin_link.py a host loses most of its bandwidth
newcomer.py  a host joins cold
late_reports.py  whether weights swing when agents report seldom
slow_server.py  one of eleven servers becomes slow
ramp.py      more load than hosts under other work seem to carry
antagonist.py  that other work
"""
