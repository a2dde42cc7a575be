"""Routes through a real Envoy: which requests they take, and where those go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from engine_backends import Backend
from envoy_rig import EnvoyRig, service
from front_rig import TellingBackend, ask, having, pool, who

from console.engines.target import ServiceTarget

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]
Routed = Callable[..., Awaitable[ServiceTarget]]


class Pools:
    """Three backends: of the service itself, and of two pools."""

    def __init__(self) -> None:
        self.own, self.blue, self.green = (TellingBackend(name) for name in ("own", "blue", "green"))
        self.names: dict[str, str] = {}


@pytest_asyncio.fixture(loop_scope="module")
async def pools(serve: Serve) -> Pools:
    made = Pools()
    for backend in (made.own, made.blue, made.green):
        await serve(backend)
    return made


@pytest.fixture
def routed(rig: EnvoyRig, pools: Pools) -> Routed:
    """Publish a service with these http settings, in which BLUE and GREEN stand for the pools."""

    async def publish(**http: Any) -> ServiceTarget:
        blue, green = pool("blue", pools.blue.endpoint()), pool("green", pools.green.endpoint())
        names = {"BLUE": blue.name, "GREEN": green.name}
        web = having(service("web", "http", pools.own.endpoint()), http=_named(http, names))
        await rig.publish(web, blue, green)
        return web

    return publish


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _named(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


#: As long as a prefix may be whose slash goes with it; a regex says each character by itself.
LONG = "/" + "-" * 89


def _to(service_name: str, **match: Any) -> dict[str, Any]:
    return {"match": match, "destinations": [{"service": service_name}]}


async def test_the_first_route_that_matches_takes_the_request(routed: Routed) -> None:
    """Path, prefix (of whole segments) and regex, in the order in which they stand; the rest is the service's."""
    web = await routed(
        routes=[
            _to("BLUE", path="/shop/special"),
            _to("GREEN", prefix="/shop"),
            _to("BLUE", regex="/[0-9]+/x"),
            _to("GREEN", prefix="/files/"),
        ]
    )

    paths = [
        "/shop/special",
        "/shop/other",
        "/shop",
        "/shopping",
        "/12/x",
        "/12/y",
        "/files/a",
        "/files",
        "/",
    ]
    assert ["blue", "green", "green", "own", "blue", "own", "green", "own", "own"] == [
        await who(web, path) for path in paths
    ]


async def test_order_holds_across_host_names(routed: Routed) -> None:
    """A route for *.example.test before one for a.example.test takes its requests; unnamed hosts get 404."""
    web = await routed(
        hosts=["*.example.test", "other.test"],
        routes=[
            _to("BLUE", hosts=["*.example.test"], prefix="/first"),
            _to("GREEN", hosts=["a.example.test"]),
            _to("BLUE", hosts=["other.test"]),
        ],
    )

    async def at(host: str, path: str = "/") -> str:
        return await who(web, path, headers={"host": host})

    assert await at("a.example.test", "/first") == "blue"
    assert await at("a.example.test", "/second") == "green"
    assert await at("a.example.test:8080", "/second") == "green"
    assert await at("b.example.test", "/second") == "own"
    assert await at("deep.a.example.test", "/first") == "blue"
    assert await at("other.test") == "blue"
    assert await at("elsewhere.test") == "404"


async def test_headers_methods_and_query_choose(routed: Routed) -> None:
    """All that a route says must hold; a canary by a header is such a route."""
    web = await routed(
        routes=[
            _to("BLUE", headers=[{"name": "x-canary", "exact": "yes"}]),
            _to("GREEN", methods=["DELETE", "POST"], query=[{"name": "v", "regex": "[12]"}]),
            _to("BLUE", headers=[{"name": "x-old"}, {"name": "x-new", "absent": True}]),
        ]
    )

    assert await who(web, headers={"x-canary": "yes"}) == "blue"
    assert await who(web, headers={"x-canary": "yes, no"}) == "own"
    assert await who(web, "/?v=2", method="POST") == "green"
    assert await who(web, "/?v=3", method="POST") == "own"
    assert await who(web, "/?v=2") == "own"
    assert await who(web, headers={"x-old": "1"}) == "blue"
    assert await who(web, headers={"x-old": "1", "x-new": "1"}) == "own"


async def test_grpc_is_told_from_other_requests(routed: Routed) -> None:
    """By its content type, as gRPC itself says it."""
    web = await routed(routes=[{"match": {"grpc": True}, "destinations": [{"service": "GREEN"}]}])

    assert (
        await who(web, "/a.B/C", method="POST", headers={"content-type": "application/grpc+proto"}) == "green"
    )
    assert await who(web, "/a.B/C", method="POST", headers={"content-type": "application/json"}) == "own"


