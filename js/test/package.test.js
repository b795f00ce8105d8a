// The tarball holds what it should, installs without a network, and works with both ways to load it.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const policy = require("..");
const { SCRATCH, makeRoot } = require("./support/roots");

const TOP = path.join(__dirname, "..");
const MAX_BYTES = 100_000;

/** Pack the package; return where, and what npm says about it. */
function pack() {
  const words = ["pack", "--json", "--ignore-scripts", "--pack-destination", SCRATCH];
  const [info] = JSON.parse(execFileSync("npm", words, { cwd: TOP, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  return { file: path.join(SCRATCH, info.filename), info };
}

function run(directory, name, code) {
  fs.writeFileSync(path.join(directory, name), code);
  return execFileSync(process.execPath, [name], { cwd: directory, encoding: "utf8" }).trim();
}

test("the tarball is small, whole and installs offline into an empty directory", () => {
  const { file, info } = pack();
  assert.ok(info.size < MAX_BYTES, String(info.size));
  const names = info.files.map((one) => one.path);
  for (const name of ["LICENSE", "README.md", "index.d.ts", "index.d.mts", "index.mjs", "src/index.js"]) {
    assert.ok(names.includes(name), name);
  }
  assert.deepEqual(names.filter((name) => !/^(src\/|index\.|LICENSE$|README\.md$|package\.json$)/.test(name)), []);
  const directory = path.join(SCRATCH, "consumer");
  fs.mkdirSync(directory);
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", file], { cwd: directory, stdio: "ignore" });
  const root = JSON.stringify(makeRoot());
  const body = `loadGrant("g", { root: ${root} }).then((grant) => console.log(enforce(grant, "read"), decide(grant, "x").reason));`;
  const head = 'const { loadGrant, enforce, decide } = require("cortex-policy");';
  assert.equal(run(directory, "a.cjs", head + body), "true action_not_allowed");
  assert.equal(run(directory, "a.mjs", `import { loadGrant, enforce, decide } from "cortex-policy";${body}`), "true action_not_allowed");
  const both = 'import * as m from "cortex-policy"; import { createRequire } from "node:module";'
    + 'const c = createRequire(import.meta.url)("cortex-policy"); console.log(Object.keys(c).every((name) => c[name] === m[name]));';
  assert.equal(run(directory, "b.mjs", both), "true");
});

test("the types name what the package exports, and no more", () => {
  const types = fs.readFileSync(path.join(TOP, "index.d.ts"), "utf8");
  const values = [...types.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(values.sort(), Object.keys(policy).sort());
});

test("it depends on nothing", () => {
  const { dependencies, peerDependencies, optionalDependencies, scripts } = require("../package.json");
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined]);
  assert.deepEqual(Object.keys(scripts), ["test"]); // nothing runs at installation
});
