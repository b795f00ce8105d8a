// What may lead out of a scope, or to what governs grants: with real files.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const process = require("node:process");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");

const { decide, loadGrant } = require("..");
const { SCRATCH, USER, makeRoot } = require("./support/roots");

/** Make a root with files, and return a function that decides a call with a path from its directory. */
async function rootOf(fsScope = ["docs"], files = { "docs/x": "", "docs/a/b/y": "", "other/z": "" }) {
  const root = makeRoot({ g: { fsScope, rate: { perMinute: 1e9 } } }, files);
  const grant = await loadGrant("g", { root });
  return { root, ask: (given) => decide(grant, "read", { path: given }), grant };
}

function link(root, name, target) {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  fs.symlinkSync(target, path.join(root, name));
}

test("links are followed as the kernel follows them", async () => {
  const { root, ask } = await rootOf();
  const inside = { inner: "a/b", absolute: `${root}/docs/a`, file: "x", chain: "inner", up: "../docs/a" };
  const outside = { out: "/etc", rise: "../..", sibling: "../other", twice: "out", loop: "loop", "to-policy": "../.cortex" };
  for (const [name, target] of Object.entries({ ...inside, ...outside })) link(root, `docs/${name}`, target);
  for (const name of Object.keys(inside)) assert.equal(ask(`${root}/docs/${name}`).allowed, true, name);
  for (const name of Object.keys(outside)) {
    assert.equal(ask(`${root}/docs/${name}/passwd`).reason, "path_outside_scope", name);
    assert.equal(ask(`${root}/docs/${name}`).reason, "path_outside_scope", name);
  }
  assert.equal(ask(`${root}/docs/inner/../b/y`).allowed, true); // the kernel is in docs/a, the text in docs
  assert.equal(ask(`${root}/docs/sibling/../docs/x`).allowed, true);
  assert.equal(ask(`${root}/docs/sibling/../x`).allowed, false); // the kernel is in the root, the text in docs
  assert.equal(ask(`${root}/other/../docs/x`).allowed, true);
});

test("what does not exist is in a scope by its name, unless a `..` comes after it", async () => {
  const { root, ask } = await rootOf();
  assert.equal(ask(`${root}/docs/new/file`).allowed, true);
  assert.equal(ask(`${root}/docs/new/../x`).reason, "path_outside_scope");
  assert.equal(ask(`${root}/docs/x/y`).reason, "path_outside_scope"); // a file is no directory
  link(root, "docs/dangling", "../new");
  assert.equal(ask(`${root}/docs/dangling`).reason, "path_outside_scope");
});

test("names that look like others, or hold odd characters, are what they are", async () => {
  const { root, ask } = await rootOf(["docs"], { "docs/x": "", "docsx/x": "", "docs/ü": "", "docs/a b": "", "DOCS/x": "" });
  for (const given of ["docsx/x", "DOCS/x", "docs\u0000/../../etc", "docs/\u001b[0m", "~/docs/x", "file:docs/x", "docs\\x", "docs/x ",
    "", "\ud800", "docs/\udcff", "//etc/passwd", "docs/".repeat(500) + "../".repeat(600)]) {
    assert.equal(ask(given && !given.startsWith("/") && !/^[~f]/.test(given) ? `${root}/${given}` : given).allowed, false, JSON.stringify(given));
  }
  for (const given of ["docs/ü", "docs/a b", "docs//x", "docs/./x", "docs/", "docs", "docs/u\u0308"]) {
    assert.equal(ask(`${root}/${given}`).allowed, true, given);
  }
});

test("a name that is too long ends the way, and a way that is too long is denied", async () => {
  const { root, ask } = await rootOf();
  assert.equal(ask(`${root}/docs/${"n".repeat(300)}`).allowed, false);
  const deep = "d".repeat(200);
  const before = process.cwd();
  process.chdir(path.join(root, "docs"));
  for (let depth = 0; depth < 25; depth += 1) {
    fs.mkdirSync(deep);
    process.chdir(deep);
    if (depth === 11) fs.symlinkSync(`${deep}/`.repeat(12), "far");
  }
  fs.symlinkSync(path.join(root, ".cortex"), "policy");
  process.chdir(before);
  const open = await loadGrant("open", { root: makeRoot({ open: {} }) });
  const far = `${root}/docs/${`${deep}/`.repeat(12)}far/${deep}/policy/policy`;
  assert.equal(ask(far).allowed, false);
  assert.equal(decide(open, "read", { path: far }).allowed, false);
});

