// The programs of examples/javascript, as they are.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const process = require("node:process");
const { after, before, test } = require("node:test");
const { pathToFileURL } = require("node:url");

const { PROGRAM, SCRATCH, makeRoot } = require("./support/roots");

const TOP = path.join(__dirname, "../..");
const SOURCES = path.join(TOP, "examples/javascript");
const COMPILER = path.join(TOP, ".venv/types/node_modules/.bin/tsc");
const FIRST_NODE = 23; // that reads TypeScript
const isReader = Number(process.versions.node.split(".")[0]) >= FIRST_NODE;
const needsTypes = { skip: !isReader && !fs.existsSync(COMPILER) && `neither Node ${FIRST_NODE} nor a compiler is installed` };
const app = path.join(SCRATCH, "app");

before(() => {
  fs.mkdirSync(path.join(app, "node_modules"), { recursive: true });
  fs.symlinkSync(path.join(TOP, "js"), path.join(app, "node_modules/cortex-policy"));
  for (const name of fs.readdirSync(SOURCES)) fs.copyFileSync(path.join(SOURCES, name), path.join(app, name));
  if (isReader || needsTypes.skip) return;
  const words = ["--strict", "--module", "nodenext", "--target", "es2023", "--typeRoots", path.join(TOP, ".venv/types/node_modules/@types")];
  execFileSync(COMPILER, [...words, "--types", "node", ...fs.readdirSync(app).filter((name) => name.endsWith(".ts"))], { cwd: app });
});

/** Return the file of an example: as it is, or as JavaScript. */
function example(name) {
  return path.join(app, isReader ? `${name}.ts` : `${name}.js`);
}

test("the supervisor writes where its grant lets it, and nowhere else", needsTypes, () => {
  const root = makeRoot();
  fs.cpSync(path.join(TOP, "examples/supervisor/.cortex"), path.join(root, ".cortex"), { recursive: true });
  const input = fs.readFileSync(path.join(TOP, "examples/supervisor/requests.jsonl"));
  const { stdout, status } = spawnSync(process.execPath, [example("supervisor"), root], { input, encoding: "utf8" });
  const answers = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(answers.map(({ written }) => written), [true, true, false, false]);
  assert.equal(status, 1);
  for (const { path: name, written, message } of answers) {
    if (written) assert.ok(fs.existsSync(path.join(root, name)));
    else assert.equal(message, "path not within fsScope");
  }
});

test("the gateway hands on what its grant allows, until the budget is used up", needsTypes, async () => {
  const asked = [];
  const upstream = http.createServer((request, response) => {
    asked.push(request.url);
    response.end('{"answer": 42}');
  });
  await new Promise((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const variables = {
    ...process.env, GATEWAY_UPSTREAM: `http://127.0.0.1:${upstream.address().port}`,
    CORTEX_POLICY_ROOT: path.join(TOP, "examples/gateway"),
  };
  const gateway = spawn(process.execPath, [example("gateway"), "0"], { env: variables, stdio: ["ignore", "pipe", "ignore"] });
  after(() => { gateway.kill(); upstream.close(); upstream.closeAllConnections(); });
  const { port } = JSON.parse(String(await new Promise((resolve) => gateway.stdout.once("data", resolve))));
  const ask = (operation, body) => fetch(`http://127.0.0.1:${port}/v1/${operation}`, { method: "POST", body: JSON.stringify(body) });
  const answers = [];
  for (let call = 0; call < 32; call += 1) answers.push(await ask("chat", { model: "small" }));
  assert.deepEqual(answers.map(({ status }) => status), [...Array(30).fill(200), 429, 429]);
  assert.ok(Number(answers[31].headers.get("retry-after")) > 50);
  assert.equal((await ask("train", { model: "small" })).status, 403);
  assert.equal((await ask("embeddings", { model: "huge" })).status, 403);
  assert.equal((await ask("embeddings", [])).status, 400);
  assert.equal(asked.length, 30);
});

test("threads are allowed what the grant says, all together", () => {
  const words = [path.join(app, "threads.mjs"), path.join(TOP, "examples/workers")];
  const { allowed, asked } = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" }));
  assert.deepEqual([asked, allowed], [100, 30]);
});

const needsBoth = { skip: needsTypes.skip || (!fs.existsSync(PROGRAM) && `${PROGRAM} is not installed`) };

test("the plugin of OpenCode denies by throwing", needsBoth, async () => {
  const directory = makeRoot({ opencode: { actions: ["read", "edit", "grep"], fsScope: ["src"] } }, { "src/a.ts": "" });
  const { CortexPolicy } = await import(pathToFileURL(example("opencode-plugin")));
  process.env.CORTEX_POLICY = PROGRAM;
  const { "tool.execute.before": hook } = await CortexPolicy({ directory });
  delete process.env.CORTEX_POLICY;
  await hook({ tool: "read" }, { args: { filePath: "src/a.ts" } });
  await assert.rejects(hook({ tool: "read" }, { args: { filePath: "/etc/passwd" } }), /path not within fsScope/);
  await assert.rejects(hook({ tool: "bash" }, { args: { command: "id" } }), /action not allowed/);
  for (const args of [{ pattern: "secret" }, { pattern: "secret", path: null }, { pattern: "secret", path: undefined }]) {
    await assert.rejects(hook({ tool: "grep" }, { args }), /path not within fsScope/); // it searches the whole directory
  }
  await hook({ tool: "grep" }, { args: { pattern: "word", path: "src" } });
});
