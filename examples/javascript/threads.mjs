// Worker threads that share one budget: all together are allowed what the grant says, and no call more.
//
//   node threads.mjs ../workers

import process from "node:process";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

import { ThreadBudgets, decide, loadGrant } from "cortex-policy";

const [THREADS, JOBS] = [4, 25];

if (isMainThread) {
  const budgets = new ThreadBudgets();
  const root = process.argv[2] ?? ".";
  const start = () => new Worker(new URL(import.meta.url), { workerData: { memory: budgets.memory, root } });
  const counts = await Promise.all(Array.from({ length: THREADS }, () => new Promise((resolve) => start().on("message", resolve))));
  const allowed = counts.reduce((sum, count) => sum + count, 0);
  console.log(JSON.stringify({ threads: THREADS, asked: THREADS * JOBS, allowed }));
} else {
  const budgets = new ThreadBudgets({ memory: workerData.memory });
  const grant = await loadGrant("digests", { root: workerData.root });
  let allowed = 0;
  for (let job = 0; job < JOBS; job += 1) allowed += Number(decide(grant, "compute", { algorithm: "sha256" }, { budgets }).allowed);
  parentPort.postMessage(allowed);
}
