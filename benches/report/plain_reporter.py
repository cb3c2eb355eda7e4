"""A plain reporter on aiohttp, as one would write it: a request a record, keep-alive, 64 at a time, no throttle."""

import asyncio
import sys
import time
import uuid

import aiohttp

COUNT = 20_000
TOGETHER = 64


async def main():
    numbers = iter(range(COUNT))

    async def send(session):
        for number in numbers:
            record = {
                "action": "interaction_complete",
                "record_id": str(uuid.uuid4()),
                "interaction_id": f"int_1767268800_{number // 4:08x}",
                "mcp_id": "plain",
                "timestamp": 1767268800.25,
                "result_data": {"success": True, "output_size": 1234, "processing_time": 0.25, "adapter_used": "files"},
            }
            async with session.post(sys.argv[1], json=record) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=TOGETHER)) as session:
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(send(session) for _ in range(TOGETHER)))
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"plain aiohttp reporter, {TOGETHER} at a time: {COUNT / took:.0f} records/s; per core {COUNT / cpu:.0f}/s")


asyncio.run(main())
