"""The rack: many unequal hosts on one machine.

    async with Rack([HostSpec("a", cores=0.2, memory_bytes=128 << 20, net_bytes_s=4e6)]) as rack:
        process = await rack["a"].start([sys.executable, "-m", "bench.rack.backend", ...], ready="ready")

specs.py     what a host should be
rack.py      builds hosts and takes them down again, whatever happened in between
hosts.py     one host: start, adopt, freeze, thaw, kill
cgroups.py   cpu, memory and freezer limits, cgroup v1 and v2
network.py   bridge, namespaces, veth pairs, bandwidth
processes.py processes by pid, without signalling a stranger
register.py  which racks exist on this machine; leftovers of dead runs are found through it
backend.py   the server that hosts run under load

Nothing is imported here: the backend must stay small, and importing a package runs its __init__.
"""
