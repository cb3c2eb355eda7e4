//! Many MCP servers, their life cycle and their tools; and our own tools as a server.
