"""A small coordinator, written from the contract alone: records by POST, one or an array, each stored once by its id.

Writes `port N` to standard output, then serves. Stored records go to the file that the first argument names, a line each,
flushed before they are answered. `POST /control` changes how it behaves: {"mode": "ok"|"hang"|"reset"|<status>}.
"""

import asyncio
import json
import sys

from aiohttp import web

KEY = "Bearer coordinator-key-1234"
ACTIONS = {
    "interaction_start": "request_data",
    "interaction_progress": "progress_data",
    "interaction_complete": "result_data",
    "interaction_error": "error_data",
}

store = open(sys.argv[1], "a+", encoding="utf-8")
store.seek(0)
known = {json.loads(line)["record_id"] for line in store}
state = {"mode": "ok", "requests": 0, "largest": 0, "gzipped": 0}


def problem(record):
    if record.get("action") not in ACTIONS:
        return "`action` is unknown"
    if not isinstance(record.get(ACTIONS[record["action"]]), dict):
        return "the payload is missing"
    if not isinstance(record.get("timestamp"), float):
        return "`timestamp` is no number"
    parts = record.get("interaction_id", "").split("_")
    if len(parts) != 3 or parts[0] != "int" or not parts[1].isdigit() or len(parts[2]) != 8:
        return "`interaction_id` is not of the form int_SECONDS_8HEX"
    return None


async def misbehave(request):
    mode = state["mode"]
    if mode == "hang":
        await asyncio.sleep(3600)
    if mode == "reset":
        request.transport.abort()
        raise web.HTTPInternalServerError()
    if isinstance(mode, int):
        headers = {"Retry-After": "1"} if mode in (429, 503) else {}
        return web.json_response({"error": "as told"}, status=mode, headers=headers)
    if request.headers.get("Authorization") != KEY:
        return web.json_response({"error": "no such key"}, status=401)
    return None


async def interactions(request):
    state["requests"] += 1
    answer = await misbehave(request)
    if answer is not None:
        return answer
    state["gzipped"] += request.headers.get("Content-Encoding") == "gzip"
    body = await request.json()
    records = body if isinstance(body, list) else [body]
    state["largest"] = max(state["largest"], len(records))
    for record in records:
        wrong = problem(record)
        if wrong:
            return web.json_response({"error": wrong}, status=422)
    for record in records:
        if record["record_id"] not in known:
            known.add(record["record_id"])
            store.write(json.dumps(record) + "\n")
    store.flush()
    return web.json_response({"status": "accepted"})


async def look(request):
    answer = await misbehave(request)
    return answer if answer is not None else web.json_response({"status": "healthy"})


async def control(request):
    state.update(await request.json())
    return web.json_response(state)


async def main():
    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/api/v2/interactions", interactions)
    app.router.add_get("/api/v2/health", look)
    app.router.add_post("/api/v2/validate", look)
    app.router.add_post("/control", control)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    await site.start()
    print(f"port {site._server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
