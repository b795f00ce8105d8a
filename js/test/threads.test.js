// Budgets of worker threads: exact, and nobody waits.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");

const { StateError, ThreadBudgets, UsageError, enforce, loadGrant } = require("..");
const { makeRoot } = require("./support/roots");

const PACKAGE = path.join(__dirname, "..");
const [THREADS, CALLS] = [8, 100_000];

/** Run code in a worker that has `budgets` on the same memory; return the worker. */
function startWorker(budgets, code, data = {}) {
  const head = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { ThreadBudgets, decide, enforce, loadGrant } = require(${JSON.stringify(PACKAGE)});
    const budgets = new ThreadBudgets({ memory: workerData.memory });
  `;
  return new Worker(head + code, { eval: true, workerData: { memory: budgets.memory, ...data } });
}

function messageOf(worker) {
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

test("8 threads that make 100,000 calls on a budget of 1,000 are allowed exactly 1,000", async () => {
  const grant = { rate: { perMinute: 1000 } };
  const root = makeRoot({ g: grant });
  const budgets = new ThreadBudgets();
  const code = `
    loadGrant("g", { root: workerData.root }).then((grant) => {
      let allowed = 0;
      for (let call = 0; call < workerData.calls; call += 1) allowed += decide(grant, "read", {}, { budgets }).allowed;
      parentPort.postMessage(allowed);
    });
  `;
  const workers = Array.from({ length: THREADS }, () => startWorker(budgets, code, { root, calls: CALLS / THREADS }));
  const allowed = await Promise.all(workers.map(messageOf));
  assert.equal(allowed.reduce((sum, part) => sum + part, 0), 1000);
  assert.equal(budgets.peek("g", "read", 1000).used, 1000);
  const loaded = await loadGrant("g", { root });
  assert.throws(() => enforce(loaded, "read", {}, { budgets }), { message: "rate limit exceeded" });
});

test("costs and growing limits are exact over threads too", async () => {
  const budgets = new ThreadBudgets();
  const code = `
    let taken = 0;
    for (let call = 0; call < 3000; call += 1) taken += budgets.take("t", "a", 5000, 1 + call % 5).consumed;
    parentPort.postMessage(taken);
  `;
  const taken = await Promise.all(Array.from({ length: 4 }, () => messageOf(startWorker(budgets, code))));
  const sum = taken.reduce((total, part) => total + part, 0);
  assert.ok(sum <= 5000 && sum > 4995, String(sum));
  assert.equal(budgets.peek("t", "a", 5000).used, sum);
});

test("a cost for which the ring must grow first counts as a whole", () => {
  for (const [limit, cost] of [[65, 65], [100, 90], [200, 150], [2046, 2046], [4000, 1999]]) {
    const budgets = new ThreadBudgets();
    assert.equal(budgets.take("t", "a", limit, cost).used, cost);
    let taken = cost;
    for (let call = 0; call < limit + 5; call += 1) taken += budgets.take("t", "a", limit, 1 + (call % 2) * (cost - 1)).consumed;
    assert.equal(taken, limit);
  }
});

test("no window of 60 seconds has more hits than the limit, while threads move the clock", async () => {
  const code = `
    const time = new BigInt64Array(workerData.time); // nanoseconds
    let last = 0;
    const clock = () => {
      const now = Atomics.load(time, 0);
      last = Number(now);
      return [Number(now / 1_000_000_000n), Number(now % 1_000_000_000n)];
    };
    const moving = new ThreadBudgets({ memory: workerData.memory, clock });
    const hits = [];
    for (let call = 0; call < 15_000; call += 1) {
      if (call % 4 === 0) Atomics.add(time, 0, BigInt(Math.floor(Math.random() * workerData.step)));
      const cost = workerData.limit > 5 ? 1 + call % 3 : 1;
      for (let { consumed } = moving.take("t", "a", workerData.limit, cost); consumed > 0; consumed -= 1) hits.push(last);
    }
    parentPort.postMessage(hits);
  `;
  for (const limit of [1, 7, 65, 1000]) {
    const time = new SharedArrayBuffer(8);
    const budgets = new ThreadBudgets({ bytes: 1 << 22, clock: () => [0, 0] });
    // the hits of fewer than seven laps of a ring: a thread may be held up for all this time, which takes no minutes here
    const step = (2 * 60e9 * Math.max(400, 2 * limit)) / limit / 15_000;
    const workers = Array.from({ length: 4 }, () => startWorker(budgets, code, { time, limit, step }));
    const hits = (await Promise.all(workers.map(messageOf))).flat().sort((one, other) => one - other);
    const tooMany = hits.filter((at, index) => index >= limit && at - hits[index - limit] < 60e9);
    assert.deepEqual(tooMany, []);
    assert.ok(hits.length > limit, String(hits.length));
  }
});

test("a thread that is terminated in the middle of a call holds nobody up, and takes its own hit at most", async () => {
  const budgets = new ThreadBudgets();
  const counted = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    parentPort.postMessage("ready");
    for (;;) if (budgets.take("t", "a", 2 ** 20).consumed) Atomics.add(workerData.counted, 0, 1);
  `;
  const rounds = 15;
  let own = 0;
  for (let round = 0; round < rounds; round += 1) {
    const worker = startWorker(budgets, code, { counted });
    await messageOf(worker);
    for (let call = 0; call < 200; call += 1) own += budgets.take("t", "a", 2 ** 20).consumed;
    await worker.terminate();
    own += budgets.take("t", "a", 2 ** 20).consumed;
  }
  const { used } = budgets.peek("t", "a", 2 ** 20);
  const known = own + Atomics.load(counted, 0);
  assert.equal(own, rounds * 201);
  assert.ok(used >= known && used <= known + rounds, `${used} used, ${known} known`);
});

