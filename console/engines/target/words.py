"""What the texts of a settings document are held to: host names, paths, headers, regexes, header values.

Each check raises InvalidTarget with the field's name inside its struct; settings_of() puts the path before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

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
#: What RE2 knows as [:name:].
_CLASSES: Final = (
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
)  # fmt: skip
#: Python's regexes that RE2 does not have: look-around, back references, conditionals, atomic groups, comments.
_NOT_RE2 = re.compile(r"\(\?(?:[=!#(>]|<[=!]|P=)|\\[1-9]|[*+?}]\+")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
#: RE2's own limit for a counted repetition.
MOST_REPEATS: Final = 1000


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
    """A regex that RE2 takes; returns its number of groups. What Python takes and RE2 does not is refused.

    The engine matches in linear time whatever the regex; its size is what is left to bound.
    """
    if not 0 < len(value) <= LONGEST_REGEX or not value.isascii() or not value.isprintable():
        raise InvalidTarget(field, f"a regex is 1 to {LONGEST_REGEX} printable ASCII characters")
    # Escaped characters and classes stand for themselves: "\\(" opens nothing.
    bare = re.sub(r"\\[^1-9]|\[\^?\]?[^\]]*\]", "_", value)
    if _NOT_RE2.search(bare):
        raise InvalidTarget(
            field, "uses what RE2 does not have: look-around, back references, possessive repeats"
        )
    if flags := re.search(r"\(\?(?![P:])(?!-?[ims]+(-[ims]+)?[:)])[^)]{0,8}", bare):
        raise InvalidTarget(field, f"{flags.group()!r} sets what RE2 does not have; flags are i, m and s")
    for name in re.findall(r"\[:\^?(\w*):\]", value):
        if name not in _CLASSES:
            raise InvalidTarget(field, f"[:{name}:] is no class; there is {', '.join(_CLASSES)}")
    product = 1
    for least, most in _REPEAT.findall(bare):
        product *= max(int(least), int(most or 0), 1)
    if product > MOST_REPEATS:
        raise InvalidTarget(field, f"repeats more than {MOST_REPEATS} times in all")
    if re.search(r"\\[ZzGuUNX]", value):
        raise InvalidTarget(field, "has an escape that RE2 does not know")
    try:
        # Python has no classes by name; what stands in their place has as many groups.
        return re.compile(re.sub(r"\[:\^?\w+:\]", "a", value)).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidTarget(field, f"is no regex: {error}") from None


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
