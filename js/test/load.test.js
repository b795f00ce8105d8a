// Which grants load, and when one that was loaded is read again.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const process = require("node:process");
const { test } = require("node:test");

const { AccessDenied, decide, enforce, loadGrant } = require("..");
const { isSettled } = require("../src/prints");
const { SCRATCH, USER, grantFile, makeRoot, settle, write, writeGrant } = require("./support/roots");

const IS_ROOT = process.geteuid() === 0;
const STRANGER = 12345;

function loads(root, id = "g") {
  return loadGrant(id, { root });
}

function rejects(root, reason, id = "g") {
  return assert.rejects(loads(root, id), { reason });
}

test("a grant has what its file says", async () => {
  const root = makeRoot({ g: { tool: "git", fsScope: ["docs"], rate: { perMinute: 30.0 } } });
  const grant = await loads(root);
  assert.deepEqual({ ...grant }, {
    id: "g", tool: "git", actions: ["read"], perMinute: 30, dataClass: "internal", fsScope: ["docs"], root,
    file: grantFile(root), sha256: createHash("sha256").update(fs.readFileSync(grantFile(root))).digest("hex"),
  });
});

test("the root is named, in the environment, or above the working directory", async () => {
  const root = makeRoot({ g: {} }, { "a/b/file": "" });
  const before = process.cwd();
  process.chdir(path.join(root, "a/b"));
  assert.equal((await loadGrant("g")).root, root);
  write(path.join(root, "a/.cortex/policy/tools/g.json"), "{}");
  await assert.rejects(loadGrant("g"), { reason: "root_ambiguous" });
  process.env.CORTEX_POLICY_ROOT = root;
  assert.equal((await loadGrant("g")).root, root);
  process.env.CORTEX_POLICY_ROOT = "a";
  await assert.rejects(loadGrant("g"), { reason: "root_not_found" });
  delete process.env.CORTEX_POLICY_ROOT;
  process.chdir("/");
  await assert.rejects(loadGrant("g"), { reason: "root_not_found" });
  process.chdir(before);
  for (const name of ["", `${SCRATCH}/nothing`, "a\0b", 7, {}]) {
    await assert.rejects(loadGrant("g", { root: name }), { reason: "root_not_found" });
  }
});

test("a root that was loaded by its name is not trusted without the name", { skip: !IS_ROOT }, async () => {
  const root = makeRoot();
  execFileSync("chown", ["-R", String(STRANGER), root]);
  await settle();
  await loads(root);
  await settle();
  await loads(root);
  const before = process.cwd();
  process.chdir(root);
  await assert.rejects(loadGrant("g"), { reason: "grant_unsafe" });
  process.chdir(before);
});

test("a polluted prototype names no root, and makes no directory safe", async () => {
  const [root, open] = [makeRoot(), makeRoot()];
  fs.chmodSync(path.join(open, ".cortex/policy"), 0o1777);
  const before = process.cwd();
  process.chdir("/");
  Object.prototype.root = root;
  Object.prototype.isStickySafe = true;
  try {
    await assert.rejects(loadGrant("g"), { reason: "root_not_found" });
    await assert.rejects(loadGrant("g", {}), { reason: "root_not_found" });
    await rejects(open, "grant_unsafe");
  } finally {
    delete Object.prototype.root;
    delete Object.prototype.isStickySafe;
    process.chdir(before);
  }
});

test("a polluted prototype gives no variable", async () => {
  const [root, home] = [makeRoot(), path.join(SCRATCH, "home")];
  write(path.join(home, ".config/cortex-policy/config.toml"), "require_path = true\n");
  const before = { directory: process.cwd(), config: process.env.XDG_CONFIG_HOME, home: process.env.HOME };
  const pollution = { CORTEX_POLICY_ROOT: root, XDG_CONFIG_HOME: "/nowhere", CORTEX_AUDIT_LOG: "/log", places: ["project"], values: [] };
  process.chdir("/");
  process.env.HOME = home;
  delete process.env.XDG_CONFIG_HOME;
  Object.assign(Object.prototype, pollution);
  try {
    await assert.rejects(loadGrant("g"), { reason: "root_not_found" });
    const grant = await loadGrant("g", { root });
    assert.equal(decide(grant, "read").reason, "path_outside_scope");
    write(path.join(root, ".cortex/policy/config.toml"), 'audit.on_error = "ignore"\n');
    await rejects(root, "settings_invalid");
  } finally {
    for (const name of Object.keys(pollution)) delete Object.prototype[name];
    Object.assign(process.env, { XDG_CONFIG_HOME: before.config, HOME: before.home });
    process.chdir(before.directory);
  }
});

