// What governs grants, so that no path of a call may lead to it.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const process = require("node:process");

const { foldCase } = require("./path-arguments");
const { operatorDirectories } = require("./settings");

const MAX_LINKS = 40;
const KEPT_NS = 20e6; // directories of the policy, and links to them, are looked at again after that
const FILES = ["approvals.file", "budgets.key_file", "budgets.password_file"];

/**
 * What governs a grant: directories by device and inode, and names of what may not exist yet.
 * @typedef {object} ProtectedPaths
 * @property {Set<string>} identities
 * @property {string[]} paths
 * @property {string[]} logs what begins as they do, and as a rotated log does, is protected too
 * @property {string} [holder] the identity of `.cortex`
 */

const kept = new WeakMap(); // by origin

/** Return what governs a grant that was loaded. */
function protectionOf(origin) {
  const [seconds, nanoseconds] = process.hrtime();
  const now = seconds * 1e9 + nanoseconds;
  const found = kept.get(origin);
  if (found !== undefined && now - found.at < KEPT_NS) return found.protection;
  const { settings } = origin;
  const log = settings.get("audit.file");
  const files = [log, ...FILES.map((name) => settings.get(name))].filter((name) => name !== undefined);
  const names = [settings.get("state_dir") ?? defaultStateDirectory(), ...operatorDirectories(), ...files];
  const protection = protectedPaths(origin, names.filter((name) => name.startsWith("/")), log); // no other one is used
  kept.set(origin, { protection, at: now });
  return protection;
}

function defaultStateDirectory() {
  if (process.platform === "darwin") return `${os.homedir()}/Library/Caches/cortex-policy`;
  return `/dev/shm/cortex-policy-${process.geteuid()}`;
}

/** Return what no path of a call may lead to; `names` are directories and files besides the policy itself. */
function protectedPaths(origin, names, log) {
  const identities = new Set([origin.policyIdentity, origin.toolsIdentity]);
  for (const name of names) {
    const identity = identityOf(name);
    if (identity !== undefined) identities.add(identity); // else it is not there (yet): its name protects it
  }
  return {
    identities,
    paths: [...new Set([...names, ...names.map(realPathAsFarAsItExists)])],
    logs: log === undefined ? [] : [log, realPathAsFarAsItExists(log)],
    holder: identityOf(`${origin.root === "/" ? "" : origin.root}/.cortex`),
  };
}

function identityOf(name) {
  try {
    return identity(fs.statSync(name, { bigint: true }));
  } catch {
    return undefined;
  }
}

function identity(status) {
  return `${status.dev}:${status.ino}`;
}

/** Return where a name leads, as the kernel follows it; the part that does not exist (yet) as it is. */
function realPathAsFarAsItExists(name) {
  const left = name.split("/").reverse(); // components, the next one last
  let [reached, links] = ["", 0];
  while (left.length) {
    const part = left.pop();
    if (part === "..") reached = reached.slice(0, reached.lastIndexOf("/"));
    if (["", ".", ".."].includes(part)) continue;
    const target = links < MAX_LINKS ? targetOfLink(`${reached}/${part}`) : undefined;
    if (target === undefined) {
      reached = `${reached}/${part}`;
    } else {
      links += 1;
      left.push(...target.split("/").reverse());
      if (target.startsWith("/")) reached = "";
    }
  }
  return reached || "/";
}

function targetOfLink(name) {
  try {
    return fs.lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() ? fs.readlinkSync(name) : undefined;
  } catch {
    return undefined; // what cannot be followed is protected by its name
  }
}

/** Say what a path would govern; compared without case, as some file systems do. */
function protectionText(path, protection, origin) {
  const folded = foldCase(path);
  const holder = `${origin.root === "/" ? "" : origin.root}/.cortex`;
  for (const name of [`${holder}/policy`, ...protection.paths]) {
    if (folded === foldCase(name) || folded.startsWith(`${foldCase(name)}/`)) return `lies in \`${name}\`, which governs grants`;
  }
  for (const name of protection.logs) {
    if (isBesideLog(folded, foldCase(name))) return `lies beside \`${name}\`, which remembers calls`;
  }
  return folded === foldCase(holder) ? `is \`${holder}\`, which holds what governs grants` : "";
}

/** Whether a name is what a log is rotated to: a time may come before the extension. */
function isBesideLog(folded, log) {
  const directory = log.lastIndexOf("/") + 1;
  const dot = log.lastIndexOf(".");
  const stem = dot > directory && log.slice(directory, dot).replaceAll(".", "") ? log.slice(0, dot) : log;
  if (folded.startsWith(`${log}.`) || folded.startsWith(`${log}-`)) return true;
  return folded.startsWith(stem) && /^[.-][0-9]/.test(folded.slice(stem.length));
}

module.exports = { identity, identityOf, protectedPaths, protectionOf, protectionText };
