"""Waiting for the end of a process, also of one that is not this process's child."""

from __future__ import annotations

import asyncio
import os


async def ended(pidfd: int) -> None:
    """Return when the process of os.pidfd_open() has ended; closes pidfd in any case."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
