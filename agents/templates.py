"""Process templates: what an administrator allowed to be run on hosts, with the parameters that a job fills in.

Rules:
1. There is no shell. A template is an argv; a parameter becomes part of one item of it and never more.
2. The program is an absolute path and takes no parameter.
3. A parameter is checked against its type before it goes anywhere; a text has to match its whole pattern, and never
   begins an item with "-", or it would be an option.
4. Control plane and agent check alike, and the agent runs only templates whose digest its own host's list has.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: Of a template as JSON, and of a job's parameters: together they go in one frame of the wire.
MOST_BYTES = 16 * 1024
MOST_TEXT = 1000
LONGEST_S = 30 * 86_400.0
_PLACE = re.compile(r"\{([a-z][a-z0-9_]{0,62})\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
#: Said by the agent itself.
_OURS = ("STEELYARD_JOB", "STEELYARD_ATTEMPT")


class WrongTemplate(ValueError):
    """It can't be kept or run. field: what of it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a job may say. pattern: of a text, a regular expression that all of it matches. least, most: of a number."""

    type: Literal["text", "integer", "number"]
    pattern: str = ""
    least: float | None = None
    most: float | None = None


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """argv: its items may have {NAME} of a parameter in them. user: whose process it is, "" for the agent's own.

    environment: beside PATH and LANG, all that the process is given. output: "log" for the job's log, "result": what
    it writes to stdout is the job's result, "none": it is dropped.
    """

    name: str
    argv: list[str]
    parameters: dict[str, Parameter] = {}
    user: str = ""
    environment: dict[str, str] = {}
    timeout_s: float = 3600.0
    output: Literal["log", "result", "none"] = "log"

    def digest(self) -> str:
        """SHA-256 hex of all that it says: what a host's list allows."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    def line(self) -> str:
        """Its line in the list of a host."""
        return f"{self.name} {self.digest()}"


def read(document: Any) -> Template:
    """A template from its plain form, checked. Raises WrongTemplate."""
    try:
        template = msgspec.convert(document, Template)
    except msgspec.ValidationError as error:
        raise WrongTemplate("template", str(error)) from None
    if len(msgspec.json.encode(template)) > MOST_BYTES:
        raise WrongTemplate("template", f"at most {MOST_BYTES:,} bytes as JSON")
    _check(template)
    return template


def argv_of(template: Template, said: Mapping[str, Any]) -> list[str]:
    """The argv with what a job says filled in. Raises WrongTemplate naming the parameter."""
    for name in said:
        if name not in template.parameters:
            raise WrongTemplate(str(name)[:80], f"{template.name} has no such parameter")
    values = {name: _value(name, kind, said.get(name)) for name, kind in template.parameters.items()}
    for item in template.argv:
        for place in _PLACE.finditer(item):
            kind = template.parameters[place[1]].type
            if kind == "text" and place.start() == 0 and values[place[1]].startswith("-"):
                raise WrongTemplate(place[1], "it would be an option, for it begins with -")
    argv = [_PLACE.sub(lambda place: values[place[1]], item) for item in template.argv]
    if len(msgspec.json.encode([dict(said), argv])) > MOST_BYTES:
        raise WrongTemplate("parameters", f"with what becomes of them at most {MOST_BYTES:,} bytes as JSON")
    return argv


def _check(template: Template) -> None:
    if not NAME.fullmatch(template.name):
        raise WrongTemplate("name", "small letters, digits and _, a letter first, at most 63")
    if not template.argv or not template.argv[0].startswith("/") or _PLACE.search(template.argv[0]):
        raise WrongTemplate("argv", "it begins with the absolute path of a program, without parameters")
    if any("\0" in item for item in (*template.argv, *template.environment.values(), template.user)):
        raise WrongTemplate("argv", "NUL can't be said to a process")
    used = {place[1] for item in template.argv for place in _PLACE.finditer(item)}
    if used != template.parameters.keys():
        odd = ", ".join(sorted(used ^ template.parameters.keys()))
        raise WrongTemplate("parameters", f"those in argv and those that are declared differ: {odd}")
    for name, kind in template.parameters.items():
        _check_parameter(f"parameters.{name}", kind)
    for name in template.environment:
        if not _VARIABLE.fullmatch(name) or name in _OURS:
            raise WrongTemplate("environment", f"{name[:80]!r} can't be set")
    if not 0 < template.timeout_s <= LONGEST_S:
        raise WrongTemplate("timeout_s", f"more than 0, at most {LONGEST_S:,.0f}")


def _check_parameter(field: str, kind: Parameter) -> None:
    if (kind.type == "text") != bool(kind.pattern):
        raise WrongTemplate(field, "a text has a pattern, a number has none")
    if kind.type == "text" and (kind.least is not None or kind.most is not None):
        raise WrongTemplate(field, "only numbers have bounds")
    try:
        re.compile(kind.pattern)
    except re.error as error:
        raise WrongTemplate(field, f"its pattern is no regular expression: {error}") from None


def _value(name: str, kind: Parameter, said: Any) -> str:
    if kind.type == "text":
        if not isinstance(said, str) or len(said) > MOST_TEXT or "\0" in said:
            raise WrongTemplate(name, f"a text of at most {MOST_TEXT} characters is asked for")
        if not re.fullmatch(kind.pattern, said):
            raise WrongTemplate(name, f"it does not match {kind.pattern}")
        return said
    wanted = int if kind.type == "integer" else (int, float)
    if isinstance(said, bool) or not isinstance(said, wanted) or not math.isfinite(said):
        raise WrongTemplate(
            name, f"{'a whole number' if kind.type == 'integer' else 'a number'} is asked for"
        )
    if (kind.least is not None and said < kind.least) or (kind.most is not None and said > kind.most):
        raise WrongTemplate(name, f"from {kind.least} to {kind.most}")
    return str(said) if kind.type == "integer" else repr(float(said))
