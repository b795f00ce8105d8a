// Make roots with grants in scratch directories, away from the settings of whoever runs the tests.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const process = require("node:process");
const { after } = require("node:test");

const SCRATCH = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "cortex-js-")));
const USER = path.join(SCRATCH, "config/cortex-policy"); // the settings of the user
const PROGRAM = path.join(__dirname, "../../../.venv/bin/cortex-policy");
const SETTLE_MS = 45; // a file that has just changed is read again
let count = 0;

for (const name of Object.keys(process.env)) {
  if (name.startsWith("CORTEX_")) delete process.env[name];
}
process.env.XDG_CONFIG_HOME = path.dirname(USER);
process.umask(0o022);
fs.mkdirSync(USER, { recursive: true });
after(() => execFileSync("rm", ["-rf", SCRATCH])); // Node cannot remove what is very deep

/** Write a file, and its directories. */
function write(file, content) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
}

/** Make a root with grants by id; the members that a grant does not give are those of a small one. */
function makeRoot(grants = { g: {} }, files = {}) {
  count += 1;
  const root = path.join(SCRATCH, `root${count}`);
  for (const [id, grant] of Object.entries(grants)) writeGrant(root, id, grant);
  for (const [name, content] of Object.entries(files)) write(path.join(root, name), content);
  return root;
}

function writeGrant(root, id, grant) {
  const whole = { tool: id, actions: ["read"], rate: { perMinute: 1000 }, ...grant };
  write(grantFile(root, id), typeof grant === "string" ? grant : whole);
}

function grantFile(root, id = "g") {
  return path.join(root, ".cortex/policy/tools", `${id}.json`);
}

function settle() {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

module.exports = { PROGRAM, SCRATCH, USER, grantFile, makeRoot, settle, write, writeGrant };
