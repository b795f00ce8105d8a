// Whole calls, from the files of a root to the sentence of the answer, here and by the Python program.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const process = require("node:process");
const { after, test } = require("node:test");

const { CheckProcess, CortexPolicyError, decide, loadGrant } = require("..");
const { PROGRAM, SCRATCH, makeRoot } = require("./support/roots");

const CALLS = 1500;
const skip = !fs.existsSync(PROGRAM) && `${PROGRAM} is not installed`;
const WHOLE = { tool: "t", actions: ["read", "tree", "café"], rate: { perMinute: 50 } };
const GRANTS = {
  scoped: { ...WHOLE, fsScope: ["docs", "src/a", "bad/*", "läng"] },
  open: { ...WHOLE },
  strict: {
    ...WHOLE, fsScope: ["docs"], dataClass: "sensitive",
    args: { n: { type: "integer", minimum: 1 }, word: { pattern: "^[a-z]+$" }, where: { type: ["string", "null"], format: "path" }, src: { format: "not-path" } },
  },
  broken: '{"tool": "t", "actions": ["read"], "rate": {"perMinute": 0}}',
  refused: { ...WHOLE, args: { n: { $ref: "#/x" } } },
};
const PARTS = [
  "docs", "docs/x", "docs/a/b", "src", "src/a/y", "src/ab", "docs/up", "docs/out", "docs/in", "docs/loop", "docs/policy", "docs/none", "..", ".", "",
  ".cortex", ".cortex/policy/tools/g.json", ".CORTEX/Policy", "läng/x", "la\u0308ng/x", "docs/up/docs/x", "docs/x/", "docs/x/y", "docs//a", "docs/a/../x",
  "docs/in/../b", "docs/none/../x", "~", "a\\b", "https://e.org/x", "docs/\u0000x", "docs/\n", " docs", "docs ", "x".repeat(300), "/etc/passwd", "/proc/self/cwd/x",
  "/etc/cortex-policy/stop", "/",
];
const NAMES = ["path", "paths", "file", "targetPath", "Src", "cwd", "where", "n", "word", "options", "list", "text", "max_files", "URLPath", "src", "__proto__"];

function seededChance(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Return a value of an argument: mostly a path, in one spelling or another. */
function makeValue(chance, root, depth = 0) {
  const given = PARTS[chance(PARTS.length)];
  const spelled = given.startsWith("/") || chance(2) ? given : `${root}/${given}`;
  const kinds = [
    () => spelled, () => spelled, () => spelled, () => [spelled, makeValue(chance, root, depth + 1)], () => [1, 0, -1, 2.5, 2n ** 80n][chance(5)],
    () => [null, true, "word", "Word", ""][chance(5)],
    () => ({ [NAMES[chance(NAMES.length)]]: makeValue(chance, root, depth + 1), x: 1 }),
  ];
  return depth > 3 ? spelled : kinds[chance(kinds.length)]();
}

function makeCall(chance, root) {
  const args = new Map();
  for (let count = chance(4); count > 0; count -= 1) args.set(NAMES[chance(NAMES.length)], makeValue(chance, root));
  const id = [...Object.keys(GRANTS), "nothing"][chance(Object.keys(GRANTS).length + 1)];
  const action = ["read", "read", "read", "tree", "write", "café", "cafe\u0301", ""][chance(8)];
  return { id, action, args, options: { peek: true, cost: [1, 1, 1, 50, 51][chance(5)] } };
}

/** Return what matters of an answer, or of the error in its place. */
async function answerOf(ask) {
  try {
    const { allowed, reason, message, exitCode, obligations, paths, budget } = await ask();
    const found = paths.map(({ argument, given, resolved, scope }) => ({ argument, given, resolved, scope }));
    return { allowed, reason, message, exitCode, obligations, paths: found, limit: budget?.limit };
  } catch (error) {
    assert.ok(error instanceof CortexPolicyError, String(error.stack));
    return { reason: error.reason, exitCode: error.exitCode, name: error.name };
  }
}

test(`${CALLS} random calls are answered as by the program`, { skip }, async () => {
  const root = makeRoot(GRANTS, { "docs/x": "", "docs/a/b/c": "", "src/a/y": "", "läng/x": "" });
  const links = { "docs/up": "..", "docs/out": "/etc", "docs/in": "a/b", "docs/loop": "loop", "docs/policy": "../.cortex/policy", "docs/none": "missing/x" };
  for (const [name, target] of Object.entries(links)) fs.symlinkSync(target, path.join(root, name));
  process.env.CORTEX_POLICY_STATE_DIR = path.join(SCRATCH, "state-of-calls");
  const before = process.cwd();
  process.chdir(path.join(root, "docs"));
  const asker = new CheckProcess({ root, command: PROGRAM });
  after(() => asker.close());
  const chance = seededChance(7);
  const reasons = new Set();
  for (let call = 0; call < CALLS; call += 1) {
    const { id, action, args, options } = makeCall(chance, root);
    const here = await answerOf(async () => decide(await loadGrant(id, { root }), action, args, options));
    const there = await answerOf(() => asker.decide(id, action, args, options));
    assert.deepEqual(here, there, `${id} ${action} ${JSON.stringify([...args], (_, part) => (typeof part === "bigint" ? String(part) : part))}`);
    reasons.add(here.reason);
  }
  process.chdir(before);
  delete process.env.CORTEX_POLICY_STATE_DIR;
  const expected = ["action_not_allowed", "allowed", "argument_not_allowed", "grant_invalid", "grant_not_found", "path_outside_scope", "rate_limited"];
  assert.deepEqual([...reasons].sort(), expected);
});
