"""Which requests a route takes: by host name, path, method, headers and query. All that is said must hold."""

from __future__ import annotations

from typing import Final

import msgspec

from console.engines.target.checks import InvalidTarget
from console.engines.target.words import (
    LONGEST_VALUE,
    check_header,
    check_hosts,
    check_methods,
    check_path,
    check_regex,
)

MOST_CONDITIONS: Final = 32


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a header or a query parameter must be. One of exact, prefix and regex (the whole value); none: be there.

    absent: must not be so.
    """

    name: str
    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None
    absent: bool = False

    def __post_init__(self) -> None:
        said = [field for field in ("exact", "prefix", "regex") if getattr(self, field) is not None]
        if len(said) > 1:
            raise InvalidTarget(said[1], f"{said[0]} is there already; one of them")
        for field in said:
            value = getattr(self, field)
            if field == "regex":
                check_regex(field, value)
            elif not 0 < len(value) <= LONGEST_VALUE or not value.isascii() or not value.isprintable():
                raise InvalidTarget(field, f"1 to {LONGEST_VALUE} printable ASCII characters")


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which requests. hosts: any of these (*.example.com: all below it), empty for those of the service.

    path: the whole path; prefix: the path or what lies below it ("/shop" takes /shop and /shop/x, not /shopping);
    regex: the whole path. methods: any of them. headers, query: all of them. grpc: only gRPC.
    """

    hosts: tuple[str, ...] = ()
    path: str | None = None
    prefix: str | None = None
    regex: str | None = None
    methods: tuple[str, ...] = ()
    headers: tuple[Text, ...] = ()
    query: tuple[Text, ...] = ()
    grpc: bool = False

    def __post_init__(self) -> None:
        check_hosts("hosts", self.hosts)
        said = [field for field in ("path", "prefix", "regex") if getattr(self, field) is not None]
        if len(said) > 1:
            raise InvalidTarget(said[1], f"{said[0]} is there already; one of them")
        if self.path is not None:
            check_path("path", self.path)
        if self.prefix is not None:
            check_path("prefix", self.prefix)
        if self.regex is not None:
            check_regex("regex", self.regex)
        check_methods("methods", self.methods)
        for field, texts in (("headers", self.headers), ("query", self.query)):
            if len(texts) > MOST_CONDITIONS:
                raise InvalidTarget(field, f"at most {MOST_CONDITIONS}")
        for place, header in enumerate(self.headers):
            check_header(f"headers[{place}].name", header.name)
        for place, each in enumerate(self.query):
            if not 0 < len(each.name) <= 256 or not each.name.isascii() or not each.name.isprintable():
                raise InvalidTarget(f"query[{place}].name", "1 to 256 printable ASCII characters")
            if each.absent:
                raise InvalidTarget(f"query[{place}].absent", "is there for headers only")
