// Layers and locks of settings are resolved as Python resolves them.
"use strict";

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const { GrantError } = require("../src/errors");
const { decodeLayer, settingsOfLayers, sharedVariableLayers, variablesLayer } = require("../src/settings-layers");
const { PROGRAM } = require("./support/roots");

const CASES = 4000;
const PYTHON = path.join(path.dirname(PROGRAM), "python");
const needsPython = { skip: !fs.existsSync(PYTHON) && `${PYTHON} is not installed` };

// what a line may say, right and wrong
const LINES = [
  'sensitive = "allow"', 'sensitive = "ask"', 'sensitive = "deny"', 'sensitive = "Deny"', "sensitive = true", "require_path = true",
  "require_path = false", "require_path = 1", 'stamp = "require"', 'stamp = "off"', 'undeclared_args = "deny"', "undeclared_args = 'allow'",
  'state_dir = "/x"', 'state_dir = "x"', "state_dir = ' '", 'editor = "vi"', "history.keep = 3", "history.keep = 3.0", "history.keep = -1",
  'audit.file = "/log"', 'audit.file = "log"', 'audit.on_error = "ignore"', 'audit.on_error = "deny"', 'audit.args = "full"',
  "audit.max_bytes = 99999999999999999", 'approvals.file = "/a"', "approvals.timeout_seconds = 5", 'approvals.notify = "/n"',
  "approvals.elicitation = true", "budgets.timeout_ms = 5", "budgets.local_share = 0.5", "budgets.local_share = 1.5", 'budgets.key_file = "/k"',
  'budgets.password_file = "/p"', 'budgets.url = "redis://h"', 'budgets.url = "x"', "budgets.name = 'a'", 'budgets.name = "x y"', 'budgets.on_error = "local"', 'validate.select = ["C1"]', "unknown = 1", "audit = {}",
  "history = 1", '"audit.file" = "/x"', "# a comment", "", 'sensitive = "ask" # why', "[audit]\nkeep = 2", "[nothing]", "[budgets]", "audit.keep = 1_000",
];
const LOCKS = ['locked = ["sensitive"]', 'locked = ["require_path", "stamp"]', "locked = []", 'locked = "sensitive"', 'locked = ["audit.file"]'];
const VARIABLES = [
  ["CORTEX_POLICY_SENSITIVE", ["allow", "ask", "deny", "x", ""]], ["CORTEX_POLICY_REQUIRE_PATH", ["true", "0", "1", "yes", "TRUE"]],
  ["CORTEX_POLICY_STAMP", ["require", "off"]], ["CORTEX_POLICY_AUDIT_FILE", ["/log", "log"]], ["CORTEX_POLICY_AUDIT_ON_ERROR", ["ignore", "deny"]],
  ["CORTEX_POLICY_HISTORY_KEEP", ["7", "-7", "٧", "1.0"]], ["CORTEX_POLICY_BUDGETS_LOCAL_SHARE", ["0.5", "1", "2", ".5", "1.", "1.1.1"]],
  ["CORTEX_POLICY_APPROVALS_NOTIFY", ["/n"]], ["CORTEX_POLICY_NOTHING", ["1"]], ["CORTEX_POLICY_ROOT", ["/r"]], ["CORTEX_POLICYX", ["1"]],
  ["CORTEX_AUDIT_LOG", ["/shared", "shared", ""]], ["CORTEX_HITL_STORE", ["/hitl"]], ["CORTEX_HITL_TIMEOUT_MS", ["1500", "x", "-1"]],
  ["CORTEX_POLICY_UNDECLARED_ARGS", ["deny"]], ["CORTEX_POLICY_VALIDATE_SELECT", ["C1"]],
];

