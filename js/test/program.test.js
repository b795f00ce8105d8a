// Calls that the Python program decides, asked as a child process and as a server. Skipped where it is not installed.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const process = require("node:process");
const { after, before, test } = require("node:test");

const { AccessDenied, CheckProcess, CheckServer, GrantError, StateError, UsageError, decide, loadGrant } = require("..");
const { PROGRAM, SCRATCH, makeRoot, write } = require("./support/roots");

const skip = !fs.existsSync(PROGRAM) && `${PROGRAM} is not installed`;
const options = { skip };
let root;
let state;

before(() => {
  state = path.join(SCRATCH, "state");
  root = makeRoot({ g: { fsScope: ["docs"], rate: { perMinute: 5 } }, many: { rate: { perMinute: 1000 } } },
    { "docs/x": "", ".cortex/policy/unused": "" });
  fs.mkdirSync(state, { mode: 0o700 });
  process.env.CORTEX_POLICY_STATE_DIR = state;
});

function startProcess(others = {}) {
  const asker = new CheckProcess({ root, command: PROGRAM, cwd: root, ...others });
  after(() => asker.close());
  return asker;
}

/** Write a program that answers instead of the real one. */
function fakeProgram(name, code) {
  const file = path.join(SCRATCH, name);
  write(file, `#!${process.execPath}\n${code}\n`);
  fs.chmodSync(file, 0o755);
  return startProcess({ command: file, timeoutMs: 2000 });
}

test("a child process decides as this process does, and counts for all processes", options, async () => {
  const asker = startProcess();
  const grant = await loadGrant("g", { root });
  for (const [action, args] of [["read", { path: `${root}/docs/x` }], ["read", { path: "/etc" }], ["write", {}]]) {
    const here = decide(grant, action, args, { peek: true });
    const there = await asker.decide("g", action, args, { peek: true });
    for (const member of ["allowed", "reason", "message", "exitCode", "retryable"]) assert.equal(there[member], here[member]);
  }
  assert.equal(await asker.enforce("g", "read", { path: "docs/x" }, { cost: 2 }), true);
  const other = execFileSync(PROGRAM, ["check", "g", "read", "--root", root, "--json"], { encoding: "utf8" });
  assert.equal(JSON.parse(other).rate.used, 3);
  const decision = await asker.decide("g", "read", {}, { cost: 3 });
  assert.equal(decision.reason, "rate_limited");
  assert.equal(decision.budget.used, 3);
  await assert.rejects(asker.enforce("g", "write"), (error) => error instanceof AccessDenied && error.message === "action not allowed");
});

test("what cannot be decided is the same error as here", options, async () => {
  const asker = startProcess();
  await assert.rejects(asker.decide("nothing", "read"), GrantError);
  await assert.rejects(asker.decide("g", 7), UsageError);
  await assert.rejects(asker.decide("g", "read", { x: NaN }), UsageError);
  await assert.rejects(asker.decide("g", "read", { x: "\ud800" }), UsageError);
  await assert.rejects(asker.decide("g", "read", {}, { cost: 0 }), UsageError);
  await assert.rejects(asker.decide("g", "read", {}, { peek: "false" }), UsageError);
});

test("many calls at once get their own answers", options, async () => {
  const asker = startProcess();
  const actions = Array.from({ length: 300 }, (_, at) => `action${at}`);
  const decisions = await Promise.all(actions.map((action) => asker.decide("many", action)));
  assert.deepEqual(decisions.map(({ detail }) => detail), actions.map((action) => `\`${action}\``));
});

test("values arrive as they are", options, async () => {
  const whole = { enum: ["ü\u{1f600}\n\"\\", 2n ** 70n, 1.5, null, true, [1, { a: [] }], 1e21] };
  const text = JSON.stringify({ tool: "v", actions: ["a"], rate: { perMinute: 99 }, args: { v: "ENUM" } });
  const spelled = `{"enum": ["ü\u{1f600}\\n\\"\\\\", ${2n ** 70n}, 1.5, null, true, [1, {"a": []}], 1e21]}`;
  const own = makeRoot({ v: text.replace('"ENUM"', spelled) });
  const asker = startProcess({ root: own });
  for (const v of whole.enum) assert.equal((await asker.decide("v", "a", { v })).allowed, true, String(v));
  assert.equal((await asker.decide("v", "a", { v: 2n ** 70n + 1n })).allowed, false);
});

