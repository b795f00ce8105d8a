// Budgets on a Redis server, shared with the Python program. Skipped where no server is installed.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { after, before, test } = require("node:test");

const { RedisBudgets, StateError, UsageError, decideAsync, enforce, enforceAsync, loadGrant } = require("..");
const { SCRIPT } = require("../src/shared-script");
const { RedisClient } = require("../../examples/javascript/redis-client.cjs");
const { PROGRAM, makeRoot } = require("./support/roots");

const SECRET = "a secret that all hosts of the test share";
const DIRECTORY = fs.mkdtempSync(path.join(os.tmpdir(), "js-redis-"));
const SOCKET = path.join(DIRECTORY, "s");
const skip = spawnSync("redis-server", ["--version"]).status !== 0 && "redis-server is not installed";
let server;
let client;

before(async () => {
  if (skip) return;
  const words = ["--port", "0", "--unixsocket", SOCKET, "--dir", DIRECTORY, "--save", ""];
  server = spawn("redis-server", words, { stdio: "ignore" });
  while (client === undefined) client = await connectOrWait();
  await client.command(["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
});

/** Return a client, undefined if the server does not listen yet. */
async function connectOrWait() {
  const found = new RedisClient({ path: SOCKET });
  try {
    await found.command(["PING"]);
    return found;
  } catch {
    found.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return undefined;
  }
}

after(() => {
  client?.close();
  server?.kill("SIGKILL");
  fs.rmSync(DIRECTORY, { recursive: true, force: true });
});

function budgetsOf(name, others = {}) {
  return new RedisBudgets((words) => client.command(words), name, SECRET, { timeoutMs: 5000, ...others });
}

/** Open the budgets of a name, which a server that has just started denies for a minute. */
async function open(name) {
  const budgets = budgetsOf(name);
  const closed = await budgets.take("t", "a", 10);
  assert.equal(closed.closed, true);
  assert.equal(closed.closedBecause, "the server has started less than a minute ago");
  const lines = `
from cortex_policy.state.shared_budgets.redis_budgets import RedisBudgets
budgets = RedisBudgets("unix://${SOCKET}", "${name}", b"${SECRET}", timeout_ms=5000)
budgets.reset("t", "a"), budgets.reset("g", "read")
print([budgets.take("t", "a", 10).used for _ in range(3)])
`;
  assert.equal(execFileSync(path.join(path.dirname(PROGRAM), "python"), ["-c", lines], { encoding: "utf8" }).trim(), "[1, 2, 3]");
  return budgets;
}

const needsBoth = { skip: skip || (!fs.existsSync(PROGRAM) && `${PROGRAM} is not installed`) };

test("hits are counted together with those of the Python program, and never more than the limit", needsBoth, async () => {
  const budgets = await open("both");
  const { used, remaining, consumed } = await budgets.take("t", "a", 10);
  assert.deepEqual([used, remaining, consumed], [4, 6, 1]);
  assert.equal((await budgets.peek("t", "a", 10)).used, 4);
  const others = budgetsOf("both");
  const taken = await Promise.all(Array.from({ length: 40 }, (_, at) => (at % 2 ? budgets : others).take("t", "a", 10)));
  assert.equal(taken.reduce((sum, budget) => sum + budget.consumed, 0), 6);
  const denied = await budgets.take("t", "a", 10);
  assert.equal(denied.consumed, 0);
  assert.ok(denied.retryAfterSeconds > 50 && denied.retryAfterSeconds <= 60);
  assert.equal((await budgets.take("t", "a", 10, 11)).retryAfterSeconds, null);
});

test("a grant is enforced by shared budgets, and only by awaiting them", needsBoth, async () => {
  const budgets = await open("grants");
  const grant = await loadGrant("g", { root: makeRoot({ g: { rate: { perMinute: 2 } } }) });
  assert.equal(await enforceAsync(grant, "read", {}, { budgets }), true);
  assert.equal((await decideAsync(grant, "read", {}, { budgets })).budget.used, 2);
  await assert.rejects(enforceAsync(grant, "read", {}, { budgets }), { message: "rate limit exceeded" });
  await assert.rejects(enforceAsync(grant, "write", {}, { budgets }), { message: "action not allowed" });
  assert.throws(() => enforce(grant, "read", {}, { budgets }), { message: "rate limit exceeded" });
});

test("a server that may evict budgets denies", { skip }, async () => {
  await client.command(["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
  const budgets = budgetsOf("eviction");
  const closed = await budgets.take("t", "a", 10).catch((error) => error);
  assert.ok(closed instanceof StateError || closed.closed);
  await client.command(["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
});

test("an answer that is late, wrong or missing denies, and the server is not asked for a while", async () => {
  const answers = ["OK", "1 1 0 5 5", "2 1 0 5 5 -", "0 1 999999999999 5 5 -", "1 1 0 5 5 s", "0 1 0 5 5 -", "0 1 0 5 5 s", "policy volatile-lru", "", 7, null];
  for (const answer of answers) {
    const budgets = new RedisBudgets(async () => answer, "n", SECRET);
    await assert.rejects(budgets.take("t", "a", 10), StateError, String(answer));
    if (answer !== "0 1 0 5 5 -") await assert.rejects(new RedisBudgets(async () => answer, "n", SECRET).peek("t", "a", 10), StateError, String(answer));
  }
  const silent = new RedisBudgets(() => new Promise(() => {}), "n", SECRET, { timeoutMs: 20 });
  await assert.rejects(silent.take("t", "a", 10), /no answer in 20 ms/);
  await assert.rejects(silent.take("t", "a", 10), /did not answer just before/);
  const broken = new RedisBudgets(async () => { throw new Error("OOM"); }, "n", SECRET);
  await assert.rejects(broken.take("t", "a", 10), /OOM/);
});

test("a secret that could be guessed, or that is not the one in its file, is refused", () => {
  for (const secret of [`${SECRET}\n`, `${SECRET}\r\n`, `${SECRET}\ufffd`]) assert.throws(() => new RedisBudgets(async () => "", "n", secret), StateError);
  assert.throws(() => new RedisBudgets(async () => "", "n", "short"), StateError);
  assert.throws(() => new RedisBudgets("redis://127.0.0.1", "n", SECRET), UsageError);
});

test("no command gets the answer to another one, also after a connection was cut", async () => {
  let connections = 0;
  const slow = net.createServer((socket) => {
    connections += 1;
    if (connections === 1) socket.once("data", () => socket.resetAndDestroy());
    else socket.on("data", (data) => setTimeout(() => socket.write(`+${String(data).split("\r\n")[2]}\r\n`), 20)).on("error", () => {});
  });
  await new Promise((resolve) => slow.listen(0, "127.0.0.1", resolve));
  const own = new RedisClient({ host: "127.0.0.1", port: slow.address().port });
  const first = own.command(["LOST"]).catch(() => own.command(["A"])); // asked before the first connection is known to be closed
  await new Promise((resolve) => setTimeout(resolve, 10));
  const answers = await Promise.allSettled([first, own.command(["B"])]);
  for (const [at, word] of ["A", "B"].entries()) assert.ok(answers[at].status === "rejected" || answers[at].value === word, JSON.stringify(answers));
  assert.equal(await own.command(["C"]), "C");
  own.close();
  slow.close();
});

test("the script is that of the Python program", () => {
  const source = fs.readFileSync(path.join(__dirname, "../../cortex_policy/state/shared_budgets/lua_scripts.py"), "utf8");
  const [, script] = /\nSCRIPT = b"""([\s\S]*?)"""/.exec(source);
  assert.equal(SCRIPT, script.replaceAll("\\\\", "\\"));
});
