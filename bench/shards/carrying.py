"""A plan of moves, begun and waited for over the API."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from clients.rest import Steelyard

LOOK_S: Final = 0.1


async def carry_out(client: Steelyard, plan: int, patience_s: float) -> Any:
    """Apply the plan; it as it ended. Raises RuntimeError for what was not moved, TimeoutError."""
    await asyncio.to_thread(client.post, f"rebalances/{plan}/apply/", {})
    async with asyncio.timeout(patience_s):
        while True:
            shown = await asyncio.to_thread(client.get, f"rebalances/{plan}/")
            if shown["state"] == "done":
                break
            await asyncio.sleep(LOOK_S)
    if odd := [each for each in shown["moves"] if each["state"] != "done"]:
        raise RuntimeError(f"not moved: {odd}")
    return shown