/** Return a function that makes numbers below another one, the same ones for each run. */
function seededChance(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function makeCase(chance) {
  const some = (most, items) => Array.from({ length: chance(most + 1) }, () => items[chance(items.length)]);
  const files = {};
  for (const place of ["system", "user", "project"]) {
    if (chance(3) === 0) continue;
    const names = new Set();
    const lines = some(3, LINES).filter((line) => !names.has(line.split(/[=.\n]/)[0]) && names.add(line.split(/[=.\n]/)[0]));
    files[place] = [...(place === "system" && chance(2) ? some(1, LOCKS) : []), ...lines.sort((a, b) => a.startsWith("[") - b.startsWith("["))].join("\n");
  }
  const environment = Object.fromEntries(some(2, VARIABLES).map(([name, values]) => [name, values[chance(values.length)]]));
  return { files, environment };
}

// pieces of the URL of a server, right and wrong
const SCHEMES = ["redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+cluster://", "redis+cluster://", "http://", "redis:", ""];
const PLACES = ["a", "a:1", "a:0", "a:65535", "a:65536", "a:", "a,b:2", "[::1]", "[::1]:7", "[::g]", "[]:1", "[::1", "/x", "me@a", "me:x@a", "a@b@c", "", "a b", "a#b", "a\u00e9", ","];
const ENDS = ["", "/", "/0", "/12345", "/x", "/s", "/s/1", "/s/x", "?db=1", "?db=", "?ssl_ca_certs=/x", "?ssl_ca_certs=x", "?x", "?", "?ssl_keyfile=/x&ssl_keyfile=/y", "/0?ssl_certfile=/x"];

/** Return the settings that this package reads, null if they are invalid. */
function settingsOrNull({ files, environment }) {
  const layer = (place) => (files[place] === undefined ? [] : [decodeLayer(place, place, Buffer.from(files[place]))]);
  try {
    return settingsOfLayers([...sharedVariableLayers(environment), ...layer("system"), ...layer("user"), variablesLayer(environment), ...layer("project")]);
  } catch (error) {
    if (error instanceof GrantError) return null;
    throw error;
  }
}

/** Return the name of a setting from the name of a field in Python. */
function settingOfField(field) {
  return field.replace(/^(audit|approvals|budgets)_/, "$1.");
}

/** Return what Python makes of cases: the settings of each, or null. */
function answersOfPython(cases) {
  const input = cases.map((one) => `${JSON.stringify(one)}\n`).join("");
  const script = path.join(__dirname, "../../scripts/settings_answers.py");
  const { stdout } = spawnSync(PYTHON, [script], { input, encoding: "utf8", maxBuffer: 1 << 26 });
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

test("the URL of a server of budgets is one for both, and nothing is missing beside it", needsPython, () => {
  const more = "\nbudgets.name = 'x'\nbudgets.key_file = '/k'\n";
  const urls = SCHEMES.flatMap((scheme) => PLACES.flatMap((place) => ENDS.map((end) => scheme + place + end)));
  const cases = urls.map((url) => ({ files: { user: `budgets.url = '${url}'${more}` }, environment: {} }));
  const expected = answersOfPython(cases);
  const isServer = cases.map((one) => settingsOrNull(one) !== null);
  assert.deepEqual(urls.filter((_, at) => isServer[at]), urls.filter((_, at) => expected[at] !== null));
  assert.ok(new Set(isServer).size === 2);
});

test("4,000 random layers with locks are resolved as in Python, or denied", needsPython, () => {
  const chance = seededChance(20261201);
  const cases = Array.from({ length: CASES }, () => makeCase(chance));
  const expected = answersOfPython(cases);
  let valid = 0;
  let refused = 0;
  cases.forEach((one, at) => {
    const found = settingsOrNull(one);
    if (found === null) {
      refused += expected[at] === null ? 0 : 1; // more of TOML than is read here
      return;
    }
    assert.notEqual(expected[at], null, JSON.stringify(one));
    valid += 1;
    for (const [field, value] of Object.entries(expected[at])) {
      const own = found.get(settingOfField(field));
      if (field !== "state_dir" || own !== undefined) assert.equal(own ?? null, value, `${field} of ${JSON.stringify(one)}`);
    }
  });
  assert.ok(valid > CASES / 10 && refused < CASES / 20, `${valid} valid, ${refused} refused here alone`);
});