async def test_weights_share_requests_between_services(routed: Routed) -> None:
    """Nine to one, the whole service or one route; 0 gets nothing."""
    ninth = [{"service": "BLUE", "weight": 90}, {"service": "GREEN", "weight": 10}]
    web = await routed(
        destinations=ninth,
        routes=[
            {
                "match": {"prefix": "/none"},
                "destinations": [{"service": "BLUE", "weight": 0}, {"service": "GREEN"}],
            }
        ],
    )

    found = Counter([await who(web) for _ in range(300)])
    assert set(found) == {"blue", "green"}
    assert 10 <= found["green"] <= 60
    assert {await who(web, "/none") for _ in range(20)} == {"green"}


async def test_a_service_may_take_only_what_its_routes_name(routed: Routed) -> None:
    """unmatched=not-found answers 404 for the rest."""
    web = await routed(unmatched="not-found", routes=[_to("BLUE", prefix="/api")])

    assert ["blue", "404"] == [await who(web, "/api/x"), await who(web, "/")]


async def test_redirects_say_where_to_ask(routed: Routed) -> None:
    """Scheme, host, path, prefix, status and query, each as told."""
    web = await routed(
        routes=[
            {"match": {"prefix": "/old"}, "redirect": {"prefix": "/new", "status": 301}},
            {"match": {"path": "/home"}, "redirect": {"path": "/", "status": 302, "keep_query": False}},
            {"match": {"prefix": "/strip"}, "redirect": {"prefix": "/", "host": "b.test"}},
            {"redirect": {"https": True, "host": "a.test"}},
        ]
    )

    async def told(path: str) -> tuple[int, str]:
        answer = await ask(web, path, headers={"host": "web.test"})
        return answer.status_code, answer.headers["location"]

    assert await told("/old/x?q=1") == (301, "http://web.test/new/x?q=1")
    assert await told("/home?q=1") == (302, "http://web.test/")
    assert await told("/strip/x") == (308, "http://b.test/x")
    assert await told("/other?q=1") == (308, "https://a.test/other?q=1")


async def test_an_answer_asks_nobody(routed: Routed, pools: Pools) -> None:
    """A status and a body, without a backend."""
    web = await routed(
        routes=[{"match": {"prefix": "/robots.txt"}, "answer": {"status": 200, "body": "none"}}]
    )

    answer = await ask(web, "/robots.txt")

    assert (200, "none") == (answer.status_code, answer.text)
    assert pools.own.asked == []


async def test_rewrites_change_what_the_endpoint_is_asked(routed: Routed) -> None:
    """Prefix (also to "/"), regex with groups, and the host name."""
    web = await routed(
        routes=[
            {"match": {"prefix": "/a"}, "rewrite": {"prefix": "/b"}},
            {"match": {"prefix": "/strip"}, "rewrite": {"prefix": "/"}},
            {"match": {"prefix": "/u"}, "rewrite": {"regex": "^/u/([a-z]+)/", "substitution": "/user/\\1/"}},
            {"match": {"prefix": "/h"}, "rewrite": {"host": "inside.test"}},
            {"match": {"prefix": LONG}, "rewrite": {"prefix": "/"}},
        ]
    )

    async def seen(path: str) -> str:
        return str((await ask(web, path)).json()["path"])

    assert await seen("/a/x?q=1") == "/b/x?q=1"
    assert await seen("/strip/x") == "/x"
    assert await seen("/strip") == "/"
    assert await seen(LONG + "/x") == "/x"
    assert await seen("/u/ada/x") == "/user/ada/x"
    assert (await ask(web, "/h")).json()["headers"]["host"] == "inside.test"


async def test_what_only_re2_knows_is_matched(routed: Routed) -> None:
    """Classes, quoting, flags and names that Python has not, and the longest program: Envoy takes each."""
    regexes = [r"/\Qa.b\E", r"/\d[[:digit:]]", r"/u(?U)x+", r"/(?<n>n)", r"/\z|/end", r"/a{95}"]
    web = await routed(routes=[_to("BLUE", regex=each) for each in regexes])
    paths = ["/a.b", "/77", "/uxx", "/n", "/end", "/" + "a" * 95]

    assert ["blue"] * len(paths) == [await who(web, path) for path in paths]
    assert "own" == await who(web, "/axb")


async def test_headers_are_set_added_and_taken_away(routed: Routed) -> None:
    """On the way in and on the way out; a route's own headers stand in the place of the service's."""
    web = await routed(
        headers={
            "request": [{"name": "x-set", "value": "new"}, {"name": "x-more", "value": "two", "add": True}],
            "request_remove": ["x-gone"],
            "response": [{"name": "x-out", "value": "1"}],
            "response_remove": ["x-inside"],
        },
        routes=[{"match": {"prefix": "/plain"}, "headers": {}}],
    )
    sent = {"x-set": "old", "x-more": "one", "x-gone": "1"}

    answer = await ask(web, headers=sent)
    plain = await ask(web, "/plain", headers=sent)

    seen = answer.json()["headers"]
    assert (seen["x-set"], seen["x-more"], "x-gone" in seen) == ("new", "two", False)
    assert (answer.headers["x-out"], "x-inside" in answer.headers) == ("1", False)
    assert (plain.json()["headers"]["x-set"], plain.headers["x-inside"]) == ("old", "1")
