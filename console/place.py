"""Where this installation keeps what the command line and its processes must find."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The data directory. Everything in it belongs to its owner alone."""

    data: Path

    @classmethod
    def from_environment(cls) -> Place:
        named = os.environ.get("STEELYARD_DATA", "")
        return cls(Path(named).absolute() if named else Path.home() / ".local/state/steelyard")

    @property
    def run(self) -> Path:
        """Sockets, the lock and addresses of what is running."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def cli_token(self) -> Path:
        """The API token with which this machine's owner uses the command line."""
        return self.data / "secrets/cli-token"

    @property
    def broker_password(self) -> Path:
        return self.data / "secrets/broker"

    @property
    def broker_port(self) -> Path:
        """Where the embedded broker listened last, so that it does again."""
        return self.data / "broker-port"

    @property
    def broker_url(self) -> Path:
        """URL of the hosts' workers' broker while the product runs; it carries the password."""
        return self.run / "broker-url"

    @property
    def console_url(self) -> Path:
        return self.run / "console-url"

    @property
    def xds_socket(self) -> Path:
        """Where the leading controller configures Envoy; only this machine's user reaches it."""
        return self.run / "xds.sock"

    @property
    def envoy(self) -> Path:
        """Envoy's and its relay's own directory."""
        return self.data / "envoy"

    @property
    def envoy_pid(self) -> Path:
        """Where the relay notes the Envoy that it started last."""
        return self.envoy / "envoy.pid"

    @property
    def envoy_admin_socket(self) -> Path:
        return self.envoy / "admin.sock"


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner's eyes only."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
