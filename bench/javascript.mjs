// Decisions of the npm package, beside the algorithm of the original under the same Node, and beside Cedar's engine in WebAssembly.
//
//   node bench/javascript.mjs [ROUNDS]
//
// Cedar is installed by npm in a temporary directory, and left out if it cannot be. A goal that is missed is printed as such.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";

import { ThreadBudgets, decide, enforce, loadGrant } from "../js/index.mjs";

const ROUNDS = Number(process.argv[2] ?? 200);
const SLICE_MS = 2; // of one measurement; the best of all rounds counts, as other programs take the machine from all sides
const [LOOPS, LOOP_MS] = [3, 1_000]; // on the real clock: so long that the budgets of the small limits are used up
const CHUNK = 64; // calls between two looks at the clock, at most
const WINDOW_MS = 60_000;
const LIMITS = [60, 1_000, 100_000];
const [MIN_TIMES, MAX_GROWTH, MIN_CEDAR, MAX_KB] = [5, 1.2, 50, 100]; // the goals
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

/**
 * Return calls a second in the best of all rounds, by row and side. All sides of all rows take turns; each is a function
 * that makes its state, and returns the call.
 */
function measure(rows, rounds = ROUNDS, sliceMs = SLICE_MS) {
  const best = rows.map(() => ({}));
  for (let round = 0; round < rounds; round += 1) {
    rows.forEach((sides, row) => {
      for (const [name, makeCall] of Object.entries(sides)) {
        best[row][name] = Math.max(best[row][name] ?? 0, callsPerSecond(makeCall(), sliceMs));
      }
    });
  }
  return best;
}

/** Return calls in a second of this process: other programs on the processor do not count. */
function callsPerSecond(call, sliceMs) {
  const end = process.hrtime.bigint() + BigInt(sliceMs) * 1_000_000n;
  const before = process.cpuUsage();
  let done = 0;
  for (let chunk = 1; process.hrtime.bigint() < end; chunk = Math.min(2 * chunk, CHUNK)) {
    for (let index = 0; index < chunk; index += 1) call();
    done += chunk;
  }
  const { user, system } = process.cpuUsage(before);
  return (1e6 * done) / (user + system);
}

function caught(call) {
  try {
    return call();
  } catch {
    return false;
  }
}

/** Say what was measured beside its goal. */
function besideGoal(text, goal, isMet) {
  return `${text} (goal: ${goal}${isMet ? "" : "; missed"})`;
}

function printTableHead(title) {
  console.log(`\n| ${title} | original | \`enforce\` | | \`decide\` | |\n|---|---:|---:|---:|---:|---:|`);
}

function printRow(title, best, goal = 0) {
  const [original, ...own] = [best.original, best.enforce, best.decide];
  const cells = own.map((rate) => {
    const times = `${(rate / original).toFixed(1)} times`;
    return `${show(rate)} | ${goal ? besideGoal(times, goal, rate >= goal * original) : times}`;
  });
  console.log(`| ${title} | ${show(original)} | ${cells.join(" | ")} |`);
}

