"""Secrets of this installation: made once, kept in files that only their owner reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_or_make_secret(path: Path) -> str:
    """The secret in the file at path, made there (256 random bits, mode 0600) if there is none yet.

    Raises ValueError on a file that is empty or short: an installation that runs with
    a guessable key is worse than one that does not start.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        # link() fails where the file exists: of two processes that start at once, one secret wins.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    secret = path.read_text().strip()
    if len(secret) < 32:
        raise ValueError(f"{path} holds no usable secret (at least 32 characters are needed)")
    return secret