test("a program that ends, lies, is late or is missing denies every call that waits, and is started again", async () => {
  const missing = startProcess({ command: "/nowhere/cortex-policy" });
  await assert.rejects(missing.decide("g", "read"), StateError);
  await assert.rejects(startProcess({ env: { A: "a".repeat(1 << 22) } }).decide("g", "read"), StateError); // too large for the system
  const answer = '{"decision": true, "reason": "allowed", "message": "allowed", "id": 2}';
  const liars = {
    "ends": "process.exit(3)",
    "another-id": `process.stdin.once("data", () => console.log('${answer}'))`,
    "no-json": 'process.stdin.once("data", () => console.log("allowed"))',
    "speaks-first": `console.log('${answer}'); process.stdin.resume()`,
    "hangs": "process.stdin.resume()",
    "for-another": `process.stdin.once("data", () => console.log('${answer.replace("}", ', "exit_code": 2}')}'))`,
    "says-yes-to-nothing": `process.stdin.once("data", () => console.log('${answer.replace('"id": 2', '"exit_code": 2')}'))`,
    "contradicts": `process.stdin.once("data", () => console.log('${answer.replace("true", "false").replace("2", "1")}'))`,
    "unknown": `process.stdin.once("data", () => console.log('${answer.replaceAll("allowed", "fine").replace("2", "1")}'))`,
  };
  await Promise.all(Object.entries(liars).map(async ([name, code]) => {
    const asker = fakeProgram(name, code);
    await assert.rejects(asker.decide("g", "read"), StateError, name);
    await assert.rejects(asker.decide("g", "read"), StateError, name);
  }));
});

test("a child decides by the working directory and the variables that this process has now", options, async () => {
  const other = makeRoot({ g: { actions: ["other"] } });
  fs.mkdirSync(path.join(root, "docs/below"));
  const [asker, before] = [startProcess({ cwd: undefined }), process.cwd()];
  process.chdir(path.join(root, "docs"));
  const where = async (given) => (await asker.decide("g", "read", { path: given }, { peek: true })).paths[0].resolved;
  assert.equal(await where("x"), `${root}/docs/x`);
  const last = where("x"); // is on its way
  process.chdir("below");
  assert.equal(await where("x"), `${root}/docs/below/x`);
  assert.equal(await last, `${root}/docs/x`);
  const [free, fixed] = [new CheckProcess({ command: PROGRAM }), startProcess({ root: "..", cwd: ".." })];
  after(() => free.close());
  assert.equal((await fixed.decide("g", "read", { path: "x" }, { peek: true })).paths[0].resolved, `${root}/docs/x`);
  assert.equal((await free.decide("g", "other", {}, { peek: true })).reason, "action_not_allowed");
  process.chdir(before);
  process.env.CORTEX_POLICY_ROOT = other;
  assert.equal((await free.decide("g", "other", {}, { peek: true })).allowed, true);
  delete process.env.CORTEX_POLICY_ROOT;
  fixed.close();
  assert.equal((await fixed.decide("g", "read", { path: "x" }, { peek: true })).paths[0].resolved, `${root}/docs/x`);
});

test("a polluted prototype sets no option and no variable of a child", async () => {
  const asker = fakeProgram("tells", `process.stdin.once("data", (line) => console.log(JSON.stringify({
    decision: false, reason: "stopped", message: "emergency stop: " + process.argv.length + !!process.env.POLLUTED + JSON.parse(line).peek, id: 1,
  })));`);
  const pollution = { root: "/tmp", peek: true, POLLUTED: "1", shell: true, env: { POLLUTED: "1" } };
  Object.assign(Object.prototype, pollution);
  try {
    assert.equal((await asker.decide("g", "read", undefined, { __proto__: Object.prototype })).detail, "7falsefalse");
    assert.equal(new CheckServer("/s", {}) instanceof CheckServer, true);
  } finally {
    for (const name of Object.keys(pollution)) delete Object.prototype[name];
  }
});

