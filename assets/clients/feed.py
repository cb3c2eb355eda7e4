#!/usr/bin/env python3
"""Prints the feed, one JSON object a line, and goes on where it stopped: feed.py [ws://127.0.0.1:8000] [since]
Needs `pip install websockets`. WAKEFUL_TOKEN holds the token where one is set."""
import asyncio, json, os, sys, urllib.parse, websockets

address, since = (sys.argv[1:] + ["ws://127.0.0.1:8000", ""][len(sys.argv) - 1:])[:2]
query = {"since": since, "epoch": "", "token": os.environ.get("WAKEFUL_TOKEN", "")}

async def follow():
    while True:
        try:
            given = urllib.parse.urlencode({name: value for name, value in query.items() if value})
            async with websockets.connect(f"{address}/ws/mcplog?{given}", max_size=None) as socket:
                async for text in socket:
                    event = json.loads(text)
                    print(text, flush=True)
                    query["since"] = event.get("seq", query["since"])
                    if event["type"] == "connection_ack":
                        query["epoch"] = event["data"]["epoch"]
                        if event["data"]["dropped"]:
                            break  # too slow: what was lost is replayed
        except (OSError, websockets.WebSocketException) as error:
            print(error, file=sys.stderr)
        await asyncio.sleep(1)

asyncio.run(follow())
