// A thread that asks until the budget is used up, and some times more.
import { parentPort, workerData } from "node:worker_threads";
import { Policy } from "../policy.mjs";

const { module, memory, calls, grant, cost, ringBytes } = workerData;
const policy = new Policy(module, { memory, heapBytes: 1 << 22, ringBytes });
policy.load("git", new TextEncoder().encode(grant));
const request = JSON.stringify({ action: "tree", cost });
let allowed = 0;
const others = new Set();
parentPort.postMessage("ready");
parentPort.once("message", () => {
  for (let call = 0; call < calls; call += 1) {
    const answer = policy.decide("git", request);
    allowed += answer.allowed ? 1 : 0;
    if (!answer.allowed && answer.reason !== "rate_limited") others.add(answer.message);
  }
  parentPort.postMessage({ allowed, others: [...others] });
});
