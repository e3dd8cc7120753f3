// Lists and calls by the first TypeScript SDK: URL and token come as arguments.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const client = new Client({ name: "sdk-1", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const { tools } = await client.listTools();
const { content } = await client.callTool({ name: "board", arguments: {} });
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), text: content[0].text }));
await client.close();
