// Find the root and load a grant, only from files that nobody else could have written.
"use strict";

const fs = require("node:fs");

const { GrantError } = require("./errors");
const { mayExist } = require("./files");
const { decodeGrant, isGrantId } = require("./grant");
const { MAX_BYTES } = require("./json");
const { ownOptions } = require("./options");
const { workingDirectory } = require("./paths");
const { isSettled, nanosecondsNow, printOfGrant, printOfSettings } = require("./prints");
const { readSettings, textOfVariable } = require("./settings");
const { checkStamped, sha256 } = require("./stamp");
const { checkHostStop, checkRootStop } = require("./stop");
const { TrustedWalk } = require("./trusted-walk");

const MAX_GRANTS = 64; // that are kept, the last used of all roots
const MAX_STAMP_BYTES = (1 << 24) + 1;
const ROOT_HINT = "name the directory that holds .cortex/policy; `cortex-policy init` makes one";

const cache = new Map(); // by root and id: {grant, print}

/**
 * Load a grant. One that is loaded again comes from memory, unless its file, the stamp or a settings file has changed.
 * @param {string} id
 * @param {{root?: string}} [options] the directory that holds `.cortex/policy`
 */
async function loadGrant(id, options) {
  return loadGrantSync(id, ownOptions(options).root);
}

function loadGrantSync(id, named) {
  if (!isGrantId(id)) throw new GrantError("grant_not_found", `\`${id}\` cannot be an id`);
  checkHostStop();
  const { path, isNamed } = findRoot(named);
  const policy = `${path === "/" ? "" : path}/.cortex/policy`;
  checkRootStop(policy);
  const key = `${path}\0${isNamed}\0${id}`; // the owner of a root that is not named is not trusted
  const now = nanosecondsNow();
  const print = printOfGrant(path, policy, id);
  const kept = cache.get(key);
  cache.delete(key);
  if (kept?.print === print) return keep(key, kept);
  const grant = readGrant(path, isNamed, policy, id);
  return isSettled(print, now) && printOfGrant(path, policy, id) === print ? keep(key, { grant, print }) : grant;
}

function keep(key, entry) {
  cache.set(key, entry);
  if (cache.size > MAX_GRANTS) cache.delete(cache.keys().next().value);
  return entry.grant;
}

/** Find the root: `named`, else `CORTEX_POLICY_ROOT`, else the one ancestor that holds `.cortex/policy`. */
function findRoot(named) {
  const variable = textOfVariable("CORTEX_POLICY_ROOT") || undefined;
  if (named === undefined && variable !== undefined && !variable.startsWith("/")) {
    throw new GrantError("root_not_found", `CORTEX_POLICY_ROOT is not absolute: \`${variable}\``, ROOT_HINT);
  }
  const name = named ?? variable;
  return name === undefined ? findRootAbove(workingDirectory()) : { path: resolveRoot(name), isNamed: true };
}

function resolveRoot(name) {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new GrantError("root_not_found", "the name of the root is empty or holds a NUL", ROOT_HINT);
  }
  let data;
  try {
    data = fs.realpathSync.native(name, "buffer");
  } catch (error) {
    throw new GrantError("root_not_found", `\`${name}\`: ${error.code}`, ROOT_HINT);
  }
  const path = data.toString("utf8");
  if (!Buffer.from(path).equals(data)) throw new GrantError("root_not_found", `\`${path}\` is not UTF-8`, ROOT_HINT);
  if (!mayHoldPolicy(path)) throw new GrantError("root_not_found", `\`${path}\` holds no .cortex/policy`, ROOT_HINT);
  return path;
}

function findRootAbove(directory) {
  if (directory === undefined) {
    throw new GrantError("root_not_found", "the working directory is gone, was moved, or is not UTF-8", ROOT_HINT);
  }
  const roots = [];
  for (let path = directory; ; path = path.slice(0, path.lastIndexOf("/")) || "/") {
    if (mayHoldPolicy(path)) roots.push(path);
    if (path === "/") break;
  }
  if (roots.length === 1) return { path: roots[0], isNamed: false };
  if (roots.length) {
    const all = roots.map((root) => `\`${root}\``).join(" and ");
    throw new GrantError("root_ambiguous", all, "name one with the option `root`, or with CORTEX_POLICY_ROOT");
  }
  throw new GrantError("root_not_found", `neither \`${directory}\` nor a directory above it holds .cortex/policy`, ROOT_HINT);
}

function mayHoldPolicy(directory) {
  return mayExist(`${directory === "/" ? "" : directory}/.cortex/policy`);
}

/** Read one grant, from the root downwards by open directories. */
function readGrant(root, isNamed, policyPath, id) {
  const walk = new TrustedWalk(isNamed);
  try {
    const { top, policy } = enterPolicy(walk, root);
    const tools = walk.enter(policy, "tools");
    const data = walk.read(tools, `${id}.json`, MAX_BYTES + 1);
    if (data === undefined) throw new GrantError("grant_not_found", `\`${id}\` in ${tools.path}`, "see `cortex-policy list`");
    const digest = sha256(data);
    const decided = readWhatDecides(walk, { top, policy, policyPath, id, digest });
    const identities = { ...originOf(root, top, policy, tools), ...decided, policyPath };
    return decodeGrant(data, id, { root, file: `${tools.path}/${id}.json`, sha256: digest, identities });
  } finally {
    walk.close();
  }
}

/** Return what decides by a grant now that was loaded before: as `loadGrant` would, but of the same grant. */
function readOriginAgain(grant, origin) {
  const walk = new TrustedWalk(true); // what leads to the root was checked when the grant was loaded
  try {
    const { top, policy } = enterPolicy(walk, origin.root);
    return { ...origin, ...readWhatDecides(walk, { top, policy, policyPath: origin.policyPath, id: grant.id, digest: grant.sha256 }) };
  } finally {
    walk.close();
  }
}

function enterPolicy(walk, root) {
  const top = walk.enter(undefined, root);
  const policy = walk.enter(walk.enter(top, ".cortex"), "policy");
  checkRootStop(policy.path);
  return { top, policy };
}

/** Return the settings; throw GrantError if a file is unsafe, or the settings require a stamp that the grant does not have. */
function readWhatDecides(walk, { top, policy, policyPath, id, digest }) {
  const now = nanosecondsNow();
  const print = printOfSettings(policyPath);
  const stamp = walk.read(policy, "stamp.json", MAX_STAMP_BYTES);
  walk.throwIfUnsafe();
  const settings = readSettings(policyPath, top.status.uid);
  if (settings.get("stamp") === "require") checkStamped(stamp, id, `sha256:${digest}`);
  return { settings, rules: rulesOf(settings), print: isSettled(print, now) ? print : undefined };
}

/** Return the settings by which rules decide. */
function rulesOf(settings) {
  return Object.freeze({
    sensitive: settings.get("sensitive"),
    requirePath: settings.get("require_path"),
    undeclaredArgs: settings.get("undeclared_args"),
  });
}

function originOf(root, ...directories) {
  const [top, policy, tools] = directories.map(({ descriptor }) => fs.fstatSync(descriptor, { bigint: true }));
  const identity = (status) => `${status.dev}:${status.ino}`;
  return {
    root, device: top.dev, rootIdentity: identity(top), policyIdentity: identity(policy), toolsIdentity: identity(tools),
  };
}

module.exports = { loadGrant, readOriginAgain };