test("a working directory that was moved, or whose name Node cannot hold, leads to no root", async () => {
  const root = makeRoot({ g: {} }, { "a/file": "" });
  const name = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]);
  const before = process.cwd();
  process.chdir(path.join(root, "a"));
  process.cwd();
  fs.renameSync(path.join(root, "a"), path.join(SCRATCH, "moved"));
  await assert.rejects(loadGrant("g"), { reason: "root_not_found" });
  fs.symlinkSync(path.join(SCRATCH, "moved"), path.join(root, "a")); // by its old name it is in the root
  await assert.rejects(loadGrant("g"), { reason: "root_not_found" });
  process.chdir(before);
  fs.mkdirSync(name);
  const load = `require(${JSON.stringify(path.join(__dirname, ".."))}).loadGrant("g", JSON.parse(process.argv[1]))`;
  const code = `${load}.then((grant) => console.log(grant.root), (error) => console.log(error.reason))`;
  const run = (options, environment = "") => execFileSync("sh", [
    "-c", `cd "$1/$(printf '\\377')" && ${environment} exec "$2" -e "$3" "$4"`, "sh", root, process.execPath, code, JSON.stringify(options),
  ], { encoding: "utf8" }).trim();
  assert.equal(run({}), "root_not_found");
  assert.equal(run({ root }), root);
  for (const variable of ["HOME", "XDG_CONFIG_HOME", "CORTEX_POLICY_STATE_DIR", "CORTEX_POLICY_ROOT", "CORTEX_AUDIT_LOG"]) {
    const environment = `${variable === "HOME" ? "unset XDG_CONFIG_HOME;" : ""} export ${variable}="/a$(printf '\\377')";`;
    assert.equal(run({ root }, environment), "settings_invalid", variable);
  }
  fs.mkdirSync(path.join(root, "\ufffd/.cortex/policy"), { recursive: true });
  fs.mkdirSync(Buffer.concat([name, Buffer.from("/.cortex/policy")]), { recursive: true });
  assert.equal(run({ root: "." }), "root_not_found");
});

test("an id is a name, and nothing that leads to another file", async () => {
  const root = makeRoot();
  for (const id of ["../g", "tools/g", "g\0", "", ".", "g\n", "ſ", "hooks.toml", 7, null, { toString: () => "g" }]) {
    await rejects(root, "grant_not_found", id);
  }
  await assert.rejects(loadGrant("nothing", { root }), { reason: "grant_not_found" });
});

test("what others can write is refused", async () => {
  for (const [name, mode] of [["", 0o777], [".cortex", 0o777], [".cortex/policy", 0o775], [".cortex/policy/tools", 0o777],
    [".cortex/policy/tools/g.json", 0o664], [".cortex/policy/tools/g.json", 0o646]]) {
    const root = makeRoot();
    fs.chmodSync(path.join(root, name), mode);
    await rejects(root, "grant_unsafe");
  }
});

test("what another user owns is refused", { skip: !IS_ROOT && "only root can give files away" }, async () => {
  for (const name of [".cortex", ".cortex/policy", ".cortex/policy/tools", ".cortex/policy/tools/g.json"]) {
    const root = makeRoot();
    loads(root);
    fs.lchownSync(path.join(root, name), STRANGER, STRANGER);
    await settle();
    await rejects(root, "grant_unsafe");
  }
});

test("links, hard links, directories and pipes are no grants", async () => {
  for (const make of [
    (file) => { fs.renameSync(file, `${file}.real`); fs.symlinkSync(`${file}.real`, file); },
    (file) => { fs.rmSync(file); fs.mkdirSync(file); },
    (file) => { fs.rmSync(file); execFileSync("mkfifo", ["-m", "600", file]); },
  ]) {
    const root = makeRoot();
    make(grantFile(root));
    await rejects(root, "grant_unsafe");
  }
  for (const name of [".cortex", ".cortex/policy", ".cortex/policy/tools"]) {
    const root = makeRoot();
    fs.renameSync(path.join(root, name), path.join(root, "moved"));
    fs.symlinkSync(path.join(root, "moved"), path.join(root, name));
    await rejects(root, "grant_unsafe");
  }
});

test("an ACL that lets another user write is refused", async (context) => {
  const root = makeRoot();
  try {
    execFileSync("setfacl", ["-m", `u:${STRANGER}:rw`, grantFile(root)], { stdio: "ignore" });
  } catch {
    context.skip("setfacl is not here");
    return;
  }
  await rejects(root, "grant_unsafe");
});

