"""`steelyard-agent join URL --token T ...` joins this host and runs; `steelyard-agent run` comes back.

Exit codes: 0 ended by a signal, 2 wrong input, or the control plane does not take this agent: no restart.
"""

from __future__ import annotations

import sys

# msgspec uses typing_extensions where it is installed, for types that nothing here has; it alone would cost
# the agent 7 MB resident. A host with only the agent does not have it.
_held = sys.modules.get("typing_extensions")
sys.modules.setdefault("typing_extensions", None)  # type: ignore[arg-type]
try:
    import msgspec  # noqa: F401  (imported here so that it finds none)
finally:
    if _held is None:
        del sys.modules["typing_extensions"]

import argparse
import asyncio
import ipaddress
import logging
import math
import os
import re
import shlex
import shutil
import signal
import socket
from pathlib import Path

from agents import agent, wire
from agents.amounts import WrongInput, parse_capacity, parse_labels
from agents.commands import Refusal
from agents.groups import RESOURCES
from agents.identity import DataDirectory, Identity
from agents.link import Unauthorised, link_url, local_address
from agents.redis_cluster import read_address

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{16,256}")

log = logging.getLogger("steelyard.agent")


def main(argv: list[str] | None = None) -> int:
    """The command. Returns the exit code."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    # Their lines repeat what the link says, for every attempt.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    try:
        directory = DataDirectory(Path(options.data))
        with directory.lock():
            if options.verb == "join":
                identity, token = agent.prepare_join(directory, read_options(options), options.token)
            else:
                identity, token = _joined(directory), ""
            return asyncio.run(_live(directory, identity, token))
    except (WrongInput, Unauthorised) as error:
        print(f"steelyard-agent: {error}", file=sys.stderr)
        return 2


def read_options(options: argparse.Namespace) -> Identity:
    """The options of `join`, checked. Raises WrongInput naming the option."""
    if not _TOKEN.fullmatch(options.token):
        raise WrongInput("--token: not a token of the form ID.SECRET")
    link_url(options.url)
    name = options.name if options.name is not None else clean_name(socket.gethostname())
    if not wire.NAME_PATTERN.fullmatch(name):
        raise WrongInput(f"--name {name!r}: a name is a-z, 0-9 and '-', at most 63 characters")
    if not math.isfinite(options.interval) or options.interval < 0:
        raise WrongInput(f"--interval {options.interval}: seconds, 0 or more")
    address = options.address if options.address is not None else local_address(options.url)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise WrongInput(f"--address {address!r} is not an IP address") from None
    return Identity(
        url=options.url,
        name=name,
        address=address,
        labels=parse_labels(options.label),
        capacity=parse_capacity(options.capacity),
        cgroup=options.cgroup,
        shards=_absolute(options.shards),
        interval_s=options.interval,
        redis_node=_redis_node(options),
        redis_user=options.redis_user,
        redis_password_file=_absolute(options.redis_password_file),
        job_limits=_job_limits(options.job_limits),
        worker=_worker(options),
        worker_directory=_absolute(options.worker_directory),
    )


def _job_limits(text: str) -> tuple[str, ...]:
    named = () if text == "none" else tuple(text.split(","))
    if unknown := set(named) - set(RESOURCES):
        raise WrongInput(f"--job-limits: {min(unknown)!r} is none of {', '.join(RESOURCES)}; or say none")
    return named


def _worker(options: argparse.Namespace) -> str:
    command: str = options.worker
    if options.worker_directory and not command:
        raise WrongInput("--worker-directory: --worker says what is to run there")
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise WrongInput(f"--worker: {error}") from None
    if options.worker_directory and not Path(options.worker_directory).is_dir():
        raise WrongInput(f"--worker-directory {options.worker_directory}: there is no such directory")
    if argv and shutil.which(argv[0]) is None:
        raise WrongInput(f"--worker: {argv[0]} is no program that can be run here")
    return command


def _redis_node(options: argparse.Namespace) -> str:
    node: str = options.redis_node
    if options.redis_password_file and not node:
        raise WrongInput("--redis-password-file: --redis-node says to which cluster the password may go")
    if node:
        try:
            read_address(node)
        except Refusal as error:
            raise WrongInput(f"--redis-node: {error}") from None
    return node


def _absolute(path: str | None) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""


def clean_name(hostname: str) -> str:
    """A host name as a name of ours: its first label, what does not fit replaced."""
    label = re.sub(r"[^a-z0-9-]+", "-", hostname.split(".")[0].lower())
    return label[:63].strip("-") or "host"


def _joined(directory: DataDirectory) -> Identity:
    identity = directory.load()
    if identity is None or not identity.credential:
        raise WrongInput(f"{directory.path} has not joined: use steelyard-agent join URL --token T")
    return identity


async def _live(directory: DataDirectory, identity: Identity, token: str) -> int:
    """Run until a signal or the end of the membership."""
    loop, life = (
        asyncio.get_running_loop(),
        asyncio.ensure_future(agent.run(directory, identity, token, _version())),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, life.cancel)
    try:
        await life
    except asyncio.CancelledError:
        log.info("ended by a signal")
    return 0


def _version() -> str:
    # Read late and once: the reader of package metadata stays out of the agent's memory until it is needed.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("steelyard")
    except PackageNotFoundError:
        return "unknown"


def _parser() -> argparse.ArgumentParser:
    data = os.environ.get("STEELYARD_AGENT_DATA") or "~/.local/state/steelyard-agent"
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data", metavar="DIR", default=data, help=f"the agent's own directory (default {data})"
    )
    parser = argparse.ArgumentParser(
        prog="steelyard-agent", description="The agent of a host under Steelyard."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    join = verbs.add_parser("join", parents=[common], help="join with a one-time token, then run")
    join.add_argument("url", metavar="URL", help="the console, as http(s)://HOST[:PORT]")
    join.add_argument("--token", required=True, help="the one-time token, from `steelyard host token`")
    join.add_argument("--name", help="what the host is called (default: the host name)")
    join.add_argument(
        "--address", metavar="IP", help="where others reach this host (default: of the route to URL)"
    )
    join.add_argument(
        "--cgroup", metavar="PATH", help="the host is this control group, not the whole machine"
    )
    join.add_argument(
        "--label", metavar="K=V", action="append", default=[], help="a label such as zone=a (repeat)"
    )
    join.add_argument(
        "--capacity", metavar="K=V", action="append", default=[], help="declare, e.g. gpu=2 (repeat)"
    )
    join.add_argument("--shards", metavar="DIR", help="where shards lie (default: DATA/shards)")
    join.add_argument(
        "--interval", metavar="S", type=float, default=0.0, help="shortest pause between reports"
    )
    join.add_argument(
        "--redis-node", metavar="HOST:PORT", default="", help="this host's node of a Redis or Valkey Cluster"
    )
    join.add_argument("--redis-user", metavar="NAME", default="", help="as whom to log in at that cluster")
    join.add_argument(
        "--redis-password-file", metavar="FILE", help="where its password is; it is read when it is needed"
    )
    join.add_argument(
        "--job-limits", metavar="WHAT", default=",".join(RESOURCES),
        help="what a job says it needs that bounds its body: cpu,memory (default), cpu, memory or none",
    )  # fmt: skip
    join.add_argument(
        "--worker", metavar="COMMAND", default="",
        help="the Celery worker to start and to watch, without its queue: 'celery -A shop worker -c 4'",
    )  # fmt: skip
    join.add_argument("--worker-directory", metavar="DIR", help="where it runs (default: /)")
    verbs.add_parser("run", parents=[common], help="run; the host has joined before")
    return parser


if __name__ == "__main__":
    sys.exit(main())
