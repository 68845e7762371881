"""Opens event streams of one job from a process of its own: `python -m tests.faults.listeners URL JOB COUNT`.

Says "open" once each stream has heard an event, and how many it held when its input ends.
"""

from __future__ import annotations

import asyncio
import sys

import httpx


async def listen(url: str, job_id: str, count: int) -> None:
    """Holds `count` streams until the standard input ends."""
    heard = [0] * count
    all_heard = asyncio.Event()

    async def one(client: httpx.AsyncClient, number: int) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": "0"}
        async with client.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                heard[number] += line.startswith("data:")
                if not all_heard.is_set() and all(heard):
                    all_heard.set()

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, limits=limits) as client:
        tasks = [asyncio.create_task(one(client, number)) for number in range(count)]
        await all_heard.wait()
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(sum(not task.done() for task in tasks), flush=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(listen(sys.argv[1], sys.argv[2], int(sys.argv[3])))
