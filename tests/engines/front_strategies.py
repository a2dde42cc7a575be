"""Settings at random, all of them valid: front and http with everything that they can say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from console.engines.target.checks import InvalidTarget
from console.engines.target.front import Clients, Front, Passthrough, Tls
from console.engines.target.http import Http, Jwks, Route, TokenProvider
from console.engines.target.matching import Match, Text
from console.engines.target.outcomes import Answer, Destination, Redirect, Rewrite
from console.engines.target.treatment import Cors, Fault, Header, Headers, Mirror, RateLimit, Retries

NAMES = ("blue", "green", "w-1")
KEYS = ("ada", "bob")
names = st.sampled_from(NAMES)
hosts = st.sampled_from(
    ("a.test", "*.a.test", "x.a.test", "*.x.a.test", "y.x.a.test", "b.test", "*.test", "test")
)
seconds = st.integers(100, 60_000).map(lambda milliseconds: milliseconds / 1000)
percents = st.integers(0, 1_000_000).map(lambda part: part / 10_000)
headers = st.sampled_from(("x-a", "x-b", "accept", "x-c.d"))
values = st.text("ab c;=\"'1", min_size=1, max_size=8).map(str.strip).filter(bool)
regexes = st.sampled_from(("/a/[0-9]+", "(x|y)*", "/v[12]/(.*)", "[^/]*", "a{2,5}"))
paths = st.sampled_from(("/", "/a", "/a/", "/shop", "/shop/x", "/$-_.+!*'(),", "/a%20b"))


def several(each: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=most, unique=True).map(tuple)


def perhaps(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | each


def made(kind: type[Any], *parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    """Of kind, with the fields of all parts; a combination that it refuses is drawn again."""

    def build(drawn: tuple[dict[str, Any], ...]) -> Any:
        fields = {name: value for part in drawn for name, value in part.items()}
        try:
            return kind(**fields)
        except InvalidTarget:
            return None

    return st.tuples(*parts).map(build).filter(lambda found: found is not None)


def valid(kind: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Of kind, with those fields at random that it needs, and some of the others."""
    needed = {each.name for each in msgspec.structs.fields(kind) if each.required}
    must = {name: each for name, each in fields.items() if name in needed}
    may = {name: each for name, each in fields.items() if name not in needed}
    return made(kind, st.fixed_dictionaries(must, optional=may))


