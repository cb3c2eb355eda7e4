"""Prints the feed by httpx-sse, a JSON object a line, each with what the stream says beside it: feed_sse.py URL LAST-EVENT-ID"""

import json
import sys

import httpx
from httpx_sse import connect_sse

url, last = sys.argv[1:]
with httpx.Client(timeout=None) as client, connect_sse(client, "GET", url, headers={"Last-Event-ID": last}) as source:
    for event in source.iter_sse():
        print(json.dumps({**event.json(), "sse": [event.event, event.id]}), flush=True)
