"""A misbehaving MCP server, and a good one to compare. Only the standard library.

    python3 tests/peers/misbehaving stdio MODE    speaks over standard input and output, badly in one way
    python3 tests/peers/misbehaving web           listens on 127.0.0.1, prints its port, and is bad in one way at each path
    python3 tests/peers/misbehaving modes         prints all modes as JSON: {"stdio": [...], "web": [...]}
"""
import sys

sys.dont_write_bytecode = True


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "stdio" and len(sys.argv) > 2:
        import stdio

        stdio.run(sys.argv[2])
    elif what == "web":
        import web

        web.run()
    elif what == "modes":
        import json

        # In this order: a server over stdio alone is none behind HTTP.
        import web
        import stdio

        print(json.dumps({"stdio": sorted(stdio.MODES), "web": sorted(web.MODES)}))
    else:
        sys.exit(__doc__)


main()