function show(rate) {
  return Math.round(rate).toLocaleString("en-US");
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

/** Compare as the issue did: a loop on the real clock, from an unused budget, which denies as soon as that is used up. */
function compareInLoop(grants) {
  const clock = { advance() {}, now: Date.now, hrtime: process.hrtime };
  printTableHead("in a loop of one second");
  const bests = measure(LIMITS.map((perMinute) => sidesOf(grants.get(perMinute), () => clock)), LOOPS, LOOP_MS);
  bests.forEach((best, row) => printRow(`${show(LIMITS[row])} a minute`, best, row === 0 ? MIN_TIMES : 0));
}

/** A clock on which a fixed time is between two calls. */
class StepClock {
  constructor(stepMs) {
    this.ms = 1e10; // no small integer, as that of `Date.now()` is none
    this.advance = () => { this.ms += stepMs; };
    this.now = () => this.ms;
    this.hrtime = () => [Math.floor(this.ms / 1000), Math.floor((this.ms % 1000) * 1e6)];
  }
}

/** Return the three sides, each of which makes its state, with so many hits of the last half of a minute, and then a call. */
function sidesOf(grant, makeClock, hits = 0) {
  const hitAll = (clock, hit) => {
    for (let count = 0; count < hits; count += 1, clock.ms += WINDOW_MS / 2 / hits) hit();
  };
  const own = (ask) => () => {
    const clock = makeClock();
    const budgets = new ThreadBudgets({ clock: clock.hrtime });
    hitAll(clock, () => budgets.take(grant.tool, "read", grant.perMinute));
    const options = { budgets };
    return () => {
      clock.advance();
      return ask(options);
    };
  };
  const original = () => {
    const clock = makeClock();
    const limiter = new Original(clock.now);
    const times = [];
    hitAll(clock, () => times.push(clock.ms));
    limiter.hits.set(`${grant.tool}:read`, times);
    return () => {
      clock.advance();
      return caught(() => limiter.enforce(grant, "read"));
    };
  };
  return {
    original,
    enforce: own((options) => caught(() => enforce(grant, "read", undefined, options))),
    decide: own((options) => decide(grant, "read", undefined, options)),
  };
}

/**
 * Compare in a steady state, on a clock of its own for each side: with calls twice as slow as the limit, so that each is allowed and
 * half of the budget is in use, and with calls much faster, so that the budget is used up and nearly all are denied.
 */
function compareInSteadyState(grants) {
  printTableHead("in a steady state");
  const growth = [];
  for (const [what, share] of [["allowed", 0.5], ["denied", 1e4]]) {
    const bests = measure(LIMITS.map((perMinute) => steadySidesOf(grants.get(perMinute), share)));
    bests.forEach((best, row) => printRow(`${show(LIMITS[row])} a minute, ${what}`, best));
    for (const name of ["enforce", "decide"]) growth.push([`\`${name}\` ${what}`, bests[0][name] / bests.at(-1)[name]]);
  }
  const list = growth.map(([title, times]) => besideGoal(`${title} ${times.toFixed(2)}`, `at most ${MAX_GROWTH}`, times <= MAX_GROWTH));
  console.log(`\nthe cost of a call at ${show(LIMITS.at(-1))} a minute, beside that at ${LIMITS[0]}: ${list.join(", ")}`);
}

/** Return the sides of calls that come at a share of the limit, each of which goes on from round to round. */
function steadySidesOf(grant, share) {
  const makeClock = () => new StepClock(WINDOW_MS / grant.perMinute / share);
  const sides = Object.entries(sidesOf(grant, makeClock, grant.perMinute * Math.min(share, 1)));
  return Object.fromEntries(sides.map(([name, makeCall]) => {
    const call = makeCall();
    return [name, () => call];
  }));
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
  const [best] = measure([{
    cedar: () => () => cedar.statefulIsAuthorized(call),
    decide: () => () => decide(grant, "read", undefined, options),
  }]);
  const ratio = best.decide / best.cedar;
  console.log(`cedar-wasm, preparsed: ${show(best.cedar)} a second; \`decide\` with \`peek\`: `
    + besideGoal(`${show(best.decide)}, ${ratio.toFixed(0)} times as many`, MIN_CEDAR, ratio >= MIN_CEDAR));
}

function printPackageSize() {
  const [{ filename, size, unpackedSize }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", directory],
    { cwd: new URL("../js", import.meta.url), encoding: "utf8" }));
  const packed = besideGoal(`${(size / 1000).toFixed(1)} kB packed`, `below ${MAX_KB}`, size < MAX_KB * 1000);
  console.log(`\n${filename}: ${packed}, ${(unpackedSize / 1000).toFixed(1)} kB unpacked`);
  if (statSync(path.join(directory, filename)).size !== size) throw new Error("npm has counted wrongly");
}

try {
  const grants = await loadGrants();
  const cedar = loadCedar();
  if (cedar === undefined) console.log("cedar-wasm cannot be installed");
  else compareWithCedar(cedar, grants.get(60));
  compareInLoop(grants);
  compareInSteadyState(grants);
  printPackageSize();
} finally {
  rmSync(directory, { recursive: true });
}