test("no grant reaches what governs it, in whatever way it is named", async () => {
  const { root, ask } = await rootOf([], { "docs/x": "" });
  link(root, "docs/policy", "../.cortex/policy");
  link(root, "docs/up", "..");
  const alias = path.join(SCRATCH, "alias");
  fs.symlinkSync(root, alias);
  for (const given of [".cortex", ".cortex/policy", ".cortex/policy/tools/g.json", ".cortex/policy/new", ".CORTEX/policy/x",
    "docs/policy/stop", "docs/up/.cortex/policy/config.toml", "docs/../.cortex/policy/tools"]) {
    assert.equal(ask(`${root}/${given}`).allowed, false, given);
    assert.equal(ask(`${alias}/${given}`).allowed, false, given);
  }
  const state = `/dev/shm/cortex-policy-${process.geteuid()}`;
  for (const given of ["/etc/cortex-policy/config.toml", `${process.env.XDG_CONFIG_HOME}/cortex-policy/config.toml`,
    `${state}/x`, "/proc/self/cwd/x", "/proc/self/root/etc"]) {
    assert.equal(ask(given).allowed, false, given);
  }
  assert.equal(ask("/etc/passwd").allowed, true);
});

test("no grant reaches what will govern it, where a link leads to what does not exist yet", async () => {
  const { ask } = await rootOf([]);
  const [later, config] = [path.join(SCRATCH, "later"), path.join(USER, "config.toml")];
  fs.symlinkSync("later/../later/approvals.jsonl", path.join(SCRATCH, "approvals"));
  fs.symlinkSync("approvals", path.join(SCRATCH, "approvals-by-two"));
  for (const name of ["approvals", "approvals-by-two"]) {
    fs.writeFileSync(config, `[approvals]\nfile = "${SCRATCH}/${name}"\n`);
    const grant = await loadGrant("g", { root: makeRoot() });
    assert.equal(decide(grant, "read", { path: `${later}/approvals.jsonl` }).allowed, false);
    assert.equal(decide(grant, "read", { path: later }).allowed, true);
  }
  fs.rmSync(config);
  assert.equal(ask(later).allowed, true);
});

test("an absolute path that goes through a link to the root is inside of it", async () => {
  const { root, ask } = await rootOf();
  const alias = path.join(SCRATCH, "alias-of-root");
  fs.symlinkSync(root, alias);
  assert.equal(ask(`${alias}/docs/x`).allowed, true);
  assert.equal(ask(`${alias}/other/z`).allowed, false);
});

test("a relative path begins at the working directory, and none is believed that was moved or removed", async () => {
  const { root, ask } = await rootOf();
  const before = process.cwd();
  process.chdir(path.join(root, "docs/a"));
  assert.equal(ask("b/y").allowed, true);
  assert.equal(ask("../../other/z").allowed, false);
  assert.equal(ask("docs/x").allowed, true); // docs/a/docs/x: it need not exist
  fs.renameSync(path.join(root, "docs/a"), path.join(root, "other/a"));
  assert.equal(ask("b/y").allowed, false);
  fs.mkdirSync(path.join(root, "docs/a"));
  assert.equal(ask("b/y").allowed, false);
  process.chdir(before);
});

test("every path of a call counts, however deep it is", async () => {
  const { root, grant } = await rootOf();
  const x = `${root}/docs/x`;
  for (const args of [{ path: x, targetPath: "/etc" }, { paths: [x, "/etc"] }, { options: { path: "/etc" } }, { file: "/etc" },
    { list: [{ deep: { src: ["/etc"] } }] }, { path: 7 }, { path: { a: 1 } }, { path: [[x]] }, new Map([["path", "/etc"]])]) {
    assert.equal(decide(grant, "read", args).reason, "path_outside_scope", JSON.stringify(args));
  }
  assert.equal(decide(grant, "read", { paths: [x, x], text: "/etc", list: [{ src: [x] }] }).allowed, true);
});

test("a link that is swapped all the time never leads a call out of its scope unseen", async () => {
  const { root, ask } = await rootOf(["docs"], { "docs/a/x": "", "other/x": "" });
  const worker = new Worker(`
    const fs = require("node:fs");
    const { workerData: root, parentPort } = require("node:worker_threads");
    let isOut = false;
    parentPort.on("message", () => process.exit());
    (function swap() {
      for (let round = 0; round < 50; round += 1) {
        isOut = !isOut;
        fs.symlinkSync(isOut ? "../other" : "a", root + "/docs/new");
        fs.renameSync(root + "/docs/new", root + "/docs/link");
      }
      setImmediate(swap);
    })();
    parentPort.postMessage("ready");
  `, { eval: true, workerData: root });
  await new Promise((resolve) => worker.once("message", resolve));
  const seen = new Set();
  for (let round = 0; round < 3000; round += 1) {
    const decision = ask(`${root}/docs/link/x`);
    const { resolved } = decision.paths[0];
    // INVARIANT: an allowed path is the one that was looked at
    assert.equal(decision.allowed, resolved === `${root}/docs/a/x`);
    seen.add(resolved);
  }
  await worker.terminate();
  assert.ok(seen.size >= 1);
});
