// The original's two functions, and what is passed to them.
"use strict";

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const path = require("node:path");
const process = require("node:process");
const { test } = require("node:test");
const { inspect } = require("node:util");
const vm = require("node:vm");
const { Worker } = require("node:worker_threads");

const { AccessDenied, GrantError, StateError, ThreadBudgets, UsageError, decide, enforce, loadGrant, ...others } =
  require("..");
const { USER, makeRoot, write } = require("./support/roots");

const BRIEF = { actions: ["read"], args: { n: { type: "integer" } } };

/** Return the rows of the table of docs/migrate.md that compares calls. */
function recordedCalls() {
  const text = fs.readFileSync(path.join(__dirname, "../../docs/migrate.md"), "utf8");
  const [, section] = /## The same call([\s\S]*?)\n## /.exec(text);
  const rows = section.split("\n").filter((line) => line.startsWith("| `["));
  return rows.map((line) => {
    const [scope, action, args, , here] = line.split("|").slice(1).map((cell) => cell.trim().replace(/^`|`$/g, ""));
    return { fsScope: JSON.parse(scope), action, args: JSON.parse(args), here };
  });
}

test("each recorded call of the original is answered as the page for its users says", async () => {
  const rows = recordedCalls();
  assert.ok(rows.length > 20);
  const before = process.cwd();
  for (const { fsScope, action, args, here } of rows) {
    const root = makeRoot({ files: { ...BRIEF, fsScope } }, { "docs/x": "" });
    fs.symlinkSync("/etc", path.join(root, "docs/link"));
    process.chdir(root);
    const grant = await loadGrant("files");
    const ask = () => enforce(grant, action, args);
    if (here === "allowed") assert.equal(ask(), true, JSON.stringify(args));
    else assert.throws(ask, { name: "AccessDenied", message: here }, JSON.stringify(args));
  }
  process.chdir(before);
});

test("the original's three sentences are the messages of errors, with the rest in the decision", async () => {
  const grant = await loadGrant("g", { root: makeRoot({ g: { tool: "sentences", rate: { perMinute: 1 }, fsScope: ["docs"] } }) });
  assert.throws(() => enforce(grant, "write"), (error) => {
    assert.ok(error instanceof AccessDenied && error instanceof Error);
    assert.equal(error.message, "action not allowed");
    assert.equal(error.decision.message, "action not allowed: `write`");
    assert.match(error.hint, /allowed actions: read; an operator allows the action with `cortex-policy set g --allow write`/);
    assert.equal(error.exitCode, 10);
    return true;
  });
  assert.throws(() => enforce(grant, "read", { path: "/etc" }), { message: "path not within fsScope" });
  enforce(grant, "read");
  assert.throws(() => enforce(grant, "read"), { message: "rate limit exceeded", reason: "rate_limited" });
});

test("a denial is an error for whoever catches, prints, sends or forgets it", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  const denied = caught(() => enforce(grant, "write"));
  assert.equal(denied.stack, "AccessDenied: action not allowed");
  assert.equal(String(denied), denied.stack);
  assert.equal(Object.prototype.toString.call(denied), "[object Error]");
  assert.match(inspect(denied), /^\[AccessDenied: action not allowed\] \{/);
  assert.ok(denied instanceof others.CortexPolicyError && Object.getPrototypeOf(AccessDenied) === others.CortexPolicyError);
  const [error] = await once(new Worker(startingDenial("throw denied"), { eval: true }), "error");
  assert.ok(error instanceof Error && error.message === "action not allowed" && error.decision.reason === "action_not_allowed");
  const { stderr, status } = spawnSync(process.execPath, ["-e", startingDenial("Promise.reject(denied)")], { encoding: "utf8" });
  assert.match(stderr, /\[AccessDenied: action not allowed\] \{\n {2}reason: 'action_not_allowed'/);
  assert.equal(status, 1);
});

test("a denial is an error where the prototypes of errors are frozen", () => {
  const code = startingDenial("process.exitCode = denied.message === 'action not allowed' ? denied.exitCode : 1");
  assert.equal(spawnSync(process.execPath, ["--frozen-intrinsics", "-e", code]).status, 10);
});

/** Return code that makes a denial, and does something with it. */
function startingDenial(what) {
  return `const { AccessDenied, Decision } = require(${JSON.stringify(path.join(__dirname, ".."))});
    const denied = new AccessDenied(new Decision("action_not_allowed"));
    ${what};`;
}

function caught(call) {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

test("a decision says what is left of the budget, and a peek counts nothing", async () => {
  const grant = await loadGrant("g", { root: makeRoot({ g: { rate: { perMinute: 3 } } }) });
  const budgets = new ThreadBudgets();
  assert.equal(decide(grant, "read", {}, { budgets, peek: true }).budget.used, 0);
  assert.deepEqual(decide(grant, "read", {}, { budgets, cost: 2 }).budget,
    { limit: 3, used: 2, remaining: 1, retryAfterSeconds: 0, consumed: 2 });
  const denied = decide(grant, "read", {}, { budgets, cost: 2 });
  assert.equal(denied.allowed, false);
  assert.equal(denied.retryable, true);
  assert.ok(denied.budget.retryAfterSeconds > 59 && denied.budget.retryAfterSeconds <= 60.001);
  assert.equal(decide(grant, "read", {}, { budgets, cost: 4 }).budget.retryAfterSeconds, null);
  assert.equal(JSON.parse(JSON.stringify(denied)).message, denied.message);
});

test("a decision cannot be changed into an allowed one", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  const denied = decide(grant, "write");
  assert.throws(() => { denied.allowed = true; }, TypeError);
  assert.throws(() => { grant.actions.push("write"); }, TypeError);
  assert.throws(() => { grant.perMinute = 1e9; }, TypeError);
});

test("what is no grant of this package is none", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  const document = { ...JSON.parse(JSON.stringify(grant)), origin: { rules: {}, settings: {}, stopWatch: {} }, identities: {} };
  const made = new others.Grant({ ...document, args: new Map() });
  for (const other of [{ ...grant }, null, undefined, "g", {}, Object.create(grant), new Proxy(grant, {}), made]) {
    assert.throws(() => enforce(other, "read"), GrantError);
    assert.throws(() => enforce(other, "read", {}, { peek: true }), GrantError);
  }
});