test("a hit that was taken, and never finished, is finished by whoever comes next", () => {
  const budgets = new ThreadBudgets();
  budgets.take("t", "a", 3);
  const other = new ThreadBudgets({ memory: budgets.memory });
  const entry = other.entryOf("t", "a");
  const ring = other.ringOf(entry);
  ring.finish = () => {}; // as a thread that ends right after its exchange
  ring.take(ring.head(), ring.load(ring.head()), 1, other.now());
  assert.equal(budgets.peek("t", "a", 3).used, 2);
  assert.equal(budgets.take("t", "a", 3).used, 3);
  assert.equal(budgets.take("t", "a", 3).consumed, 0);
});

test("a thread that was held up for a lap takes and changes nothing by what it read before", () => {
  let seconds = 100;
  const budgets = new ThreadBudgets({ clock: () => [seconds, 0] });
  const takeLater = () => {
    seconds += 61;
    return budgets.take("t", "a", 1).consumed;
  };
  takeLater();
  const entry = budgets.entryOf("t", "a");
  const ring = budgets.ringOf(entry);
  const before = ring.head() - 1;
  for (let hit = 0; hit < ring.capacity; hit += 1) assert.equal(takeLater(), 1);
  const late = Object.create(ring, { head: { value: () => before } });
  entry.ring = late; // reads the head as it was
  assert.equal(budgets.tryAsk(entry, 1, 1, true), undefined);
  entry.ring = ring;
  ring.finish(before, ring.load(before), [seconds - 1e6, 0]);
  ring.writeSecond(before, 1);
  assert.equal(budgets.take("t", "a", 1).consumed, 0);
  assert.equal(budgets.peek("t", "a", 1).used, 1);
});

test("a hit counts for 60 seconds, and no less", () => {
  let now = [100, 0];
  const budgets = new ThreadBudgets({ clock: () => [...now] });
  assert.equal(budgets.take("t", "a", 1).consumed, 1);
  now = [159, 999_999_999];
  assert.equal(budgets.take("t", "a", 1).consumed, 0);
  now = [160, 8192];
  assert.equal(budgets.take("t", "a", 1).consumed, 1);
});

test("budgets are counted by tool and action", () => {
  const budgets = new ThreadBudgets();
  for (const [tool, action] of [["t", "a"], ["t", "b"], ["u", "a"], ["__proto__", "constructor"]]) {
    assert.equal(budgets.take(tool, action, 1).consumed, 1);
    assert.equal(budgets.take(tool, action, 1).consumed, 0);
  }
});

test("what does not fit into the memory denies, until hits have left the minute", () => {
  let seconds = 100;
  const small = new ThreadBudgets({ bytes: 1 << 14, clock: () => [seconds, 0] });
  const takeMany = () => { for (let call = 0; call < 1e4; call += 1) small.take("t", "a", 1e6); };
  assert.throws(takeMany, StateError);
  assert.throws(takeMany, StateError);
  seconds += 61;
  assert.equal(small.take("t", "a", 1e6).consumed, 1);
  const many = new ThreadBudgets();
  assert.throws(() => { for (let name = 0; name < 2000; name += 1) many.take("t", `a${name}`, 1); }, StateError);
  assert.throws(() => many.take("t", "a1", 1e6, 5000), StateError);
  assert.throws(() => new ThreadBudgets({ memory: new SharedArrayBuffer(1 << 16) }), UsageError);
});