test("an invalid grant names all its problems", async () => {
  const root = makeRoot({ g: '{"tool": "", "actions": "read"}' });
  await assert.rejects(loads(root), {
    name: "GrantError", exitCode: 21,
    message: "grant invalid: `rate` is missing; `tool` must be a string that is not empty; `actions` must be an array of strings",
  });
});

test("a grant that has not changed comes from memory", async () => {
  const root = makeRoot();
  await settle();
  const grant = await loads(root);
  assert.equal(await loads(root), grant);
});

test("a change of anything that decides is seen at once", async () => {
  const changes = {
    "the grant": (root) => writeGrant(root, "g", { actions: ["read", "write"] }),
    "its mode": (root) => fs.chmodSync(grantFile(root), 0o640),
    "the stamp": (root) => write(path.join(root, ".cortex/policy/stamp.json"), "{}"),
    "the settings of the project": (root) => write(path.join(root, ".cortex/policy/config.toml"), "require_path = true\n"),
    "the settings of the user": () => write(path.join(USER, "config.toml"), "require_path = true\n"),
    "a variable": () => { process.env.CORTEX_POLICY_REQUIRE_PATH = "true"; },
  };
  for (const [what, change] of Object.entries(changes)) {
    const root = makeRoot();
    await settle();
    const before = await loads(root);
    assert.equal(await loads(root), before, what);
    change(root);
    assert.notEqual(await loads(root), before, what);
    fs.rmSync(path.join(USER, "config.toml"), { force: true });
    delete process.env.CORTEX_POLICY_REQUIRE_PATH;
  }
});

test("a directory that others can write now is seen, though the grant is in memory", async () => {
  for (const name of ["", ".cortex", ".cortex/policy"]) {
    const root = makeRoot();
    await settle();
    await loads(root);
    await loads(root);
    fs.chmodSync(path.join(root, name), 0o777);
    await rejects(root, "grant_unsafe");
  }
});

test("settings that others can write now are seen, though the grant is in memory", async () => {
  const root = makeRoot();
  write(path.join(USER, "config.toml"), "require_path = false\n");
  await settle();
  await loads(root);
  await loads(root);
  fs.chmodSync(USER, 0o777);
  await rejects(root, "settings_invalid");
  fs.chmodSync(USER, 0o755);
  fs.rmSync(path.join(USER, "config.toml"));
});

test("a grant that a program holds is decided by the settings and the stamp of today", async () => {
  const root = makeRoot({ g: { dataClass: "sensitive" } });
  const config = path.join(root, ".cortex/policy/config.toml");
  const grant = await loads(root);
  await settle();
  assert.equal(enforce(grant, "read"), true);
  await settle();
  for (const [text, reason] of [['sensitive = "deny"\n', "approval_required"], ["require_path = true\n", "path_outside_scope"], ["\n", "allowed"]]) {
    write(config, text);
    await settle();
    assert.equal(decide(grant, "read").reason, reason);
  }
  process.env.CORTEX_POLICY_SENSITIVE = "deny";
  await settle();
  assert.equal(decide(grant, "read").reason, "approval_required");
  delete process.env.CORTEX_POLICY_SENSITIVE;
  write(config, 'stamp = "require"\n');
  await settle();
  assert.throws(() => enforce(grant, "read"), { reason: "stamp_mismatch" });
  write(config, "nothing = 1\n");
  await settle();
  assert.throws(() => enforce(grant, "read"), { reason: "settings_invalid" });
});

test("a grant that a program holds is none once its policy is gone, or another one is there", async () => {
  for (const name of [".cortex", ".cortex/policy", ""]) {
    const root = makeRoot();
    const grant = await loads(root);
    fs.renameSync(path.join(root, name), path.join(SCRATCH, "away"));
    await settle();
    assert.equal(decide(grant, "read").reason, "stopped");
    writeGrant(root, "g", {});
    await settle();
    assert.match(decide(grant, "read").message, /is not the directory that the grant was read from/);
    assert.equal(enforce(await loads(root), "read"), true);
    fs.rmSync(path.join(SCRATCH, "away"), { recursive: true });
  }
});

test("a file that was new when it was read is read again, however long this process was held up", async (context) => {
  const root = makeRoot();
  await settle();
  const read = fs.readSync;
  let reads = 0;
  context.mock.method(fs, "readSync", (...words) => {
    const count = read(...words);
    if (count > 0 && (reads += 1) === 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50); // of the settings
    return count;
  });
  write(path.join(root, ".cortex/policy/config.toml"), "require_path = false\n");
  const grant = await loads(root);
  assert.ok(reads > 2);
  assert.notEqual(await loads(root), undefined);
  assert.equal(grant.id, "g");
});