texts = st.builds(Text, headers, exact=perhaps(values), absent=st.booleans()) | st.builds(
    Text, headers, prefix=perhaps(values), absent=st.booleans()
)
queries = st.builds(Text, headers, exact=perhaps(values)) | st.builds(Text, headers, regex=perhaps(regexes))
matches = valid(
    Match,
    hosts=several(hosts),
    path=paths,
    prefix=paths,
    regex=regexes,
    methods=several(st.sampled_from(("GET", "HEAD", "POST", "PUT", "OPTIONS"))),
    headers=several(texts),
    query=several(queries),
    grpc=st.booleans(),
)
destinations = (
    st.lists(st.builds(Destination, names, st.integers(0, 100)), max_size=3, unique_by=lambda d: d.service)
    .filter(lambda them: not them or any(each.weight for each in them))
    .map(tuple)
)
plain_hosts = hosts.filter(lambda host: not host.startswith("*"))
redirects = valid(
    Redirect,
    https=st.booleans(),
    host=plain_hosts,
    port=st.integers(1, 65_535),
    path=paths,
    prefix=paths,
    status=st.sampled_from((301, 302, 303, 307, 308)),
    keep_query=st.booleans(),
)
rewrites = valid(
    Rewrite, prefix=paths, regex=regexes, substitution=st.sampled_from(("/x", "")), host=plain_hosts
)
changes = st.builds(Header, headers, values, st.booleans())
treatments: dict[str, st.SearchStrategy[Any]] = {
    "timeout_s": perhaps(seconds),
    "stream_idle_s": perhaps(seconds),
    "retries": valid(
        Retries,
        on=several(st.sampled_from(("unsent", "reset", "5xx", "gateway-error")), 4),
        statuses=several(st.integers(400, 599)),
        attempts=st.integers(0, 10),
        per_try_timeout_s=perhaps(seconds),
        any_method=st.booleans(),
    )
    | st.builds(
        Retries,
        st.just(("reset",)),
        attempts=st.integers(1, 3),
        per_try_timeout_s=seconds,
        hedge=st.just(True),
    ),
    "headers": st.builds(Headers, several(changes), several(headers), several(changes), several(headers)),
    "mirror": st.builds(Mirror, names, percents),
    "fault": valid(
        Fault,
        percent=percents,
        delay_s=seconds,
        abort_status=st.integers(200, 599),
        header=perhaps(headers),
    ),
    "cors": valid(
        Cors,
        origins=several(st.sampled_from(("https://a.test", "http://b.test:8080", "*"))),
        methods=several(st.sampled_from(("GET", "PUT"))),
        headers=several(headers),
        exposed=several(headers),
        credentials=st.booleans(),
        max_age_s=st.integers(0, 86_400),
    ),
    "rate_limits": st.lists(
        st.builds(
            RateLimit,
            st.integers(1, 1000),
            seconds,
            st.sampled_from(("all", "client")),
        ),
        max_size=2,
        unique_by=lambda limit: limit.of,
    ).map(tuple),
    "max_body_bytes": st.integers(0, 2**20),
    "jwt": several(st.sampled_from(("people", "robots"))),
    "api_keys": several(st.sampled_from(KEYS)),
    "websocket": st.booleans(),
}
outcomes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"destinations": destinations, "rewrite": perhaps(rewrites)}),
    st.fixed_dictionaries({"redirect": redirects}),
    st.fixed_dictionaries(
        {"answer": st.builds(Answer, st.integers(200, 599), st.sampled_from(("", "none\n")))}
    ),
)
some_treatments = st.fixed_dictionaries({}, optional=treatments)
routes = made(Route, st.fixed_dictionaries({"match": matches}), outcomes, some_treatments)
#: A public key of P-256: the curve's own base point.
JWKS = json.dumps(
    {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
                "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
            }
        ]
    }
)
sources = st.builds(Jwks, text=st.just(JWKS)) | st.builds(
    Jwks, service=names, path=paths, keep_s=st.sampled_from((1.0, 2.5, 600.0))
)
providers = st.tuples(
    *(
        st.builds(
            TokenProvider,
            st.just(name),
            values,
            sources,
            several(values),
            st.sampled_from(("authorization", "x-token")),
            st.booleans(),
        )
        for name in ("people", "robots")
    )
)
https = made(
    Http,
    st.fixed_dictionaries(
        {
            "token_providers": providers,
            "hosts": several(hosts, 2),
            "routes": st.lists(routes, min_size=1, max_size=4).map(tuple),
            "destinations": destinations,
            "unmatched": st.sampled_from(("serve", "serve", "not-found")),
            "compression": several(st.sampled_from(("gzip", "brotli")), 2),
        }
    ),
    some_treatments,
)
certificates = several(names).filter(bool)
clients = st.builds(Clients, names, st.booleans(), several(st.sampled_from(("ada.test", "spiffe://a/b"))))
common: dict[str, st.SearchStrategy[Any]] = {
    "proxy_protocol": st.sampled_from(("off", "accepted", "required")),
    "max_connections": perhaps(st.integers(1, 1000)),
    "connections_per_s": perhaps(st.integers(1, 1000)),
    "idle_timeout_s": perhaps(seconds),
}
http_fronts = valid(
    Front,
    tls=perhaps(
        valid(
            Tls,
            certificates=certificates,
            least_version=st.sampled_from(("1.2", "1.3")),
            clients=perhaps(clients),
            redirect_from_port=perhaps(st.integers(1, 79)),
        )
    ),
    http_versions=several(st.sampled_from(("1.1", "2", "3"))),
    max_header_kib=st.integers(1, 8192),
    headers_timeout_s=seconds,
    **common,
)
tcp_fronts = valid(
    Front,
    tls=perhaps(
        valid(
            Tls,
            certificates=certificates,
            alpn=several(st.sampled_from(("h2", "lines/1"))),
            clients=perhaps(clients),
        )
    ),
    sni=st.lists(hosts, max_size=3, unique=True).map(
        lambda found: tuple(Passthrough((host,), "blue") for host in found)
    ),
    **common,
)