test("what is no call is an error, which denies", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  const own = { toString: () => "read" };
  for (const action of [undefined, null, 7, own, ["read"], new String("read")]) {
    assert.throws(() => enforce(grant, action), UsageError);
  }
  for (const args of ["x", 7, [], () => 0, Symbol("x"), new Date(), new (class Own {})()]) {
    assert.throws(() => enforce(grant, "read", args), UsageError);
  }
  for (const peek of ["false", 0, 1, null, {}]) assert.throws(() => enforce(grant, "read", {}, { peek }), UsageError);
  for (const cost of [0, -1, 1.5, NaN, Infinity, "1", 2 ** 53, null]) {
    assert.throws(() => enforce(grant, "read", {}, { cost }), UsageError);
  }
});

test("a member that no rule sees is an error: not enumerable, of an array or of a map", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  class Empty extends Map { *[Symbol.iterator]() {} }
  class Other extends Array { *[Symbol.iterator]() { yield "/x"; } }
  const hidden = [
    Object.defineProperty({}, "path", { value: "/x" }), Object.assign(["a"], { path: "/x" }),
    Object.assign([], { toJSON: () => "/x" }), Object.assign(new Map(), { path: "/x" }), new Empty([["path", "/x"]]),
    Object.create({ __proto__: null, path: "/x" }), Object.create(Object.create(null, { path: { value: "/x" } })), Other.of("a"),
    Object.assign(new Map([["path", "/x"]]), { *[Symbol.iterator]() {} }), Object.assign(["a"], { *[Symbol.iterator]() { yield "/x"; } }),
  ];
  for (const value of hidden) {
    assert.throws(() => enforce(grant, "read", value), UsageError);
    assert.throws(() => enforce(grant, "read", { x: [value] }), UsageError);
  }
  assert.equal(enforce(grant, "read", new Map([["x", [[], {}, new Map(), Object.create(null)]]])), true);
  for (const value of ["[{}]", "({ x: [1, { y: 2 }] })"]) assert.equal(enforce(grant, "read", { x: vm.runInNewContext(value) }), true);
});

test("an argument is read once, so that a getter cannot show two values", async () => {
  const grant = await loadGrant("g", { root: makeRoot({ g: { fsScope: ["docs"] } }, { "docs/x": "" }) });
  let reads = 0;
  const args = { get path() { return (reads += 1) === 1 ? `${grant.root}/docs/x` : "/etc/passwd"; } };
  assert.equal(enforce(grant, "read", args), true);
  assert.equal(reads, 1);
  const proxied = new Proxy({ path: "/etc/passwd" }, { get: (target, name) => target[name] });
  assert.throws(() => enforce(grant, "read", proxied), AccessDenied);
  const list = new Proxy(["docs"], { get: (target, name) => (name === "length" ? 1 : "/etc/passwd") });
  assert.throws(() => enforce(grant, "read", { paths: list }), AccessDenied);
});

test("names of prototypes are plain names", async () => {
  const fine = JSON.parse('{"__proto__": {"path": "/etc/passwd"}, "constructor": 1, "toString": 2}');
  const grant = await loadGrant("g", { root: makeRoot({ g: { fsScope: ["docs"] } }) });
  assert.throws(() => enforce(grant, "read", fine), { message: "path not within fsScope" });
  const declared = '{"tool": "g", "actions": ["read"], "rate": {"perMinute": 9}, "args": {"__proto__": {"type": "integer"}}}';
  const strict = await loadGrant("g", { root: makeRoot({ g: declared }) });
  assert.throws(() => enforce(strict, "read", JSON.parse('{"__proto__": "x"}')), { message: "argument not allowed" });
  assert.equal(enforce(strict, "read", { constructor: "x" }), true);
  Object.prototype.path = "/etc/passwd"; // a program reads it from each object, though no rule sees it
  try {
    assert.throws(() => enforce(grant, "read", {}), UsageError);
    assert.throws(() => enforce(grant, "read", new Map([["x", [{}]]])), UsageError);
    assert.equal(enforce(grant, "read", Object.create(null)), true);
    assert.equal(enforce(grant, "read", new Map()), true);
  } finally {
    delete Object.prototype.path;
  }
});

