"""The rack's network: one bridge, and per host a namespace joined to it by a veth pair with its bandwidth.

All names start with the rack's own prefix, so that several racks live beside each other
and a sweep can tell whose they are. Everything is done by iproute2 in batches.
The hosts have no route out: traffic stays on this machine.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

NAMESPACES = Path("/run/netns")
#: The longest a packet waits in a shaped queue before it is dropped.
QUEUE_LATENCY_MS = 50
#: tbf sends at most this much back to back: 10 ms worth of the rate, but at least one segment as large as
#: TCP hands down (64 KiB would need splitting in the kernel; 16 KiB keeps a slow host's share smooth).
BURST_S = 0.01
MIN_BURST_BYTES = 16 * 1024


class NetworkRefused(RuntimeError):
    """iproute2 is missing or was not allowed to do something; the text says what it said."""


def run_ip(*args: str, batch: Iterable[str] = (), tool: str = "ip") -> str:
    """Run ip or tc, with a batch of commands on its input if given; returns what it printed.

    Raises NetworkRefused. Waits at most 20 s.
    """
    lines = "\n".join(batch)
    argv = [tool, *args, *(["-batch", "-"] if lines else [])]
    try:
        done = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=20, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise NetworkRefused(f"{tool}: {error}") from error
    if done.returncode:
        raise NetworkRefused(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def networks_in_use() -> list[ipaddress.IPv4Network]:
    """Every IPv4 network an interface has an address in or a route leads to."""
    found = []
    for interface in json.loads(run_ip("-4", "-json", "addr")):
        found += [
            ipaddress.IPv4Network((entry["local"], entry["prefixlen"]), strict=False)
            for entry in interface.get("addr_info", ())
        ]
    found += [
        ipaddress.IPv4Network(route["dst"], strict=False)
        for route in json.loads(run_ip("-4", "-json", "route") or "[]")
        if route["dst"] != "default"
    ]
    return found


def shaping(interface: str, rate_bytes_s: float) -> str:
    """The tc command that holds what an interface sends to a rate (tc's "bps" is bytes a second)."""
    rate = round(rate_bytes_s)
    burst = max(MIN_BURST_BYTES, round(rate * BURST_S))
    return f"qdisc replace dev {interface} root tbf rate {rate}bps burst {burst} latency {QUEUE_LATENCY_MS}ms"


def bridge_name(rack: str) -> str:
    return f"{rack}b"


def port_name(rack: str, index: int) -> str:
    """The bridge's end of host number index's veth pair (at most 15 characters, the kernel's limit)."""
    return f"{rack}v{index}"


def add_bridge(rack: str, gateway: str) -> None:
    """Make the bridge with the control side's address."""
    bridge = bridge_name(rack)
    run_ip(
        batch=[
            f"link add {bridge} type bridge forward_delay 0 stp_state 0",
            f"link set {bridge} addrgenmode none",
            f"addr add {gateway}/24 dev {bridge}",
            f"link set {bridge} up",
        ]
    )


def add_host(rack: str, index: int, namespace: str, address: str, rate_bytes_s: float) -> None:
    """Make a namespace whose eth0 hangs on the bridge, shaped both ways."""
    port = port_name(rack, index)
    run_ip(
        batch=[
            f"netns add {namespace}",
            f"link add {port} type veth peer name eth0 netns {namespace}",
            f"link set {port} addrgenmode none",
            f"link set {port} master {bridge_name(rack)} up",
        ]
    )
    run_ip(
        "-n",
        namespace,
        batch=[
            "link set lo up",
            "link set eth0 addrgenmode none",
            f"addr add {address}/24 dev eth0",
            "link set eth0 up",
        ],
    )
    set_rate(rack, index, namespace, rate_bytes_s)


def set_rate(rack: str, index: int, namespace: str, rate_bytes_s: float) -> None:
    """Hold a host's bandwidth to a rate, in both directions."""
    run_ip(tool="tc", batch=[shaping(port_name(rack, index), rate_bytes_s)])
    run_ip("-n", namespace, tool="tc", batch=[shaping("eth0", rate_bytes_s)])


def namespace_pids(namespace: str) -> set[int]:
    """Every process whose network is the namespace; none if it does not exist."""
    if not (NAMESPACES / namespace).exists():
        return set()
    return {int(pid) for pid in run_ip("netns", "pids", namespace).split()}


def remove(rack: str, namespaces: Iterable[str]) -> None:
    """Remove the rack's links and namespaces, as far as they exist."""
    links = [link["ifname"] for link in json.loads(run_ip("-json", "link"))]
    ports = [name for name in links if name.startswith(f"{rack}v")]
    bridges = [name for name in links if name == bridge_name(rack)]
    # A namespace's deletion takes its links along only some time later; theirs are removed here and now.
    if ports or bridges:
        run_ip(batch=[f"link del {name}" for name in [*ports, *bridges]])
    for namespace in namespaces:
        if (NAMESPACES / namespace).exists():
            run_ip("netns", "del", namespace)
