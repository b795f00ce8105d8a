// Build the tree of a vector of the kind `load`, and ask what a call in it is answered.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const process = require("node:process");

const { CortexPolicyError, decide, loadGrant } = require("../..");
const { AccessDenied } = require("../../src/errors");
const host = require("../../src/host");
const { userLabel } = require("../../src/users");
const { BASE, replaceText } = require("./trees");
const { expandBytes } = require("./vectors");

const ORDINARY_USER = 12345; // asks what `needs` a `user`, if this process is root's
const IS_ROOT = process.geteuid() === 0;
const MODES = { file: "0644", directory: "0755", fifo: "0600", socket: "0600", device: "0600" };
const [USER, UID] = ["{user}", "{uid}"];
const bases = new Map(); // by owner and entries
let scratch;

/** Whether this process has what a vector needs. */
function canAsk({ needs = [] }) {
  return (IS_ROOT || !needs.some((need) => need === "root" || need === "device")) && (!needs.includes("device") || canMakeDevices());
}

function canMakeDevices() {
  const device = path.join(scratchDirectory(), "device");
  if (!fs.existsSync(device)) spawnSync("mknod", [device, "c", "1", "3"], { stdio: "ignore" });
  return fs.existsSync(device);
}

function scratchDirectory() {
  if (scratch === undefined) {
    scratch = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "cortex-load-")));
    fs.chmodSync(scratch, 0o755); // an ordinary user must find their tree in it
  }
  return scratch;
}

/** Build the tree of a vector, once, owned by whoever asks; return its base. */
async function buildLoadTree(vector) {
  const key = JSON.stringify([isAskedByUser(vector), vector.tree]);
  if (!bases.has(key)) bases.set(key, await newBase(vector));
  return bases.get(key);
}

async function newBase(vector) {
  const base = path.join(scratchDirectory(), `tree${bases.size}`);
  fs.mkdirSync(base, { mode: 0o755 });
  if (isAskedByUser(vector)) fs.chownSync(base, ORDINARY_USER, ORDINARY_USER);
  await asAsker(vector, () => {
    const before = process.umask(0o022);
    fs.mkdirSync(`${base}/state`, { mode: 0o700 });
    for (const entry of replaceText(vector.tree, BASE, base)) makeEntry(base, entry);
    process.umask(before);
  });
  return base;
}

function isAskedByUser({ needs = [] }) {
  return IS_ROOT && needs.includes("user");
}

/** Call a function as the user who asks a vector. */
async function asAsker(vector, call) {
  if (!isAskedByUser(vector)) return call();
  process.setegid(ORDINARY_USER);
  process.seteuid(ORDINARY_USER);
  try {
    return await call();
  } finally {
    process.seteuid(0);
    process.setegid(0);
  }
}

function makeEntry(base, entry) {
  const file = `${base}/${entry.path}`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  MAKERS[entry.kind](file, entry, base);
  if (entry.owner !== undefined || entry.group !== undefined) {
    fs.lchownSync(file, entry.owner ?? fs.lstatSync(file).uid, entry.group ?? fs.lstatSync(file).gid);
  }
  const mode = entry.mode ?? MODES[entry.kind];
  if (mode !== undefined) fs.chmodSync(file, Number.parseInt(mode, 8));
  if (entry.mtime !== undefined) fs.lutimesSync(file, entry.mtime, entry.mtime);
}

const MAKERS = {
  file: (file, { content = "" }) => fs.writeFileSync(file, expandBytes(content)),
  directory: (file) => fs.mkdirSync(file, { recursive: true }),
  link: (file, { target }) => fs.symlinkSync(target, file),
  hard_link: (file, { target }, base) => fs.linkSync(`${base}/${target}`, file),
  fifo: (file) => execFileSync("mkfifo", [file]),
  device: (file) => execFileSync("mknod", [file, "c", "1", "3"]),
  socket: makeSocket,
};

/** Leave a socket: a process that ends by itself would remove it. */
function makeSocket(file) {
  const code = "require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  spawnSync(process.execPath, ["-e", code, path.basename(file)], { cwd: path.dirname(file) }); // a short name
}

/** Return what the package answers to a vector. */
async function answerLoad(vector) {
  const base = await buildLoadTree(vector);
  return asAsker(vector, () => inSurroundings(vector, base, async () => {
    return withoutNames(await answerCall(replaceText(vector, BASE, base)), base);
  }));
}

function withoutNames(found, base) {
  const uid = process.geteuid();
  const named = replaceText(found, `by ${userLabel(uid)} since`, `by ${USER} since`);
  return replaceText(replaceText(named, `to user ${uid}`, `to user ${UID}`), base, BASE);
}

async function answerCall({ grant_id: id, root, action, args }) {
  try {
    return describe(decide(await loadGrant(id, { root }), action, args, { peek: true }));
  } catch (error) {
    if (!(error instanceof CortexPolicyError)) throw error;
    return describe(error instanceof AccessDenied ? error.decision : error);
  }
}

function describe({ allowed = false, reason, exitCode, message }) {
  return { allowed, reason, exit_code: exitCode, message };
}

/** Give a call its working directory and environment, and the host's settings a place in the tree. */
async function inSurroundings(vector, base, call) {
  const [before, directory, system] = [{ ...process.env }, process.cwd(), host.SYSTEM_DIRECTORY];
  const others = Object.entries(before).filter(([name]) => !name.startsWith("CORTEX_"));
  const usual = { XDG_CONFIG_HOME: `${BASE}/config`, CORTEX_POLICY_STATE_DIR: `${BASE}/state` };
  setEnvironment({ ...Object.fromEntries(others), ...replaceText({ ...usual, ...vector.environment }, BASE, base) });
  host.SYSTEM_DIRECTORY = `${base}/etc/cortex-policy`;
  enter(vector.cwd === undefined ? BASE : vector.cwd, base);
  try {
    return await call();
  } finally {
    process.chdir(directory);
    host.SYSTEM_DIRECTORY = system;
    setEnvironment(before);
  }
}

/** Have these variables and no others; null: none of that name. */
function setEnvironment(variables) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, text] of Object.entries(variables)) if (text !== null) process.env[name] = text;
}

/** Go to a working directory; null: to one that is gone. */
function enter(directory, base) {
  if (directory !== null) return process.chdir(directory.replace(BASE, base));
  fs.mkdirSync(`${base}/gone`);
  process.chdir(`${base}/gone`);
  return fs.rmdirSync(`${base}/gone`);
}

/** Compare an answer with what the vector expects, of this package if it differs by design. */
function compareLoads(found, { begins, ...expected }, id) {
  if (begins === undefined) return assert.deepEqual(found, expected, id);
  const { message, ...others } = found;
  return assert.deepEqual({ ...others, begins: message.slice(0, begins.length) }, { ...expected, begins }, id);
}

/** Remove all trees that were built. */
function removeLoadTrees() {
  if (scratch !== undefined) execFileSync("sh", ["-c", 'chmod -R u+rwX "$1" && rm -rf "$1"', "sh", scratch]);
  bases.clear();
  scratch = undefined;
}

module.exports = { answerLoad, buildLoadTree, canAsk, compareLoads, removeLoadTrees };
