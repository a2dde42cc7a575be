"""Send requests at their instants, and keep what became of each."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from .arrivals import poisson
from .client import Pool, ProtocolError, Target
from .summary import DEADLINE, OVERLOAD, PROTOCOL, REFUSED, RESET, Record, Summary, summarise


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send: GET url at rate_per_s on average, Poisson, for seconds.

    deadline_s: from the scheduled instant; what is not answered by then has failed.
    max_outstanding: requests under way at once; one due beyond that is not sent and counts as failed.
    Raises ValueError naming the field.
    """

    url: str
    rate_per_s: float
    seconds: float
    seed: int = 1
    deadline_s: float = 10.0
    max_outstanding: int = 1000

    def __post_init__(self) -> None:
        Target.parse(self.url)
        for name, most in (
            ("rate_per_s", 100_000),
            ("seconds", 86_400),
            ("deadline_s", 600),
            ("max_outstanding", 60_000),
        ):
            value = getattr(self, name)
            if not math.isfinite(value) or not 0 < value <= most:
                raise ValueError(f"{name}: {value!r} is not above 0 and at most {most}")


class Generator:
    """One run of a plan.

    While it runs .in_flight is how many requests are under way, .records holds those that ended
    (in the order of their end) and .summary() is what they come to so far.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.records: list[Record] = []
        self.max_lag_s = 0.0
        self._pool = Pool(Target.parse(plan.url))
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    def summary(self) -> Summary:
        return summarise(self.records, self.max_lag_s)

    async def run(self) -> Summary:
        """Send all, wait for the last answer or deadline. Cancelling drops what is under way."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            for offset in poisson(self.plan.rate_per_s, self.plan.seconds, self.plan.seed):
                # Due already: send at once, but let answers be read in between.
                await asyncio.sleep(max(0.0, began + offset - loop.time()))
                self.max_lag_s = max(self.max_lag_s, loop.time() - began - offset)
                if len(self._under_way) >= self.plan.max_outstanding:
                    self.records.append(Record(offset, loop.time() - began - offset, error=OVERLOAD))
                    continue
                task = asyncio.create_task(self._send(began, offset))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.gather(*self._under_way)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            self._pool.close()
            # The transports are told of their end in the loop's next turn.
            await asyncio.sleep(0)
        return self.summary()

    async def _send(self, began: float, offset: float) -> None:
        status, error, host = 0, "", ""
        due = began + offset
        try:
            async with asyncio.timeout_at(due + self.plan.deadline_s):
                answer = await self._pool.ask()
                status, host = answer.status, answer.host
        except TimeoutError:
            error = DEADLINE
        except ConnectionResetError:
            error = RESET
        except ProtocolError:
            error = PROTOCOL
        except OSError:
            error = REFUSED
        latency = asyncio.get_running_loop().time() - due
        self.records.append(Record(offset, latency, status, error, host))
