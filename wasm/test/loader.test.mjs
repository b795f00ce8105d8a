// What the loader does when something goes wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Policy } from "../policy.mjs";

const module = new WebAssembly.Module(readFileSync(new URL("../policy.wasm", import.meta.url)));
const GRANT = { tool: "git", actions: ["tree"], rate: { perMinute: 1000 } };

function bytesOf(grant) {
  return new TextEncoder().encode(JSON.stringify(grant));
}

function policyWith(options) {
  const policy = new Policy(module, options);
  policy.load("git", bytesOf(GRANT));
  return policy;
}

test("a request that traps is denied, and the next one is decided with all hits", () => {
  const policy = policyWith({ heapBytes: 1 << 16 });
  assert.equal(policy.decide("git", { action: "tree" }).budget.used, 1);
  for (const x of ["x".repeat(1 << 16), Array.from({ length: 1 << 12 }, () => 1)]) {
    assert.equal(policy.decide("git", { action: "tree", args: { x } }).reason, "state_unavailable");
  }
  assert.equal(policy.decide("git", { action: "tree" }).budget.used, 2);
});

test("after a grant that traps while it is loaded nothing is allowed", () => {
  const policy = policyWith({ heapBytes: 1 << 16 });
  assert.throws(() => policy.load("large", bytesOf({ ...GRANT, more: "x".repeat(30_000) })), WebAssembly.RuntimeError);
  assert.throws(() => policy.load("large", bytesOf(GRANT)), WebAssembly.RuntimeError);
  for (const id of ["git", "large"]) assert.equal(policy.decide(id, { action: "tree" }).reason, "state_unavailable");
});

test("a request that is no JSON, or a time that is no integer, is an error of the caller", () => {
  const policy = policyWith();
  const circular = { action: "tree" };
  circular.args = circular;
  assert.throws(() => policy.decide("git", circular), TypeError);
  assert.throws(() => policy.decide("git", { action: "tree", cost: 1n }), TypeError);
  for (const now of [NaN, 1.5, Infinity]) assert.throws(() => policy.decide("git", { action: "tree" }, now), RangeError);
  assert.equal(policy.decide("git", { action: "tree" }, 1e15).reason, "allowed");
});

test("what JSON would leave out is an error of the caller: no rule would see it", () => {
  const policy = policyWith();
  const inherited = Object.create({ __proto__: null, path: "/etc" });
  const hidden = Object.defineProperty({}, "path", { value: "/etc" });
  for (const args of [new Map([["path", "/etc"]]), inherited, hidden, new (class Own { path = "/etc"; })(), { path: () => "/etc" }, { x: [new Set(["/etc"])] },
    { path: new URL("file:///etc") }, { x: NaN }, { x: [Infinity] }, { path: Symbol("x") }, { toJSON: () => ({}), path: "/etc" }, new Uint8Array(1)]) {
    assert.throws(() => policy.decide("git", { action: "tree", args }), TypeError);
    assert.throws(() => policy.pathArguments("git", args), TypeError);
  }
  assert.equal(policy.decide("git", { action: "tree", args: { x: [{ y: null, z: undefined }, true, 1.5, "x"], o: Object.create(null) } }).reason, "allowed");
});

test("what is no request at all is denied", () => {
  const policy = policyWith();
  for (const request of [undefined, null, 1, "", "tree", [], "{\"action\":\"tree\"}x"]) assert.equal(policy.decide("git", request).reason, "usage");
  assert.equal(policy.decide("__proto__", { action: "tree" }).reason, "grant_not_found");
});

test("a clock of another kind than before is denied, and one that goes back is not", () => {
  const policy = policyWith();
  const now = 10n ** 15n;
  assert.equal(policy.decide("git", { action: "tree" }, now).reason, "allowed");
  assert.equal(policy.decide("git", { action: "tree" }, now - 10n ** 12n).reason, "allowed");
  for (const other of [-(10n ** 18n), 2n ** 62n]) assert.equal(policy.decide("git", { action: "tree" }, other).reason, "state_unavailable");
});
