"""A broadcast server on `websockets`, for the benchmark of the feed.

It prints its port, then obeys lines `count per_second` of its input (0: as fast as it can) and answers each.
"""

import asyncio
import sys
import time

from websockets.asyncio.server import broadcast, serve

BYTES = 512


def text():
    head = '{"at":%020d,"type":"bench","data":{"text":"' % time.time_ns()
    tail = '"}}'
    return head + "x" * (BYTES - len(head) - len(tail)) + tail


async def main():
    clients = set()

    async def client(socket):
        clients.add(socket)
        try:
            await socket.wait_closed()
        finally:
            clients.discard(socket)

    async with serve(client, "127.0.0.1", 0, compression=None, ping_interval=None, max_queue=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            count, rate = map(int, line.split())
            started = time.monotonic()
            for n in range(count):
                broadcast(clients, text())
                if rate == 0:
                    await asyncio.sleep(0)
                elif n % 20 == 19:
                    await asyncio.sleep(max(0, started + n / rate - time.monotonic()))
            print("published", flush=True)


asyncio.run(main())
