// Find the root and load a grant, only from files that nobody else could have written.
"use strict";

const fs = require("node:fs");
const { dirname } = require("node:path");
const process = require("node:process");

const { GrantError } = require("./errors");
const { fingerprintOf, mayExist, openDirectory, readFileIn, trustOf, trustProblemText } = require("./files");
const { decodeGrant, isGrantId } = require("./grant");
const { MAX_BYTES } = require("./json");
const { workingDirectory } = require("./paths");
const { operatorDirectories, readSettings, textOfVariable } = require("./settings");
const { checkStamped, sha256 } = require("./stamp");
const { checkHostStop, checkRootStop } = require("./stop");

const MAX_GRANTS = 64; // that are kept, the last used of all roots
const MAX_STAMP_BYTES = (1 << 24) + 1;
const SETTLED_NS = 20_000_000n; // a file that changed later than this may change again without a sign of it
const ROOT_HINT = "name the directory that holds .cortex/policy; `cortex-policy init` makes one";

const cache = new Map(); // by root and id: {grant, seen}

/**
 * Load a grant. One that is loaded again comes from memory, unless its file, the stamp or a settings file has changed.
 * @param {string} id
 * @param {{root?: string}} [options] the directory that holds `.cortex/policy`
 */
async function loadGrant(id, options = {}) {
  return loadGrantSync(id, Object.hasOwn(options, "root") ? options.root : undefined); // none that a prototype was given
}

function loadGrantSync(id, named) {
  if (!isGrantId(id)) throw new GrantError("grant_not_found", `\`${id}\` cannot be an id`);
  checkHostStop();
  const { path, isNamed } = findRoot(named);
  const policy = `${path === "/" ? "" : path}/.cortex/policy`;
  checkRootStop(policy);
  const key = `${path}\0${isNamed}\0${id}`; // the owner of a root that is not named is not trusted
  const seen = fingerprints(path, policy, id);
  const cached = cache.get(key);
  cache.delete(key);
  const grant = cached?.seen === seen ? cached.grant : readGrant(path, isNamed, policy, id);
  if (isSettled(seen) && fingerprints(path, policy, id) === seen) keep(key, { grant, seen });
  return grant;
}

function keep(key, entry) {
  cache.set(key, entry);
  if (cache.size > MAX_GRANTS) cache.delete(cache.keys().next().value);
}

/** Return what changes if anything that decides by this grant does: the files, the environment and the user. */
function fingerprints(root, policy, id) {
  const [system, user] = operatorDirectories();
  const files = [
    policy, `${policy}/tools`, `${policy}/tools/${id}.json`, `${policy}/stamp.json`,
    ...[system, user, policy].map((directory) => `${directory}/config.toml`),
  ];
  const variables = Object.entries(process.env).filter(([name]) => /^(CORTEX_|XDG_CONFIG_HOME$|HOME$)/.test(name));
  const above = [root, dirname(policy)].map((directory) => printOrUnknown(trustOf, directory));
  return JSON.stringify([files.map((file) => printOrUnknown(fingerprintOf, file)), above, variables, process.geteuid()]);
}

function printOrUnknown(printOf, file) {
  try {
    return printOf(file);
  } catch (error) {
    return error.code;
  }
}

function isSettled(seen) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const [prints] = JSON.parse(seen);
  return prints.every((print) => !print.includes(":") || BigInt(print.split(":")[4]) < now - SETTLED_NS);
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
  const walk = new TrustedWalk(root, isNamed);
  try {
    const top = walk.enter(undefined, root);
    const holder = walk.enter(top, ".cortex");
    const policy = walk.enter(holder, "policy");
    checkRootStop(policy.path);
    const tools = walk.enter(policy, "tools");
    const data = walk.read(tools, `${id}.json`, MAX_BYTES + 1);
    if (data === undefined) throw new GrantError("grant_not_found", `\`${id}\` in ${tools.path}`, "see `cortex-policy list`");
    const stamp = walk.read(policy, "stamp.json", MAX_STAMP_BYTES);
    walk.throwIfUnsafe();
    const settings = readSettings(policyPath, top.status.uid);
    const digest = sha256(data);
    if (settings.get("stamp") === "require") checkStamped(stamp, id, `sha256:${digest}`);
    const identities = { ...originOf(root, top, policy, tools), settings, rules: rulesOf(settings), policyPath };
    return decodeGrant(data, id, { root, file: `${tools.path}/${id}.json`, sha256: digest, identities });
  } finally {
    walk.close();
  }
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

/** Opens directories, each from the one above, and notes whatever others could have written. */
class TrustedWalk {
  constructor(root, isNamed) {
    this.isNamed = isNamed;
    this.owners = new Set([0, process.geteuid()]);
    this.open = [];
    this.problems = [];
  }

  enter(parent, name) {
    const path = parent === undefined ? name : `${parent.path === "/" ? "" : parent.path}/${name}`;
    let directory;
    try {
      directory = openDirectory(path, parent, name);
    } catch (error) {
      if (error.code === "ENOENT") throw new GrantError("grant_not_found", `\`${path}\` does not exist`);
      throw unsafe(`\`${path}\` is a link or no directory, or cannot be opened (${error.code})`);
    }
    this.open.push(directory.descriptor);
    if (parent === undefined && this.isNamed) this.owners.add(directory.status.uid);
    this.note(path, directory.status, { isStickySafe: parent === undefined });
    return directory;
  }

  read(directory, name, maxBytes) {
    const path = `${directory.path}/${name}`;
    try {
      return readFileIn(directory, name, maxBytes, (status) => {
        this.note(path, status);
        const isPlain = status.isFile() && (status.nlink === 1 || status.uid === 0);
        if (!isPlain) throw unsafe(`\`${path}\` is no regular file with one name`);
      }).data;
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error instanceof GrantError ? error : unsafe(`\`${path}\` is a link, or cannot be read (${error.code})`);
    }
  }

  note(path, status, options) {
    const why = trustProblemText(status, this.owners, options);
    if (why) this.problems.push(`\`${path}\` ${why}`);
  }

  throwIfUnsafe() {
    if (this.problems.length) throw unsafe(this.problems.join("; "));
  }

  close() {
    for (const descriptor of this.open) fs.closeSync(descriptor);
  }
}

function unsafe(detail) {
  return new GrantError("grant_unsafe", detail, "`cortex-policy doctor` names the command that fixes it");
}

module.exports = { loadGrant };
