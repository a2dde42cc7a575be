"""The last configuration that an Envoy accepted, on disk, so that it serves without a control plane.

One file, written whole beside the old one and put in its place, with a digest of its content: what is cut off,
altered or of another node or format is refused with a reason and never served.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from google.protobuf import any_pb2

from console.engines.envoy.catalogue import Catalogue
from console.engines.envoy.render import version

MAGIC: Final = b"steelyard accepted configuration 1\n"
DIGEST_BYTES: Final = 32


class CacheRefused(Exception):
    """The file is not what was written; the sentence says how that shows."""


class _Content(msgspec.Struct, array_like=True):
    """resources: type URL -> name -> (version, packed message)."""

    node: str
    epoch: int
    resources: dict[str, dict[str, tuple[str, bytes]]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


def encode(node: str, catalogue: Catalogue) -> bytes:
    """The file's content."""
    body = _encode(
        _Content(
            node,
            catalogue.epoch,
            {
                type_url: {
                    name: (catalogue.versions[type_url][name], resource.value)
                    for name, resource in named.items()
                }
                for type_url, named in catalogue.resources.items()
            },
        )
    )
    return MAGIC + _digest(body) + body


def decode(node: str, content: bytes) -> Catalogue:
    """The catalogue of a file. Raises CacheRefused."""
    if not content.startswith(MAGIC):
        raise CacheRefused("it does not begin as a file of this version does")
    digest, body = content[len(MAGIC) :][:DIGEST_BYTES], content[len(MAGIC) + DIGEST_BYTES :]
    if len(digest) < DIGEST_BYTES or digest != _digest(body):
        raise CacheRefused(f"its {len(body)} bytes are not those that were written (the digest differs)")
    try:
        found = _decode(body)
    except msgspec.DecodeError as error:
        raise CacheRefused(f"it cannot be read: {error}") from None
    if found.node != node:
        raise CacheRefused(f"it is the configuration of {found.node}, not of {node}")
    resources, versions = _unpacked(found.resources)
    for type_url, named in resources.items():
        for name, resource in named.items():
            if version(resource) != versions[type_url][name]:
                raise CacheRefused(f"the content of {name} is not of its version")
    return Catalogue(found.epoch, resources, versions)


def read(path: Path, node: str) -> Catalogue | None:
    """The catalogue kept at path, None where there is no file. Raises CacheRefused."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheRefused(f"it cannot be read: {error}") from None
    return decode(node, content)


def write(path: Path, content: bytes) -> None:
    """Replace the file; on the disk before it has its name. Raises OSError, and leaves the old one then."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def _unpacked(
    packed: Mapping[str, Mapping[str, tuple[str, bytes]]],
) -> tuple[dict[str, dict[str, any_pb2.Any]], dict[str, dict[str, str]]]:
    resources = {
        type_url: {name: any_pb2.Any(type_url=type_url, value=value) for name, (_, value) in named.items()}
        for type_url, named in packed.items()
    }
    versions = {
        type_url: {name: number for name, (number, _) in named.items()} for type_url, named in packed.items()
    }
    return resources, versions
