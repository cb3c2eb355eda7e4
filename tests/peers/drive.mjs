// Drives an MCP server with an SDK for TypeScript and prints what it saw, as one JSON object.
// drive.mjs MODULES v1|v2 TASK http URL | stdio COMMAND ARGUMENT…
// v1: @modelcontextprotocol/sdk, which speaks the revisions up to 2025-11-25. v2: @modelcontextprotocol/client, which asks.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, sdk, task, transport, target, ...rest] = process.argv.slice(2);
const load = path => import(pathToFileURL(join(modules, '@modelcontextprotocol', path)).href);

const base = sdk === 'v1' ? 'sdk/dist/esm/client' : 'client/dist';
const [{ Client, ...main }, { StdioClientTransport }] = await Promise.all([load(`${base}/index.${sdk === 'v1' ? 'js' : 'mjs'}`), load(`${base}/stdio.${sdk === 'v1' ? 'js' : 'mjs'}`)]);
const { StreamableHTTPClientTransport } = sdk === 'v1' ? await load(`${base}/streamableHttp.js`) : main;

const client = new Client({ name: `drive-${sdk}`, version: '1' }, sdk === 'v1' ? {} : { versionNegotiation: { mode: 'auto' } });
const headers = process.env.TOKEN ? { Authorization: `Bearer ${process.env.TOKEN}` } : {};
const wire = transport === 'http'
    ? new StreamableHTTPClientTransport(new URL(target), { requestInit: { headers } })
    : new StdioClientTransport({ command: target, args: rest, env: process.env, stderr: 'inherit' });
await client.connect(wire);

const text = result => result.contents?.[0]?.text ?? result.content?.[0]?.text;
const report = { server: client.getServerVersion(), capabilities: Object.keys(client.getServerCapabilities()).sort() };
report.version = sdk === 'v1' ? wire.protocolVersion ?? 'legacy' : client.getNegotiatedProtocolVersion?.();
report.tools = (await client.listTools()).tools.map(tool => tool.name);
report.sum = text(await client.callTool({ name: 'calculate', arguments: { expression: '6 * 7' } }));
report.resources = (await client.listResources()).resources.map(resource => resource.uri);
report.templates = (await client.listResourceTemplates()).resourceTemplates.map(template => template.uriTemplate);
report.tasks = JSON.parse(text(await client.readResource({ uri: 'wakeful://tasks' })));
report.prompts = (await client.listPrompts()).prompts.map(prompt => prompt.name);
report.prompt = (await client.getPrompt({ name: 'explain_task', arguments: { task } })).messages.map(message => message.content.type);
report.completed = (await client.complete({ ref: { type: 'ref/prompt', name: 'explain_task' }, argument: { name: 'task', value: task.slice(0, 6) } })).completion.values;
try {
    await client.readResource({ uri: 'wakeful://nowhere' });
} catch (error) {
    report.missing = error.code;
}
if (sdk === 'v1') {
    const { ResourceUpdatedNotificationSchema } = await load('sdk/dist/esm/types.js');
    const wanted = new Set(['wakeful://tasks', `wakeful://tasks/${task}`]);
    const seen = new Set();
    const all = new Promise(resolve => client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
        seen.add(params.uri);
        if (seen.size === wanted.size) resolve();
    }));
    for (const uri of wanted) await client.subscribeResource({ uri });
    await client.callTool({ name: 'pause_background_task', arguments: { task_id: task } });
    await all;
    await client.callTool({ name: 'resume_background_task', arguments: { task_id: task } });
    report.updates = [...seen].sort();
}
await client.close();
console.log(JSON.stringify(report));
process.exit(0);
