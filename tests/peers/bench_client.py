"""Calls the tool `echo` by the SDK for Python, in rounds, for the benchmark of MCP calls.

bench_client.py http URL | stdio COMMAND ARGUMENT…

For each line of the input, a number of calls and how many may be under way at once, it makes one round and prints the
calls' times and its own CPU time, in microseconds, as JSON.
"""

import asyncio
import json
import os
import sys
import time

from mcp import Client, StdioServerParameters

ARGUMENTS = {"text": "The quick brown fox jumps over the lazy dog."}


async def main() -> None:
    kind, target, *rest = sys.argv[1:]
    server = target if kind == "http" else StdioServerParameters(command=target, args=rest, env=dict(os.environ))
    async with Client(server) as client:
        await client.list_tools()
        while line := await asyncio.to_thread(sys.stdin.readline):
            times = []
            calls, window = map(int, line.split())

            async def some(count):
                for _ in range(count):
                    started = time.perf_counter()
                    result = await client.call_tool("echo", ARGUMENTS)
                    times.append((time.perf_counter() - started) * 1e6)
                    assert result.content[0].text == ARGUMENTS["text"]

            before = time.process_time()
            await asyncio.gather(*(some(calls // window) for _ in range(window)))
            print(json.dumps({"times": times, "cpu": (time.process_time() - before) * 1e6}), flush=True)


asyncio.run(main())
