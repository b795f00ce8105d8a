// What policy.wasm costs: its size, to build it, and decisions a second under Node and from Python.
//
//     (cd wasm && npm ci) && node bench/wasm.mjs

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Policy } from "../wasm/policy.mjs";

const wasm = new URL("../wasm/", import.meta.url);
const SECONDS = 1;
const CASES = {
  "action alone": [{ rate: { perMinute: 60 } }, {}],
  "two arguments, one with a pattern": [
    { rate: { perMinute: 60 }, args: { rev: { type: "string", pattern: "^[a-z0-9./-]+$" }, depth: { type: "integer", maximum: 9 } } },
    { args: { rev: "feature/one", depth: 3 } },
  ],
  "a path in a scope": [
    { rate: { perMinute: 60 }, fsScope: ["docs", "src"] },
    { args: { path: "docs/x" }, paths: [{ argument: "path", given: "docs/x", normalized: "docs/x", resolved_inside: "docs/x" }] },
  ],
  "100,000 a minute": [{ rate: { perMinute: 100_000 } }, {}],
};

const bytes = readFileSync(new URL("policy.wasm", wasm));
console.log(`size                 ${bytes.length.toLocaleString("en-US")} bytes, ${gzipSync(bytes).length.toLocaleString("en-US")} compressed by gzip`);
if (existsSync(new URL("node_modules", wasm))) {
  const start = performance.now();
  execFileSync("node", ["build.mjs", "--check"], { cwd: wasm });
  console.log(`build                ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
const begin = performance.now();
const module = new WebAssembly.Module(bytes);
new Policy(module);
console.log(`compile, instantiate ${(performance.now() - begin).toFixed(1)} ms`);

for (const [name, [members, request]] of Object.entries(CASES)) {
  const policy = new Policy(module, { ringBytes: 1 << 23 });
  policy.load("git", new TextEncoder().encode(JSON.stringify({ tool: "git", actions: ["tree"], ...members })));
  const text = JSON.stringify({ action: "tree", ...request });
  const end = performance.now() + 1000 * SECONDS;
  let calls = 0;
  for (; performance.now() < end; calls += 1) policy.decide("git", text);
  console.log(`${name.padEnd(34)} ${Math.round(calls / SECONDS).toLocaleString("en-US")} decisions a second`);
}

const python = new URL("../.venv/bin/python", import.meta.url);
if (existsSync(python)) {
  const program = `
import time
from tests.support.wasm_policy import MODULE, WasmPolicy
policy = WasmPolicy(MODULE.read_bytes())
handle = policy.load("git", b'{"tool": "git", "actions": ["tree"], "rate": {"perMinute": 60}}')
calls, end = 0, time.monotonic() + ${SECONDS}
while time.monotonic() < end:
    policy.decide(handle, '{"action": "tree"}', time.monotonic_ns())
    calls += 1
print(f"{round(calls / ${SECONDS}):,}")
`;
  const answer = execFileSync(python.pathname, ["-c", program], { cwd: new URL("..", import.meta.url) }).toString().trim();
  console.log(`${"action alone, from Python".padEnd(34)} ${answer} decisions a second`);
}
