// A client of the official SDK for TypeScript: node mcp_client.mjs NODE_MODULES CALLS WORD...
// It lists the tools of the server that the words start, makes the calls of a JSON array, and prints what it saw.
import { pathToFileURL } from "node:url";

const [modules, calls, command, ...args] = process.argv.slice(2);
const sdk = (name) => import(pathToFileURL(`${modules}/@modelcontextprotocol/sdk/dist/esm/client/${name}.js`));
const { Client } = await sdk("index");
const { StdioClientTransport } = await sdk("stdio");
const client = new Client({ name: "test", version: "1" });
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: "ignore" }));
const { tools } = await client.listTools();
const results = [];
for (const call of JSON.parse(calls)) {
  results.push(await client.callTool(call));
}
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), results }));
