// Threads on one memory count the same hits, exactly.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { newMemory, Policy } from "../policy.mjs";

const module = new WebAssembly.Module(readFileSync(new URL("../policy.wasm", import.meta.url)));

function grantOf(perMinute) {
  return JSON.stringify({ tool: "git", actions: ["tree"], rate: { perMinute } });
}

async function startThreads(count, data) {
  const threads = Array.from({ length: count }, () => new Worker(new URL("../support/worker.mjs", import.meta.url), { workerData: { module, ...data } }));
  await Promise.all(threads.map((thread) => once(thread, "message")));
  return threads;
}

async function allowedBy(count, data) {
  const threads = await startThreads(count, data);
  const answers = threads.map((thread) => once(thread, "message"));
  for (const thread of threads) thread.postMessage("go");
  const found = (await Promise.all(answers)).map(([answer]) => answer);
  await Promise.all(threads.map((thread) => thread.terminate()));
  assert.deepEqual(found.flatMap(({ others }) => others), []);
  return found.reduce((sum, { allowed }) => sum + allowed, 0);
}

test("eight threads take exactly 1,000 of 1,000 with 40,000 calls", async () => {
  const memory = newMemory();
  assert.equal(await allowedBy(8, { memory, calls: 5000, grant: grantOf(1000) }), 1000);
});

test("costs of a call fit or do not, however threads interleave", async () => {
  const memory = newMemory();
  assert.equal(await allowedBy(8, { memory, calls: 1000, grant: grantOf(30_000), cost: 7 }), Math.floor(30_000 / 7));
});

test("a thread that is terminated in the middle holds nobody up, and leaves no hit uncounted", async () => {
  const memory = newMemory();
  const ringBytes = 1 << 23;
  const killed = await startThreads(4, { memory, ringBytes, calls: 10_000_000, grant: grantOf(20_000) });
  for (const thread of killed) thread.postMessage("go");
  await new Promise((resolve) => setTimeout(resolve, 30));
  await Promise.all(killed.map((thread) => thread.terminate()));
  const policy = new Policy(module, { memory, ringBytes, heapBytes: 1 << 22 });
  policy.load("git", new TextEncoder().encode(grantOf(20_000)));
  const used = policy.decide("git", { action: "tree" }).budget.used;
  const left = await allowedBy(4, { memory, ringBytes, calls: 10_000, grant: grantOf(20_000) });
  assert.ok(used <= 20_000 && left === 20_000 - used, `${used} used, then ${left} allowed`);
});

test("threads must agree on the sizes of the memory", () => {
  const memory = newMemory();
  new Policy(module, { memory });
  assert.throws(() => new Policy(module, { memory, ringBytes: 1 << 21 }), RangeError);
});
