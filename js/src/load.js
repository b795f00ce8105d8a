// Load a grant, only from files that nobody else could have written, and keep it until one of them changes.
"use strict";

const fs = require("node:fs");
const process = require("node:process");

const { GrantError } = require("./errors");
const { decodeGrant, isGrantId } = require("./grant");
const { MAX_BYTES } = require("./json");
const { ownOptions } = require("./options");
const { isSettled, nanosecondsNow, printOfGrant, printOfSettings } = require("./prints");
const { findRoot, policyPathOf } = require("./roots");
const { readSettings } = require("./settings");
const { checkStamped, sha256 } = require("./stamp");
const { checkHostStop, checkRootStop } = require("./stop");
const { TrustedWalk } = require("./trusted-walk");

const MAX_GRANTS = 64; // that are kept, the last used of all roots
const MAX_STAMP_BYTES = (1 << 24) + 1;

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
  const policy = policyPathOf(path);
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

/** Read one grant, from the root downwards by open directories, then what else a call must meet. */
function readGrant(root, isNamed, policyPath, id) {
  const walk = new TrustedWalk(isNamed);
  try {
    const { top, policy } = enterPolicy(walk, root);
    const tools = walk.enter(policy, "tools");
    const data = walk.read(tools, `${id}.json`, MAX_BYTES + 1);
    walk.throwIfUnsafe();
    if (data === undefined || !hasExactName(tools, `${id}.json`)) {
      throw new GrantError("grant_not_found", `there is no \`${id}.json\` in \`${tools.path}\``, "see `cortex-policy list`");
    }
    const [origin, digest] = [{ ...originOf(root, top, policy, tools), policyPath }, sha256(data)];
    const grant = decodeGrant(data, id, { root, file: `${tools.path}/${id}.json`, sha256: digest }, origin);
    Object.assign(origin, readWhatDecides(walk, { top, policy, policyPath, id, digest }));
    return grant;
  } finally {
    walk.close();
  }
}

/** Whether a file is called as its grant is: file systems of macOS ignore case. */
function hasExactName(directory, name) {
  return process.platform !== "darwin" || fs.readdirSync(directory.path).includes(name);
}

/** Return what decides by a grant now that was loaded before: as `loadGrant` would, but of the same grant. */
function readOriginAgain(grant, origin) {
  const walk = new TrustedWalk(true); // what leads to the root was checked when the grant was loaded
  try {
    const { top, policy } = enterPolicy(walk, origin.root);
    walk.throwIfUnsafe();
    return { ...origin, ...readWhatDecides(walk, { top, policy, policyPath: origin.policyPath, id: grant.id, digest: grant.sha256 }) };
  } finally {
    walk.close();
  }
}

function enterPolicy(walk, root) {
  const top = walk.enter(undefined, root);
  const policy = walk.enter(walk.enter(top, ".cortex"), "policy");
  checkRootStop(policy.path, policy);
  return { top, policy };
}

/** Return the settings; throw GrantError if a file is unsafe, or the settings require a stamp that the grant does not have. */
function readWhatDecides(walk, { top, policy, policyPath, id, digest }) {
  const now = nanosecondsNow();
  const print = printOfSettings(policyPath);
  const settings = readSettings(policyPath, top.status.uid);
  if (settings.get("stamp") === "require") {
    const stamp = walk.read(policy, "stamp.json", MAX_STAMP_BYTES);
    walk.throwIfUnsafe();
    checkStamped(stamp, `${policy.path}/stamp.json`, id, `sha256:${digest}`);
  }
  return { settings, rules: rulesOf(settings), print: isSettled(print, now) ? print : undefined };
}

/** Return the settings by which rules decide. */
function rulesOf(settings) {
  return Object.freeze({
    sensitive: settings.get("sensitive"),
    requirePath: settings.get("require_path"),
    undeclaredArgs: settings.get("undeclared_args"),
    isAudited: settings.get("audit.file") !== undefined && settings.get("audit.on_error") !== "ignore",
    isShared: settings.get("budgets.url") !== undefined,
    hasStateDirectory: (settings.get("state_dir") ?? "/").startsWith("/"), // one that the program accepts
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
