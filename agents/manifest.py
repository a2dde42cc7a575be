"""What a tree of files is, exactly: which paths a shard may hold, in which order, and the digest of it all.

A shard holds directories, regular files and relative symbolic links that stay inside. The order is that of
the paths' parts, each directory before what is in it. The digest is SHA-256 over one JSON line an entry
(kind, path, permission bits, size, SHA-256 of the content or the link's target), so two trees have the same
digest exactly when a reader could not tell them apart. Owners and times are not part of a shard;
set-user-id and set-group-id bits are dropped, a copied file must not carry rights with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_ENTRIES = 1_000_000
MAX_PATH_BYTES = 3072
_PERMISSIONS = 0o777
_CHUNK_BYTES = 256 * 1024


class WrongTree(ValueError):
    """The tree holds something that a shard must not; the message names it."""


@dataclass(frozen=True)
class Entry:
    """One directory ("d"), file ("f") or symbolic link ("l"). Only files have a size, only links a target."""

    kind: str
    path: str
    mode: int
    size: int = 0
    target: str = ""


@dataclass(frozen=True)
class Summary:
    """files: regular files; bytes: their content together; digest: SHA-256 hex of the manifest."""

    files: int
    bytes: int
    digest: str


def check_path(path: str) -> tuple[str, ...]:
    """The parts of a path that stays inside its tree. Raises WrongTree for any other."""
    parts = tuple(path.split("/"))
    if "\0" in path or not all(parts) or "." in parts or ".." in parts:
        raise WrongTree(f"{path!r} is not a path inside the tree")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise WrongTree(f"{path!r} is not UTF-8") from None
    if size > MAX_PATH_BYTES or any(len(part.encode()) > 255 for part in parts):
        raise WrongTree(f"{path[:80]!r}... is longer than a path can be")
    return parts


def check_target(path: str, target: str) -> None:
    """Allow a link at `path` to point to `target` only where every way of following it stays inside.

    ".." may stand only in front, and only as often as the link lies deep: after a name, it could climb from
    wherever another link had led. Raises WrongTree.
    """
    depth = len(check_path(path)) - 1
    parts = target.split("/")
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    names = parts[climbs:]
    if climbs > depth or any(part in {"", ".", ".."} for part in names) or "\0" in target:
        raise WrongTree(f"the link {path!r} leads out of the tree")
    if names:
        check_path("/".join(names))


def walk(root: Path) -> Iterator[Entry]:
    """The entries of the tree under root (root is not one) in the manifest's order. Raises WrongTree."""
    count = 0
    waiting = [""]
    while waiting:
        path = waiting.pop()
        if path:
            count += 1
            if count > MAX_ENTRIES:
                raise WrongTree(f"more than {MAX_ENTRIES} entries")
            entry = describe(root, path)
            yield entry
            if entry.kind != "d":
                continue
        names = sorted((child.name for child in (root / path).iterdir()), key=os.fsencode, reverse=True)
        waiting.extend(f"{path}/{name}" if path else name for name in names)


def describe(root: Path, path: str) -> Entry:
    """The entry at a path of the tree. Raises WrongTree for what a shard must not hold."""
    check_path(path)
    status = os.lstat(root / path)
    mode = status.st_mode & _PERMISSIONS
    if stat.S_ISREG(status.st_mode):
        return Entry("f", path, mode, status.st_size)
    if stat.S_ISDIR(status.st_mode):
        return Entry("d", path, mode)
    if stat.S_ISLNK(status.st_mode):
        target = str((root / path).readlink())
        check_target(path, target)
        return Entry("l", path, 0o777, 0, target)
    raise WrongTree(f"{path!r} is neither a file, a directory nor a link")


def summarise(root: Path, check: Callable[[], None] = lambda: None) -> Summary:
    """Read the whole tree and describe it. check is called between chunks and may raise to give up."""
    manifest = hashlib.sha256()
    files = size = 0
    for entry in walk(root):
        content = entry.target
        if entry.kind == "f":
            content, length = _hash_file(root / entry.path, check)
            entry = Entry("f", entry.path, entry.mode, length)
            files += 1
            size += length
        line = json.dumps([entry.kind, entry.path, entry.mode, entry.size, content])
        manifest.update(line.encode() + b"\n")
        check()
    return Summary(files, size, manifest.hexdigest())


def open_file(file: Path) -> int:
    """A descriptor to read a regular file with; a link or pipe put in its place meanwhile is refused."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise WrongTree(f"{file.name!r} is no longer a file")
    return descriptor


def _hash_file(file: Path, check: Callable[[], None]) -> tuple[str, int]:
    content, length = hashlib.sha256(), 0
    with os.fdopen(open_file(file), "rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            content.update(chunk)
            length += len(chunk)
            check()
    return content.hexdigest(), length
