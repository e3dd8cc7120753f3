// Lists and calls by the second TypeScript SDK: URL and token come as arguments, and the era if it is given.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const client = new Client({ name: "sdk-2", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const { tools } = await client.listTools();
const { content } = await client.callTool({ name: "board", arguments: {} });
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), text: content[0].text }));
await client.close();