test("a server decides over its socket", options, async () => {
  const socket = path.join(SCRATCH, "s.sock");
  const server = spawn(PROGRAM, ["serve", "--root", root, "--socket", socket, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => server.kill());
  await new Promise((resolve) => server.stdout.once("data", resolve));
  const asker = new CheckServer(socket);
  after(() => asker.close());
  const peeked = await asker.decide("many", "read", { path: "docs/x", n: 2n ** 70n }, { peek: true });
  assert.deepEqual([peeked.allowed, peeked.budget.consumed], [true, 0]);
  const before = (await asker.decide("many", "read", {}, { peek: true })).budget.used;
  assert.equal(await asker.enforce("many", "read"), true);
  assert.equal((await asker.decide("many", "read", { x: 1 })).budget.used, before + 2);
  await assert.rejects(asker.enforce("g", "read", { path: "/etc" }), { message: "path not within fsScope" });
  await assert.rejects(asker.decide("nothing", "read"), GrantError);
  await assert.rejects(asker.decide("g", "read", { consume: true }), UsageError);
  await assert.rejects(asker.decide("g", "read", {}, { cost: 2 }), UsageError);
  await assert.rejects(asker.decide("g", "read", {}, { peek: "false" }), UsageError);
  server.kill();
  await new Promise((resolve) => server.once("exit", resolve));
  await assert.rejects(asker.decide("g", "read"), StateError);
});

const ALLOWED = '{"decision": true, "context": {"reason": "allowed", "message": "allowed"}}';

/** Return a server that answers instead of the real one; as that does, it sends back which request it answers. */
function fakeServer(answer) {
  return http.createServer((request, response) => {
    response.setHeader("X-Request-ID", request.headers["x-request-id"]);
    answer(response);
  });
}

test("a socket that another user could have put there is not asked", async () => {
  const outer = path.join(SCRATCH, "outer");
  const socket = path.join(outer, "inner/own/s.sock");
  fs.mkdirSync(path.dirname(socket), { recursive: true });
  const server = fakeServer((response) => response.end(ALLOWED));
  await new Promise((resolve) => server.listen(socket, resolve));
  fs.chmodSync(socket, 0o600);
  fs.symlinkSync(path.dirname(socket), path.join(SCRATCH, "to-own"));
  const [asker, other] = [new CheckServer(socket), new CheckServer(path.join(SCRATCH, "to-own/s.sock"))];
  const bothAllow = async () => assert.deepEqual([(await asker.decide("g", "read")).allowed, (await other.decide("g", "read")).allowed], [true, true]);
  await bothAllow();
  fs.chmodSync(outer, 0o1777);
  await bothAllow();
  for (const [name, mode] of [["outer", 0o777], ["outer", 0o775], ["outer/inner", 0o777], ["outer/inner/own", 0o775]]) {
    fs.chmodSync(path.join(SCRATCH, name), mode);
    await assert.rejects(asker.decide("g", "read"), StateError, name);
    await assert.rejects(other.decide("g", "read"), StateError, name);
    fs.chmodSync(path.join(SCRATCH, name), 0o755);
  }
  await bothAllow();
  if (process.geteuid() === 0) {
    fs.lchownSync(path.join(SCRATCH, "to-own"), 12345, 12345);
    await assert.rejects(other.decide("g", "read"), StateError);
  }
  asker.close();
  other.close();
  server.close();
  const beginning = path.join(SCRATCH, "s".repeat(108 - SCRATCH.length - 1));
  fs.writeFileSync(`${beginning}s`, "", { mode: 0o600 });
  const stranger = fakeServer((response) => response.end(ALLOWED));
  await new Promise((resolve) => stranger.listen(beginning, resolve));
  await assert.rejects(async () => new CheckServer(`${beginning}s`).decide("g", "read"), UsageError);
  stranger.close();
});

test("what is no answer of a server denies", async () => {
  const socket = path.join(SCRATCH, "fake.sock");
  const answers = [[500, '{"decision": true}'], [200, "x"], [200, '{"decision": "true"}'], [200, '{"decision": true}'],
    [200, '{"decision": true, "context": {"reason": "rate_limited", "message": "x"}}'], [200, "null"],
    [200, ALLOWED, { "X-Request-ID": "0" }], [201, ALLOWED], [302, ALLOWED, { Location: "/" }], [200, ALLOWED.slice(0, -1)], [200, `${ALLOWED}${ALLOWED}`],
    [200, ALLOWED, { "Content-Length": ALLOWED.length + 1, Connection: "close" }]];
  let at = 0;
  const server = fakeServer((response) => {
    const [status, text, headers = {}] = answers[at];
    response.writeHead(status, headers).end(text);
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  fs.chmodSync(socket, 0o600);
  const asker = new CheckServer(socket, { timeoutMs: 2000 });
  for (; at < answers.length; at += 1) {
    await assert.rejects(asker.decide("g", "read"), (error) => /Error$/.test(error.name) && error.reason !== "allowed", answers[at][1]);
  }
  fs.chmodSync(socket, 0o666);
  await assert.rejects(asker.decide("g", "read"), StateError);
  fs.chmodSync(socket, 0o600);
  asker.close();
  server.close();
  await assert.rejects(new CheckServer(path.join(SCRATCH, "none.sock")).decide("g", "read"), StateError);
});
