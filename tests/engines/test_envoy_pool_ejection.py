"""Passive ejection through a real Envoy: what takes an endpoint out, for how long, and what keeps it in."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine_backends import HttpBackend
from envoy_rig import EnvoyRig, answers
from pool_backends import PathBackend, pooled

from console.engines.target.pool import Check, Ejection, Pool

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Any], Awaitable[Any]]
NOTHING = {"errors_in_a_row": 0, "failures_in_a_row": 0, "failure_percent": 0}


async def _pair(serve: Serve, status: int) -> tuple[HttpBackend, HttpBackend]:
    return await serve(HttpBackend("failing", status=status)), await serve(HttpBackend("well"))


async def test_off_leaves_every_error_to_the_clients(rig: EnvoyRig, serve: Serve) -> None:
    """Without ejection half of the answers stay errors."""
    failing, well = await _pair(serve, 500)
    pool = Pool(ejection=Ejection(on=False), balance="round_robin")
    web = pooled("web", "http", pool, failing.endpoint(), well.endpoint())
    await rig.publish(web)

    assert await answers(web, 40) == {"500": 20, "well": 20}


async def test_gateway_errors_have_a_count_of_their_own(rig: EnvoyRig, serve: Serve) -> None:
    """Three 503s in a row are enough where that is asked for; 500s do not count there."""
    ejection = Ejection(**{**NOTHING, "gateway_errors_in_a_row": 3})
    pool = Pool(ejection=ejection, balance="round_robin")
    for status, most in ((503, 6), (500, 20)):
        failing, well = await _pair(serve, status)
        web = pooled("web", "http", pool, failing.endpoint(), well.endpoint())
        await rig.publish(web)
        found = await answers(web, 40)

        assert (3 <= found[str(status)] <= most) if status == 503 else found["500"] == most


async def test_an_endpoint_that_fails_every_other_time_is_found_by_its_percentage(
    rig: EnvoyRig, serve: Serve
) -> None:
    """Never two errors in a row, and still out: 70 of 100 failed, where 60 are too many."""
    flaky = await serve(PathBackend("flaky"))
    flaky.cycle = itertools.cycle([500, 500, 200, 500, 500, 200, 500])
    others = [await serve(PathBackend(f"well-{number}")) for number in range(2)]
    endpoints = [backend.endpoint() for backend in (flaky, *others)]
    ejection = Ejection(**{**NOTHING, "failure_percent": 60, "window_s": 0.3, "least_requests": 10})
    pool = Pool(ejection=ejection, balance="round_robin")
    web = pooled("web", "http", pool, *endpoints)
    await rig.publish(web)

    async def out() -> bool:
        await answers(web, 60)
        return await rig_health(rig, web.name, flaky.endpoint().key) == "ejected"

    assert any([await out() for _ in range(8)])
    assert "flaky" not in await answers(web, 20)


async def test_the_one_whose_success_rate_is_far_below_the_others_goes(rig: EnvoyRig, serve: Serve) -> None:
    """A third of errors is below any percentage set, and far below four that have none."""
    flaky = await serve(PathBackend("flaky"))
    flaky.cycle = itertools.cycle([500, 200, 200])
    others = [await serve(PathBackend(f"well-{number}")) for number in range(4)]
    ejection = Ejection(
        **{**NOTHING, "success_rate_factor": 1.5, "window_s": 0.3, "least_requests": 5, "least_endpoints": 5}
    )
    pool = Pool(ejection=ejection, balance="round_robin")
    web = pooled("web", "http", pool, *(backend.endpoint() for backend in (flaky, *others)))
    await rig.publish(web)

    async def out() -> bool:
        await answers(web, 75)
        return await rig_health(rig, web.name, flaky.endpoint().key) == "ejected"

    assert any([await out() for _ in range(8)])


async def test_failures_to_connect_eject_without_any_check(rig: EnvoyRig, serve: Serve) -> None:
    """A dead process is out after three attempts, and no client saw an error: they were retried."""
    dead, well = await _pair(serve, 200)
    pool = Pool(check=Check("off"), balance="round_robin")
    web = pooled("web", "http", pool, dead.endpoint(), well.endpoint())
    await rig.publish(web)
    await dead.kill()

    assert await answers(web, 20) == {"well": 20}
    assert await rig.becomes(web.name, dead.endpoint().key, "ejected")


async def test_at_most_the_allowed_share_is_out(rig: EnvoyRig, serve: Serve) -> None:
    """Of four that fail, 25 % let one go."""
    backends = [await serve(HttpBackend(f"b{number}", status=500)) for number in range(4)]
    pool = Pool(ejection=Ejection(errors_in_a_row=2, most_percent=25), balance="round_robin")
    web = pooled("web", "http", pool, *(backend.endpoint() for backend in backends))
    await rig.publish(web)

    assert await answers(web, 40) == {"500": 40}
    health = [await rig_health(rig, web.name, backend.endpoint().key) for backend in backends]
    assert sorted(health) == ["ejected", "healthy", "healthy", "healthy"]


async def test_a_good_check_ends_an_ejection_where_asked(rig: EnvoyRig, serve: Serve) -> None:
    """By default an open port does not bring back who answers 500; with check_ends it does."""
    failing, well = await _pair(serve, 500)
    quick = Check(interval_s=0.2)
    stays = Pool(check=quick, ejection=Ejection(first_s=30), balance="round_robin")
    returns = Pool(check=quick, ejection=Ejection(first_s=30, check_ends=True), balance="round_robin")
    held, freed = (
        pooled("web", "http", pool, failing.endpoint(), well.endpoint()) for pool in (stays, returns)
    )
    await rig.publish(held, freed)
    for web in (held, freed):
        await answers(web, 14)

    assert await rig.becomes(freed.name, failing.endpoint().key, "healthy")
    assert await rig_health(rig, held.name, failing.endpoint().key) == "ejected"


async def test_an_ejection_ends_after_its_time(rig: EnvoyRig, serve: Serve) -> None:
    """Half a second out, then back among the others."""
    failing, well = await _pair(serve, 500)
    ejection = Ejection(first_s=0.5, window_s=0.2)
    pool = Pool(ejection=ejection, balance="round_robin")
    web = pooled("web", "http", pool, failing.endpoint(), well.endpoint())
    await rig.publish(web)
    await answers(web, 12)
    assert await rig.becomes(web.name, failing.endpoint().key, "ejected")

    failing.status = 200

    assert await rig.becomes(web.name, failing.endpoint().key, "healthy")
    assert (await answers(web, 10))["failing"] == 5


async def rig_health(rig: EnvoyRig, service: str, key: str) -> str:
    return (await rig.endpoint(service, key)).health
