"""A server made with FastMCP: tools with plain and structured results and with progress, a resource, a template, a prompt.

Usage: fast.py          over standard input and output
       fast.py PORT     over streamable HTTP on 127.0.0.1, at /mcp
"""
import sys

from fastmcp import Context, FastMCP

server = FastMCP("fast", instructions="For tests.")


@server.tool(annotations={"readOnlyHint": True})
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool
async def count(to: int, context: Context) -> str:
    """Counts and tells its progress."""
    for step in range(1, to + 1):
        await context.report_progress(step, to, f"step {step}")
    return f"counted to {to}"


@server.tool
def fail(reason: str) -> str:
    """Fails for the given reason."""
    raise ValueError(reason)


@server.resource("fast://greeting")
def greeting() -> str:
    """A greeting."""
    return "hello"


@server.resource("fast://square/{n}")
def square(n: int) -> str:
    """The square of a number."""
    return str(n * n)


@server.prompt
def review(subject: str) -> str:
    """Asks for a review."""
    return f"Please review {subject}."


if len(sys.argv) > 1:
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
else:
    server.run(show_banner=False)
