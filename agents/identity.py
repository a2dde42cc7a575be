"""Who this agent is: its data directory, and the credential it made for itself.

The credential never leaves the host while joining; only its digest does. It is on disk before it is used,
so that an agent which dies between the control plane's yes and its own next breath still has it.
A join that replaces an earlier one keeps the old credential until the new one was accepted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agents.amounts import WrongInput
from agents.groups import RESOURCES

_FILE = "agent.json"
_EPOCH_FILE = "epoch"


class Identity(msgspec.Struct, kw_only=True):
    """What `join` decided and `run` needs again. token_digest: of the one-time token that was used."""

    url: str
    name: str
    address: str
    labels: dict[str, str] = {}
    capacity: dict[str, float] = {}
    cgroup: str | None = None
    shards: str = ""
    interval_s: float = 0.0
    redis_node: str = ""
    redis_user: str = ""
    redis_password_file: str = ""
    job_limits: tuple[str, ...] = RESOURCES
    worker: str = ""
    worker_directory: str = ""
    credential: str = ""
    token_digest: str = ""
    pending_credential: str = ""
    pending_token_digest: str = ""


def new_credential() -> str:
    """256 bits from the system's generator, as text for a header."""
    return secrets.token_urlsafe(32)


class DataDirectory:
    """The agent's own directory, 0700: identity, highest epoch, worker socket, shards."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise WrongInput(f"data directory {self.path}: {error.strerror}") from None

    @property
    def worker_socket(self) -> Path:
        return self.path / "worker.sock"

    @property
    def worker(self) -> Path:
        """What is known of the worker that runs."""
        return self.path / "worker.json"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def allowed(self) -> Path:
        """The templates of processes that may run here; written by whoever administers the host."""
        return Path(os.environ.get("STEELYARD_AGENT_TEMPLATES") or self.path / "templates")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory: two agents with one identity would push each other off the control plane."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WrongInput(f"another agent is running on {self.path}") from None
            yield

    def load(self) -> Identity | None:
        """The stored identity, or None where no join was begun. Raises WrongInput when it cannot be read."""
        file = self.path / _FILE
        try:
            return msgspec.json.decode(file.read_bytes(), type=Identity)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            raise WrongInput(f"{file} cannot be read: {error}") from None

    def save(self, identity: Identity) -> None:
        write_private(self.path / _FILE, msgspec.json.encode(identity))

    def load_epoch(self) -> int:
        """The highest epoch ever obeyed; kept over restarts, or a deposed controller could command."""
        try:
            return int((self.path / _EPOCH_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def save_epoch(self, epoch: int) -> None:
        write_private(self.path / _EPOCH_FILE, str(epoch).encode())


def write_private(file: Path, content: bytes) -> None:
    """Replace a file in one step, readable by the owner only, on disk when this returns."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    sync_directory(file.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
