// Decisions of the npm package, beside the algorithm of the original under the same Node, and beside Cedar's engine in WebAssembly.
//
//   node bench/javascript.mjs [ROUNDS]
//
// Cedar is installed by npm in a temporary directory, and left out if it cannot be.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";

import { ThreadBudgets, decide, enforce, loadGrant } from "../js/index.mjs";

const ROUNDS = Number(process.argv[2] ?? 40);
const SLICE_MS = 25; // of one measurement; the best of all rounds counts, as other programs take the machine from both
const CHUNK = 20; // calls between two looks at the clock
const WINDOW_MS = 60_000;
const LIMITS = [60, 1_000, 100_000];
const directory = mkdtempSync(path.join(tmpdir(), "bench-js-"));

/** The original's `enforce`, as docs/migrate.md describes it: an array of times that each call filters. */
class Original {
  hits = new Map();

  constructor(now) {
    this.now = now;
  }

  enforce(grant, action, args) {
    if (!grant.actions.includes(action)) throw new Error("action not allowed");
    const given = args?.path ?? args?.targetPath;
    if (typeof given === "string" && given && grant.fsScope.length) {
      const plain = path.posix.normalize(given);
      if (!grant.fsScope.some((scope) => plain === scope || plain.startsWith(`${scope}/`))) throw new Error("path not within fsScope");
    }
    const key = `${grant.tool}:${action}`;
    const now = this.now();
    const recent = (this.hits.get(key) ?? []).filter((time) => now - time < WINDOW_MS);
    this.hits.set(key, recent);
    if (recent.length >= grant.perMinute) throw new Error("rate limit exceeded");
    recent.push(now);
    return true;
  }
}

/** Return calls a second in the best of all rounds, which take turns; each case is a function that makes the call. */
function measure(cases) {
  const best = new Map();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, makeCall] of cases) best.set(name, Math.max(best.get(name) ?? 0, callsPerSecond(makeCall())));
  }
  return best;
}

function callsPerSecond(call) {
  const start = process.hrtime.bigint();
  const end = start + BigInt(SLICE_MS) * 1_000_000n;
  let done = 0;
  do {
    for (let index = 0; index < CHUNK; index += 1) call();
    done += CHUNK;
  } while (process.hrtime.bigint() < end);
  return (1e9 * done) / Number(process.hrtime.bigint() - start);
}

function caught(call) {
  try {
    return call();
  } catch {
    return false;
  }
}

/** Load a grant for each limit; the calls have no path. */
async function loadGrants() {
  const tools = path.join(directory, ".cortex/policy/tools");
  mkdirSync(tools, { recursive: true, mode: 0o755 });
  const grants = new Map();
  for (const perMinute of LIMITS) {
    const grant = { tool: `t${perMinute}`, actions: ["read", "tree"], rate: { perMinute }, fsScope: ["docs"] };
    writeFileSync(path.join(tools, `g${perMinute}.json`), JSON.stringify(grant), { mode: 0o644 });
    grants.set(perMinute, await loadGrant(`g${perMinute}`, { root: directory }));
  }
  return grants;
}

/**
 * Compare in a steady state, on a clock of its own for both sides: with calls twice as slow as the limit, so that each is allowed and
 * half of the budget is in use, and with calls twice as fast, so that the budget is used up and nearly all are denied.
 */
function compareWithOriginal(grants) {
  const show = (rate) => Math.round(rate).toLocaleString("en-US");
  console.log("\n| limit and calls | original | `enforce` | | `decide` | |\n|---|---|---|---|---|---|");
  for (const perMinute of LIMITS) {
    for (const [what, share] of [["allowed", 0.5], ["denied", 1e4]]) {
      const best = compareSteadily(grants.get(perMinute), WINDOW_MS / perMinute / share, share < 1 ? perMinute / 2 : perMinute);
      const [original, own, value] = ["original", "enforce", "decide"].map((name) => best.get(name));
      console.log(`| ${show(perMinute)} a minute, ${what} | ${show(original)} | ${show(own)} | ${(own / original).toFixed(1)} times`
        + ` | ${show(value)} | ${(value / original).toFixed(1)} times |`);
    }
  }
}