test("a file is kept once its next change has a later time, also where times are whole seconds", () => {
  const print = (changed) => JSON.stringify([[`1:2:3:${changed}:${changed}:4:5`, "", "EACCES"], []]);
  const now = 1_800_000_000_123_456_789n;
  assert.equal(isSettled(print(now - 21_000_000n), now), true);
  assert.equal(isSettled(print(now - 19_000_000n), now), false);
  assert.equal(isSettled(print(now + 1n), now), false);
  assert.equal(isSettled(print(1_799_999_999_000_000_000n), now), false);
  assert.equal(isSettled(print(1_799_999_998_000_000_000n), now), true);
});

test("a grant of the same size and times as the last one is read again if another file took its place", async () => {
  const root = makeRoot();
  const past = new Date(Date.now() - 1e6);
  fs.utimesSync(grantFile(root), past, past);
  await settle();
  assert.deepEqual((await loads(root)).actions, ["read"]);
  fs.writeFileSync(`${grantFile(root)}.new`, fs.readFileSync(grantFile(root), "utf8").replace("read", "rest"));
  fs.utimesSync(`${grantFile(root)}.new`, past, past);
  fs.renameSync(`${grantFile(root)}.new`, grantFile(root));
  assert.deepEqual((await loads(root)).actions, ["rest"]);
});

test("64 grants are kept, those that were used last", async () => {
  const ids = Array.from({ length: 70 }, (_, at) => `g${at}`);
  const root = makeRoot(Object.fromEntries(ids.map((id) => [id, {}])));
  await settle();
  const all = [];
  for (const id of ids) all.push(await loads(root, id));
  assert.equal(await loads(root, "g69"), all[69]);
  assert.notEqual(await loads(root, "g0"), all[0]);
});

test("with `stamp` required, a grant counts only if the stamp has its digest", async () => {
  const root = makeRoot({ g: {} }, { ".cortex/policy/config.toml": 'stamp = "require"\n' });
  await rejects(root, "stamp_mismatch");
  const digest = `sha256:${createHash("sha256").update(fs.readFileSync(grantFile(root))).digest("hex")}`;
  const checksum = `sha256:${createHash("sha256").update(`g ${digest}\n`).digest("hex")}`;
  const stamp = { format: 1, version: 1, grants: { g: digest }, checksum };
  write(path.join(root, ".cortex/policy/stamp.json"), stamp);
  assert.equal(enforce(await loads(root), "read"), true);
  for (const broken of [{ ...stamp, format: 2 }, { ...stamp, version: 0 }, { ...stamp, checksum: digest }, [], "{",
    { ...stamp, grants: { g: checksum } }, { ...stamp, pending: { g: 7 } }]) {
    write(path.join(root, ".cortex/policy/stamp.json"), broken);
    await rejects(root, "stamp_mismatch");
  }
});

test("an emergency stop denies loads and calls, and says why", async () => {
  const root = makeRoot();
  const grant = await loads(root);
  const stop = path.join(root, ".cortex/policy/stop");
  fs.writeFileSync(stop, "disk is full\nmore");
  await settle();
  await assert.rejects(loads(root), AccessDenied);
  assert.throws(() => enforce(grant, "read"), { message: "emergency stop", hint: /cortex-policy resume/ });
  assert.match(decide(grant, "read").message, /^emergency stop: by \S+ since \d{4}-\S+Z: disk is full$/);
  fs.rmSync(stop);
  fs.symlinkSync("/nowhere", stop); // whatever has the name stops
  assert.equal(decide(grant, "read").reason, "stopped");
  fs.rmSync(stop);
  assert.equal(enforce(grant, "read"), true);
});

test("settings that are not understood deny", async () => {
  for (const text of ["unknown = 1\n", "require_path = 1\n", 'sensitive = "maybe"\n', "require_path = true true\n", "x = [\n",
    "require_path = true\nrequire_path = false\n", 'state_dir = "/x"\n', "\ufeffrequire_path = true\n",
    'stamp = "off"\r', "# a\rb\n"]) {
    const root = makeRoot({ g: {} }, { ".cortex/policy/config.toml": text });
    await rejects(root, "settings_invalid");
  }
  const root = makeRoot({ g: {} }, { ".cortex/policy/config.toml": "require_path = true\n" });
  fs.chmodSync(path.join(root, ".cortex/policy/config.toml"), 0o666);
  await rejects(root, "settings_invalid");
});
