"""Calls tools of an MCP server over stdio with the SDK for Python and prints what came of each, as one JSON list.

hands.py CALLS.json COMMAND ARGUMENT…

CALLS.json holds a list of {"tool", "arguments"}.
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters


async def main() -> None:
    calls, command, *arguments = sys.argv[1:]
    with open(calls, encoding="utf-8") as file:
        wanted = json.load(file)
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    results = []
    async with Client(server, mode="auto", read_timeout_seconds=60) as client:
        for call in wanted:
            result = await client.call_tool(call["tool"], call["arguments"])
            text = "\n".join(block.text for block in result.content if block.type == "text")
            results.append({"tool": call["tool"], "is_error": bool(result.is_error), "text": text, "structured": result.structured_content})
    print(json.dumps(results))


asyncio.run(main())
