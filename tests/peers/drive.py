"""Drives an MCP server with the SDK for Python and prints what it saw, as one JSON object.

drive.py legacy|auto TASK http URL | stdio COMMAND ARGUMENT…
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PromptReference


async def updates(client: Client, mode: str, task: str) -> list[str]:
    """Pauses the task and tells what the server says changed. Only the newer era's client has a stream for that."""
    if mode == "legacy":
        return []
    seen = []
    async with client.listen(resource_subscriptions=["wakeful://tasks", f"wakeful://tasks/{task}"]) as subscription:
        await client.call_tool("pause_background_task", {"task_id": task})
        async for event in subscription:
            seen.append(event.uri)
            if len(set(seen)) == 2:
                break
    await client.call_tool("resume_background_task", {"task_id": task})
    return sorted(set(seen))


async def main() -> None:
    mode, task, transport, target, *rest = sys.argv[1:]
    if transport == "stdio":
        server = StdioServerParameters(command=target, args=rest, env=dict(os.environ))
    elif token := os.environ.get("TOKEN"):
        server = streamable_http_client(target, http_client=httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}))
    else:
        server = target
    async with Client(server, mode=mode, read_timeout_seconds=20) as client:
        report = {"version": client.protocol_version, "server": client.server_info.model_dump(exclude_none=True)}
        report["capabilities"] = sorted(client.server_capabilities.model_dump(exclude_none=True))
        report["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        report["sum"] = (await client.call_tool("calculate", {"expression": "6 * 7"})).content[0].text
        report["resources"] = [str(resource.uri) for resource in (await client.list_resources()).resources]
        report["templates"] = [template.uri_template for template in (await client.list_resource_templates()).resource_templates]
        report["tasks"] = json.loads((await client.read_resource("wakeful://tasks")).contents[0].text)
        report["prompts"] = [prompt.name for prompt in (await client.list_prompts()).prompts]
        prompt = await client.get_prompt("explain_task", {"task": task})
        report["prompt"] = [message.content.type for message in prompt.messages]
        [session] = [uri for uri in report["resources"] if uri.startswith("wakeful://sessions/")]
        report["transcript"] = (await client.read_resource(session)).contents[0].text
        report["events"] = json.loads((await client.read_resource("wakeful://events?limit=2&type=chat")).contents[0].text)
        digest = await client.get_prompt("digest", {"type": "chat"})
        report["digest"] = [message.content.type for message in digest.messages]
        named = PromptReference(type="ref/prompt", name="explain_task")
        report["completed"] = (await client.complete(named, {"name": "task", "value": task[:6]})).completion.values
        try:
            await client.read_resource("wakeful://nowhere")
        except MCPError as error:
            report["missing"] = error.code
        report["updates"] = await updates(client, mode, task)
    print(json.dumps(report))


asyncio.run(main())
