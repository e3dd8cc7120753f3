"""Lists and calls by the Python SDK: URL, token and mode (``auto`` or ``legacy``) come as arguments."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, token: str, mode: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        tools = (await client.list_tools()).tools
        (content,) = (await client.call_tool("board", {})).content
    print(json.dumps({"tools": [tool.name for tool in tools], "text": getattr(content, "text", None)}))


asyncio.run(main(*sys.argv[1:]))