/** Measure calls that are `stepMs` apart, after so many hits of the last minute. */
function compareSteadily(grant, stepMs, hits) {
  const own = (ask) => () => {
    let now = 1e6;
    const budgets = new ThreadBudgets({ clock: () => [Math.floor(now / 1000), Math.floor((now % 1000) * 1e6)] });
    for (let hit = 0; hit < hits; hit += 1, now += WINDOW_MS / 2 / hits) budgets.take(grant.tool, "read", grant.perMinute);
    const options = { budgets };
    return () => {
      now += stepMs;
      return ask(grant, options);
    };
  };
  const originals = () => {
    let now = 1e6;
    const original = new Original(() => now);
    const times = Array.from({ length: hits }, (_, hit) => now + (WINDOW_MS / 2 / hits) * hit);
    original.hits.set(`${grant.tool}:read`, times);
    now += WINDOW_MS / 2;
    return () => {
      now += stepMs;
      return caught(() => original.enforce(grant, "read"));
    };
  };
  return measure([
    ["original", originals],
    ["enforce", own((loaded, options) => caught(() => enforce(loaded, "read", undefined, options)))],
    ["decide", own((loaded, options) => decide(loaded, "read", undefined, options))],
  ]);
}

function loadCedar() {
  try {
    execFileSync("npm", ["install", "--silent", "--prefix", directory, "@cedar-policy/cedar-wasm"], { stdio: "ignore", timeout: 60_000 });
    return createRequire(path.join(directory, "x.js"))("@cedar-policy/cedar-wasm/nodejs");
  } catch {
    return undefined;
  }
}

/** Compare one allowed question without a path; Cedar counts nothing, so this is a peek here. */
function compareWithCedar(cedar, grant) {
  const policies = 'permit(principal, action in [Action::"read", Action::"tree"], resource == Tool::"git");';
  const parsed = cedar.preparsePolicySet("grants", { staticPolicies: policies });
  if (parsed.type !== "success") throw new Error(JSON.stringify(parsed));
  const call = {
    principal: { type: "User", id: "a" }, action: { type: "Action", id: "read" }, resource: { type: "Tool", id: "git" },
    context: {}, entities: [], preparsedPolicySetId: "grants",
  };
  if (cedar.statefulIsAuthorized(call).response.decision !== "allow") throw new Error("Cedar denies");
  const options = { peek: true, budgets: new ThreadBudgets() };
  const best = measure([
    ["cedar", () => () => cedar.statefulIsAuthorized(call)],
    ["decide", () => () => decide(grant, "read", undefined, options)],
  ]);
  const ratio = best.get("decide") / best.get("cedar");
  console.log(`cedar-wasm, preparsed: ${Math.round(best.get("cedar")).toLocaleString("en-US")} a second; \`decide\` with \`peek\`: `
    + `${Math.round(best.get("decide")).toLocaleString("en-US")}, ${ratio.toFixed(0)} times as many`);
}

function printPackageSize() {
  const [{ filename, size, unpackedSize }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", directory],
    { cwd: new URL("../js", import.meta.url), encoding: "utf8" }));
  console.log(`\n${filename}: ${(size / 1000).toFixed(1)} kB packed, ${(unpackedSize / 1000).toFixed(1)} kB unpacked`);
  if (statSync(path.join(directory, filename)).size !== size) throw new Error("npm has counted wrongly");
}

try {
  const grants = await loadGrants();
  const cedar = loadCedar();
  if (cedar === undefined) console.log("cedar-wasm cannot be installed");
  else compareWithCedar(cedar, grants.get(60));
  compareWithOriginal(grants);
  printPackageSize();
} finally {
  rmSync(directory, { recursive: true });
}
