"""The shards of a host on its disk: which are there, how one comes and goes in a single step.

    <root>/import/...            what an operator put there to become a shard
    <root>/shards/<shard>/       complete, verified shards
    <root>/.incoming/<transfer>  arriving or leaving; cleared at every start

Only rename moves anything between these, so a shard is there whole or not at all, also after a power cut.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from agents.identity import sync_directory
from agents.wire import NAME_PATTERN


class NoShard(ValueError):
    """The name or source cannot be used; the message says why."""


class ShardRoot:
    """One host's shards under `path`; making it clears what a crash left."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._incoming = self.path / ".incoming"
        for directory in (self.path / "import", self.path / "shards", self._incoming):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in list(self._incoming.iterdir()):
            remove_tree(left)

    def shard(self, name: str) -> Path:
        """Where the shard of this name is or would be. Raises NoShard."""
        return self.path / "shards" / _checked(name, "shard")

    def source(self, text: str) -> Path:
        """The tree that a shard is made from: a shard's name, or a path under import/ (may be left out).

        Raises NoShard for what leads out, by "..", an absolute path or a link, and for what is not there.
        """
        if NAME_PATTERN.fullmatch(text) and (self.path / "shards" / text).is_dir():
            return self.path / "shards" / text
        parts = text.removeprefix("import/").split("/")
        if "\0" in text or any(part in {"", ".", ".."} for part in parts):
            raise NoShard(f"source {text!r} is not a path under import/ nor a shard here")
        base = Path(os.path.realpath(self.path / "import"))
        found = Path(os.path.realpath(base.joinpath(*parts)))
        if not found.is_relative_to(base):
            raise NoShard(f"source {text!r} leads out of import/")
        if not found.is_dir():
            raise NoShard(f"source {text!r}: there is no such directory under import/")
        return found

    def begin(self, transfer: str) -> Path:
        """An empty directory to receive into. Raises NoShard when the transfer is already under way."""
        directory = self._incoming / _checked(transfer, "transfer")
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            raise NoShard(f"transfer {transfer!r} is already under way") from None
        return directory

    def commit(self, transfer: str, shard: str) -> None:
        """Make what was received the shard. Raises NoShard when one of that name is there already."""
        target = self.shard(shard)
        received = self._incoming / transfer
        received.chmod(0o755)
        sync_directory(received)
        # rename() would replace an empty directory silently; ours never holds one that may be lost.
        if target.exists():
            raise NoShard(f"shard {shard!r} came to be meanwhile")
        received.rename(target)
        sync_directory(target.parent)
        sync_directory(self._incoming)

    def abandon(self, transfer: str) -> None:
        """Remove what was received so far."""
        remove_tree(self._incoming / transfer)

    def drop(self, shard: str) -> None:
        """Remove a shard; one that is not there is no error."""
        target = self.shard(shard)
        leaving = self._incoming / f"drop.{shard}"
        remove_tree(leaving)
        try:
            target.rename(leaving)
        except FileNotFoundError:
            return
        sync_directory(target.parent)
        remove_tree(leaving)

    def free_bytes(self) -> int:
        """What a process that is not root can still write here."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize


def remove_tree(path: Path) -> None:
    """Remove a tree whatever the modes of its directories; one that is not there is no error."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        path.unlink(missing_ok=True)
        return
    path.chmod(0o700)
    for directory, names, _ in os.walk(path):
        for name in names:
            child = Path(directory, name)
            if not child.is_symlink():
                child.chmod(0o700)
    shutil.rmtree(path)


def _checked(name: str, what: str) -> str:
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise NoShard(f"{what} {name!r}: a name is a-z, 0-9 and '-', at most 63 characters")
    return name