test("a polluted prototype sets no option", async () => {
  const grant = await loadGrant("g", { root: makeRoot({ g: { tool: "polluted", rate: { perMinute: 1 } } }) });
  enforce(grant, "read");
  Object.prototype.peek = true;
  Object.prototype.budgets = new ThreadBudgets();
  try {
    assert.throws(() => enforce(grant, "read"), { message: "rate limit exceeded" });
    assert.throws(() => enforce(grant, "read", undefined, {}), { message: "rate limit exceeded" });
  } finally {
    delete Object.prototype.peek;
    delete Object.prototype.budgets;
  }
});

test("options of a class are an error, for their members may not be their own", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  class Dear { get cost() { return 1e6; } }
  for (const options of [new Dear(), Object.create({ cost: 1e6 }), Object.create({ __proto__: null, cost: 1e6 }), null, 7, "peek"]) {
    assert.throws(() => enforce(grant, "read", {}, options), UsageError);
    assert.throws(() => new ThreadBudgets(options), UsageError);
    await assert.rejects(loadGrant("g", options), UsageError);
  }
});

test("inputs that are huge, deep or circular end in an error or an answer", async () => {
  const grant = await loadGrant("g", { root: makeRoot({ g: { fsScope: ["docs"] } }) });
  const circle = {};
  circle.inner = circle;
  assert.throws(() => enforce(grant, "read", circle), UsageError);
  assert.throws(() => enforce(grant, "read", { x: new Array(2 ** 21) }), UsageError);
  assert.throws(() => enforce(grant, "read", { x: { length: 2 ** 53 }, path: "x".repeat(1e6) }), AccessDenied);
  assert.throws(() => enforce(grant, "x".repeat(1e6)), (error) => error.decision.message.length < 4200);
  const long = `${"n".repeat(300_000)}Path`; // each text had a copy of the name
  assert.equal(decide(grant, "read", { [long]: Array(20_000).fill(`${grant.root}/docs/x`) }, { peek: true }).paths[0].argument.length, 400);
  const sparse = [];
  sparse.length = 2;
  assert.throws(() => enforce(grant, "read", { path: sparse }), CortexError);
});

function CortexError(error) {
  return error instanceof others.CortexPolicyError;
}

test("settings that this process cannot keep deny every call", async () => {
  const config = path.join(USER, "config.toml");
  for (const line of ['[audit]\nfile = "/tmp/audit.jsonl"\n', '[budgets]\nurl = "redis://127.0.0.1"\nname = "n"\nkey_file = "/k"\n']) {
    write(config, line);
    const grant = await loadGrant("g", { root: makeRoot() });
    assert.throws(() => enforce(grant, "read"), StateError);
  }
  write(config, '[audit]\nfile = "/tmp/audit.jsonl"\non_error = "ignore"\n');
  assert.equal(enforce(await loadGrant("g", { root: makeRoot() }), "read"), true);
  fs.rmSync(config);
});

test("sensitive data is decided as the settings say", async () => {
  const sensitive = { g: { dataClass: "sensitive" } };
  assert.deepEqual(decide(await loadGrant("g", { root: makeRoot(sensitive) }), "read").obligations, ["human_approval"]);
  for (const [value, obligations] of [["ask", ["human_approval"]], ["deny", []]]) {
    const root = makeRoot(sensitive, { ".cortex/policy/config.toml": `sensitive = "${value}"\n` });
    const decision = decide(await loadGrant("g", { root }), "read");
    assert.equal(decision.reason, "approval_required");
    assert.deepEqual(decision.obligations, obligations);
  }
});

test("budgets that answer later are awaited, and never believed before", async () => {
  const grant = await loadGrant("g", { root: makeRoot() });
  const budget = { limit: 1000, used: 1, remaining: 999, retryAfterSeconds: 0, consumed: 1 };
  const later = { take: async () => budget, peek: async () => budget };
  assert.equal(await others.enforceAsync(grant, "read", {}, { budgets: later }), true);
  assert.throws(() => enforce(grant, "read", {}, { budgets: later }), AccessDenied);
  await assert.rejects(others.enforceAsync(grant, "write", {}, { budgets: later }), AccessDenied);
  const idle = { take: () => ({ ...budget, consumed: 0 }), peek: () => ({ ...budget, consumed: 0 }) };
  assert.throws(() => enforce(grant, "read", {}, { budgets: idle }), StateError);
  assert.equal(enforce(grant, "read", {}, { budgets: idle, peek: true }), true);
  const broken = { take: async () => { throw new StateError("gone"); } };
  await assert.rejects(others.enforceAsync(grant, "read", {}, { budgets: broken }), StateError);
});
