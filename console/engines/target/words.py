"""What the texts of a settings document are held to: host names, paths, headers, regexes, header values.

Each check raises InvalidTarget with the field's name inside its struct; settings_of() puts the path before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import re2

from console.engines.target.checks import NAME_PATTERN, InvalidTarget, check_unique

LONGEST_REGEX: Final = 512
LONGEST_PATH: Final = 2048
LONGEST_VALUE: Final = 4096

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
#: A host name, or "*." and one: any name below it. Lower case, no port.
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
#: RFC 9110's token, in lower case as HTTP/2 writes it.
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}")
#: RFC 9110's field value, without the line breaks by which one value would become two headers.
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
_PATH = re.compile(r"/[\x21-\x22\x24-\x3e\x40-\x7e]*")
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
#: What the product decides by itself, and would misroute or smuggle by if it were set.
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te"}
)
#: Of a compiled regex. Envoy refuses a longer one (re2.max_program_size.error_level), and all routes with it.
MOST_PROGRAM: Final = 100
#: What can't be compiled is the writer's to know, not the log's.
_QUIET: Final = re2.Options()
_QUIET.log_errors = False


def check_host(field: str, value: str) -> None:
    """A host name, perhaps with "*." before it."""
    if not _HOST.fullmatch(value) or len(value) > 253:
        raise InvalidTarget(
            field, f"{value!r} is no host name (lower case, no port; *.example.com for all below)"
        )


def check_hosts(field: str, values: Iterable[str]) -> None:
    """Host names, none of them twice."""
    for place, value in enumerate(values):
        check_host(f"{field}[{place}]", value)
    check_unique(field, values)


def covers(pattern: str, host: str) -> bool:
    """Whether every name that host (perhaps with "*.") stands for is one of pattern's."""
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def check_header(field: str, value: str) -> None:
    """A header's name: lower case, none that decides how a message is framed or where it goes."""
    if not _HEADER.fullmatch(value):
        raise InvalidTarget(field, f"{value!r} is no header's name (lower case, no spaces)")


def check_settable(field: str, value: str) -> None:
    """A header that may be added or taken away."""
    check_header(field, value)
    if value in _OWN_HEADERS or value.startswith("x-envoy-"):
        raise InvalidTarget(field, f"{value} is the engine's own and can't be set here")


def check_value(field: str, value: str) -> None:
    """A header's value: printable ASCII, no line breaks, no space at its ends."""
    if not _VALUE.fullmatch(value) or len(value) > LONGEST_VALUE:
        raise InvalidTarget(field, "is printable ASCII without line breaks, and no space at either end")
    if "%" in value:
        # It would be read as a command of the product's own language.
        raise InvalidTarget(field, "holds '%', which is not taken in a header's value")


def check_path(field: str, value: str) -> None:
    """An absolute path without query or fragment."""
    if not _PATH.fullmatch(value) or len(value) > LONGEST_PATH:
        raise InvalidTarget(
            field, f"{value[:80]!r} is no path: it begins with '/' and has no spaces, '?' or '#'"
        )


def check_methods(field: str, values: Iterable[str]) -> None:
    """Methods in capitals, none twice."""
    for place, value in enumerate(values):
        if not _METHOD.fullmatch(value):
            raise InvalidTarget(f"{field}[{place}]", f"{value!r} is no method (GET, POST, …)")
    check_unique(field, values)


def check_regex(field: str, value: str) -> int:
    """A regex that RE2 takes, asked of RE2 itself; returns its number of groups.

    The engine matches in linear time whatever the regex; its size is what is left to bound.
    """
    if not 0 < len(value) <= LONGEST_REGEX or not value.isascii() or not value.isprintable():
        raise InvalidTarget(field, f"a regex is 1 to {LONGEST_REGEX} printable ASCII characters")
    try:
        groups, size = _compiled(value)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise InvalidTarget(field, f"is no regex as RE2 has them: {reason}") from None
    if size > MOST_PROGRAM:
        raise InvalidTarget(
            field, f"is {size} steps long as RE2 counts them, more than {MOST_PROGRAM}; engines refuse it"
        )
    return groups


@lru_cache(maxsize=10_000)
def _compiled(regex: str) -> tuple[int, int]:
    """(groups, steps). Documents are read again every second, and hold the same regexes."""
    built = re2.compile(regex, _QUIET)
    return int(built.groups), int(built.programsize)


def check_substitution(field: str, value: str, groups: int) -> None:
    """What a match becomes: text, with \\1 to \\9 for the regex's groups."""
    if not value.isascii() or not value.isprintable() or len(value) > LONGEST_PATH:
        raise InvalidTarget(field, "is printable ASCII")
    for escape in re.findall(r"\\(.?)", value.replace("\\\\", "")):
        if not (escape.isdigit() and int(escape) <= groups):
            raise InvalidTarget(field, f"\\{escape} is none of the regex's {groups} groups")


def check_label(field: str, value: str) -> None:
    """A name of a service, certificate or key: a DNS label."""
    if not NAME_PATTERN.fullmatch(value):
        raise InvalidTarget(field, f"{value!r} is not a name (a-z, 0-9, inner '-', at most 63)")


def check_labels(field: str, values: Iterable[str]) -> None:
    """Names, none twice."""
    for place, value in enumerate(values):
        check_label(f"{field}[{place}]", value)
    check_unique(field, values)


def check_seconds(field: str, value: float | None, most: float, least: float = 0.0) -> None:
    """A duration: None, or least to most seconds."""
    if value is not None and not least <= value <= most:
        raise InvalidTarget(field, f"{value:g} is not from {least:g} to {most:g} seconds")


def check_between(field: str, value: float | None, least: float, most: float) -> None:
    """None, or a number from least to most."""
    if value is not None and not least <= value <= most:
        raise InvalidTarget(field, f"{value:g} is not from {least:g} to {most:g}")
