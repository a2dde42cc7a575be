"""`python -m bench.demo [--seconds N]`: the main job, end to end, on one machine."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from bench.demo.hosts import SPECS, DemoHost, furnish
from bench.demo.report import judge, print_outcome
from bench.demo.work import Outcome, Work
from bench.rack.rack import Rack
from bench.rack.specs import fit_cores
from clients.rest import Steelyard
from console.place import Place
from console.supervisor.ports import Failed, free_port
from console.supervisor.supervisor import Supervisor

#: The server that is killed in the middle of the run, and when, as a part of the run.
VICTIM, KILL_AT = "demo-2", 0.6
#: The host whose import folder the shards come from.
SOURCE = "demo-1"
#: What may still be under way to the killed server when it is counted whether anything reaches it.
GRACE_S = 1.0


async def run(seconds: float, data: Path) -> int:
    """Start everything, send load for so long (0: until interrupted), say what it came to. Returns the exit code."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        rack = await stack.enter_async_context(Rack(fit_cores(SPECS), prefix="demo"))
        if rack.kind == "processes":
            print(f"The hosts are plain processes: {rack.reason}")
        place = Place(data / "control")
        os.environ["STEELYARD_BROKER_LISTEN"] = f"{rack.gateway}:0"
        supervisor = Supervisor(place, f"{rack.gateway}:{free_port(rack.gateway)}", print)
        stack.push_async_callback(supervisor.stop)
        setup = await supervisor.start()
        print(f"Console: {supervisor.url}/")
        if setup:
            print(f"Make the first administrator (one-time link): {setup}", flush=True)
        client = stack.enter_context(Steelyard(supervisor.url, place.cli_token.read_text().strip()))
        broker = place.broker_url.read_text()
        hosts = await asyncio.gather(
            *(furnish(host, client, supervisor.url, broker, data / "hosts") for host in rack)
        )
        ports = (free_port(rack.gateway), free_port(rack.gateway))
        work = Work(client, list(hosts), rack.gateway, ports)
        await work.create_services()
        print(
            f"Service web: http://{rack.gateway}:{ports[0]}/   echo (TCP): {rack.gateway}:{ports[1]}",
            flush=True,
        )
        if seconds:
            outcome = await load_for(work, list(hosts), seconds, place, data)
            print_outcome(outcome, list(hosts))
            faults = judge(outcome, list(hosts))
            for fault in faults:
                print(f"FAILED: {fault}")
            return 1 if faults else 0
        while not stopping.is_set():
            part = asyncio.create_task(load_for(work, list(hosts), 3600.0, place, data, kill=False))
            await asyncio.wait(
                (part, asyncio.create_task(stopping.wait())), return_when=asyncio.FIRST_COMPLETED
            )
            part.cancel()
            with suppress(asyncio.CancelledError):
                await part
    return 0


async def load_for(
    work: Work, hosts: list[DemoHost], seconds: float, place: Place, data: Path, kill: bool = True
) -> Outcome:
    """All kinds of load at once for so long; in the middle one server dies."""
    by_name = {host.name: host for host in hosts}
    generator = work.generator(seconds)
    began = time.monotonic()
    sending = asyncio.create_task(generator.run())
    imports = data / "hosts" / SOURCE / "shards/import"
    connecting = asyncio.create_task(work.count_tcp(50))
    others = [
        asyncio.create_task(work.hand_in_jobs(seconds * 0.8)),
        asyncio.create_task(work.create_shards(seconds * 0.5, by_name[SOURCE], imports)),
    ]
    killed, share = None, {}
    try:
        if kill:
            await asyncio.sleep(seconds * KILL_AT)
            share = generator.summary().share
            killed = await work.kill_one(by_name[VICTIM], generator, place.envoy_admin_socket, began)
        traffic = await sending
        tcp = await connecting
        await asyncio.gather(*others)
        await work.settle(patience_s=max(30.0, seconds))
    except asyncio.CancelledError:
        for task in (sending, connecting, *others):
            task.cancel()
        await asyncio.gather(sending, connecting, *others, return_exceptions=True)
        raise
    jobs, job_hosts = await work.jobs()
    after = [record for record in generator.records if killed and record.scheduled_s >= killed.at_s]
    return Outcome(
        traffic=traffic,
        rate_per_s=generator.plan.rate_per_s,
        share_before_kill=share or traffic.share,
        kill=killed,
        failures_after_kill=sum(record.failed for record in after),
        answers_after_kill=sum(
            killed is not None and record.host == killed.host and record.scheduled_s > killed.at_s + GRACE_S
            for record in after
        ),
        tcp_answers=tcp,
        jobs=jobs,
        job_hosts=job_hosts,
        replicas=await work.replicas(),
        decisions=await work.decisions(),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="stop by itself after so long (0: at Ctrl-C)"
    )
    parser.add_argument(
        "--data", type=Path, help="keep databases, logs and shards here (default: a temporary folder)"
    )
    options = parser.parse_args()
    data = options.data or Path(tempfile.mkdtemp(prefix="steelyard-demo-"))
    try:
        return asyncio.run(run(options.seconds, data.absolute()))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        if options.data is None:
            shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
