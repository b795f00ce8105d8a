// Resolve a path argument: collapse it as text, and follow it as the kernel does, by `lstat` and `readlink`.
//
// Node has no `openat`, so a directory on the way may be swapped between two steps. The answer holds for the instant.
"use strict";

const fs = require("node:fs");
const os = require("node:os");

const { StateError } = require("./errors");
const { collapsePath, foldCase, pathArguments, relativeToRoot } = require("./path-arguments");
const { findMatchingScope } = require("./scopes");

const MAX_LINKS = 40;
const MAX_COMPONENTS = 1024; // that exist, on one way
const SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOMEM"]);
const NO_DIRECTORY = "is not a directory";
const MISSING = "does not exist, but a `..` comes after it";

/** A way cannot be followed, so that it may lead to what governs grants; says why. */
class UnresolvablePathError extends Error {}

/**
 * What governs a grant: directories by device and inode, and names of what may not exist yet.
 * @typedef {object} ProtectedPaths
 * @property {Set<string>} identities
 * @property {string[]} paths
 * @property {string[]} logs what begins as they do, and as a rotated log does, is protected too
 * @property {string} [holder] the identity of `.cortex`
 */

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

/** Return where a name leads, the part that does not exist as it is. */
function realPathAsFarAsItExists(name) {
  const parts = collapsePath(name).split("/").filter(Boolean);
  for (let count = parts.length; count > 0; count -= 1) {
    try {
      const real = fs.realpathSync.native(`/${parts.slice(0, count).join("/")}`);
      return collapsePath([real, ...parts.slice(count)].join("/"));
    } catch {
      continue; // what is above it may exist
    }
  }
  return "/";
}

/** Resolve every path argument of a call from a directory, undefined if that is gone. */
function resolvePathArguments(declarations, scopes, args, origin, protection, directory) {
  const seen = new Map();
  for (const [argument, given] of pathArguments(declarations, args)) {
    const key = JSON.stringify([argument, given]);
    if (given !== null && !seen.has(key)) {
      seen.set(key, resolvePath(argument, given, origin, protection, scopes, directory));
    }
  }
  return [...seen.values()];
}

/** Return one path as text and as the kernel resolves it. */
function resolvePath(argument, given, origin, protection, scopes, directory) {
  const path = { argument, given, error: "", protectedReason: "" };
  const [text] = given.split("\0", 1); // what C reads of it
  if (directory === undefined && !text.startsWith("/")) {
    // from a deleted directory `..` still leads somewhere: no scope can be shown to hold
    return { ...path, protectedReason: "cannot be resolved: the working directory is gone" };
  }
  const absolute = text.startsWith("/") ? text : `${directory}/${text}`;
  if (!absolute.isWellFormed()) return { ...path, error: "is not a path of this system" };
  const collapsed = collapsePath(absolute);
  const normalized = insideRoot(collapsed, origin);
  const named = protectionText(collapsed, protection, origin);
  const walks = walkBoth(absolute, collapsed, protection, origin);
  if (walks instanceof UnresolvablePathError) {
    const error = `cannot be resolved: ${walks.message}`;
    return { ...path, normalized, error, protectedReason: named || error };
  }
  const protectedReason = whyProtected(walks, named, protection, origin);
  const failed = walks.map((walk) => walk.error).find(Boolean);
  if (failed) return { ...path, normalized, error: `cannot be resolved: ${failed}`, protectedReason };
  const [resolved, resolvedCollapsed] = walks.map((walk) => walk.path);
  const resolvedInside = relativeToRoot(resolved, origin.root);
  const error =
    (text.length < given.length ? "holds a NUL" : "") || differenceText(resolved, resolvedCollapsed, origin, scopes);
  return { ...path, normalized, resolvedInside, resolved, error, protectedReason };
}

/** Walk the path, and its collapsed text: a program that collapses first follows other links than the kernel. */
function walkBoth(absolute, collapsed, protection, origin) {
  try {
    const walk = new PathWalk(absolute, protection, origin);
    return [walk, collapsed === absolute ? walk : new PathWalk(collapsed, protection, origin)];
  } catch (error) {
    if (error instanceof UnresolvablePathError) return error;
    throw error;
  }
}

function whyProtected(walks, named, protection, origin) {
  const found = walks.find((walk) => walk.isProtected);
  if (found !== undefined) return `leads to \`${found.path}\`, which governs grants`;
  return walks.reduce((why, walk) => why || protectionText(walk.path, protection, origin), named);
}

function differenceText(resolved, resolvedCollapsed, origin, scopes) {
  if (resolved === resolvedCollapsed) return "";
  const isIn = (path) => findMatchingScope(scopes, relativeToRoot(path, origin.root)) !== undefined;
  return isIn(resolved) && !isIn(resolvedCollapsed)
    ? `leads to \`${resolvedCollapsed}\` once its \`..\` are collapsed, which is in no scope`
    : "";
}

/**
 * A way as the kernel follows it, one component at a time from the directory that it has reached.
 *
 * `path` is where it ends. `error` says why the kernel finds nothing there; from there on it goes as a program goes
 * that drops `missing/..` before it opens. `isProtected`: it ends at or below what governs grants.
 */
class PathWalk {
  constructor(path, protection, origin) {
    this.error = "";
    this.protection = protection;
    this.device = origin.device;
    this.links = 0;
    this.components = 0;
    this.left = componentsLastFirst(path); // of the way, the next one last
    this.trail = []; // directories that were reached
    this.below = []; // what is absent, or one file
    this.isFile = false;
    this.isProtectedFile = false;
    this.addDirectory("", callSystem(() => fs.lstatSync("/", { bigint: true })));
    while (this.left.length) this.followComponent(this.left.pop());
    this.path = [...this.trail.map(({ name }) => name), ...this.below].join("/") || "/";
    const end = this.trail.at(-1);
    const isHolder = !this.below.length && end.identity === protection.holder;
    this.isProtected = isHolder || end.isProtected || (this.isFile && this.isProtectedFile);
  }

  followComponent(part) {
    if (part === "." || part === "..") {
      if (this.below.length && (this.isFile || part === "..")) this.noteError();
      if (part === "..") this.goUp();
    } else if (this.below.length) {
      if (this.isFile) this.noteError();
      this.below.push(part);
    } else {
      this.visitName(part);
    }
  }

  noteError() {
    this.error ||= `\`${this.below.at(-1)}\` ${this.isFile ? NO_DIRECTORY : MISSING}`;
  }

  goUp() {
    if (this.below.length) {
      this.below.pop();
      this.isFile &&= this.below.length > 0;
    } else if (this.trail.length > 1) {
      this.trail.pop();
      const status = callSystem(() => fs.lstatSync(this.here(), { bigint: true }));
      if (identity(status) !== this.trail.at(-1).identity) {
        throw new UnresolvablePathError("a directory on its way was moved in between");
      }
    }
  }

  here() {
    return this.trail.map(({ name }) => name).join("/") || "/";
  }

  visitName(part) {
    const place = `${this.trail.length > 1 ? this.here() : ""}/${part}`;
    let status;
    try {
      status = fs.lstatSync(place, { bigint: true });
    } catch (error) {
      if (error.code === "ENAMETOOLONG") {
        this.error ||= systemErrorText(error);
      } else if (error.code !== "ENOENT") {
        throw unresolvable(error);
      }
      this.below.push(part);
      return;
    }
    this.components += 1;
    if (this.components > MAX_COMPONENTS) throw new UnresolvablePathError(`more than ${MAX_COMPONENTS} components`);
    if (status.isSymbolicLink()) {
      this.followLink(part, place, status.dev);
    } else if (status.isDirectory()) {
      if (this.left.length) callSystem(() => fs.accessSync(place, fs.constants.X_OK));
      this.addDirectory(part, status);
    } else {
      this.below.push(part);
      this.isFile = true;
      this.isProtectedFile = this.protection.identities.has(identity(status));
    }
  }

  followLink(link, place, device) {
    this.links += 1;
    if (this.links > MAX_LINKS) throw new UnresolvablePathError("too many links");
    if (device !== this.device) refuseProcLink(link, device);
    const target = callSystem(() => fs.readlinkSync(place, { encoding: "buffer" }));
    const text = target.toString("utf8");
    if (!Buffer.from(text).equals(target)) throw new UnresolvablePathError("a link leads to a name that is not UTF-8");
    if (text.startsWith("/")) this.trail.length = 1;
    this.left.push(...componentsLastFirst(text));
  }

  /** Note a directory: its name, its identity, and whether it or one above it governs. */
  addDirectory(name, status) {
    const own = identity(status);
    const isProtected = this.protection.identities.has(own) || (this.trail.at(-1)?.isProtected ?? false);
    this.trail.push({ name, identity: own, isProtected });
  }
}

function callSystem(call) {
  try {
    return call();
  } catch (error) {
    throw unresolvable(error);
  }
}

function unresolvable(error) {
  const why = systemErrorText(error);
  if (SHORTAGES.has(error.code)) throw new StateError(`a path cannot be resolved: ${why}`);
  return new UnresolvablePathError(why);
}

/** Say in lower case what the system answered, in its own words: Node has others. */
function systemErrorText(error) {
  const words = { EACCES: "permission denied", ELOOP: "too many levels of symbolic links", ENAMETOOLONG: "file name too long" };
  return words[error.code] ?? String(error.message).replace(/^[A-Z0-9]+: /, "").replace(/, .*/, "").toLowerCase();
}

/** Refuse a link in a proc file system: the kernel follows some itself, whatever their text says. */
function refuseProcLink(link, device) {
  if (os.platform() !== "linux") return;
  let mounts;
  try {
    mounts = fs.readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    throw new UnresolvablePathError("it is unknown whether a link in it is a link of a process: mount /proc");
  }
  const [major, minor] = [((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn), (device & 0xffn) | ((device >> 12n) & ~0xffn)];
  for (const line of mounts.split("\n")) {
    const [mount, kind = ""] = line.split(" - ", 2); // proc(5): ID, parent, major:minor, ... - type, source, options
    if (mount.split(" ")[2] === `${major}:${minor}` && kind.startsWith("proc ")) {
      throw new UnresolvablePathError(`\`${link}\` is a link inside /proc`);
    }
  }
}

/** Return the components of a path, the last one first; one that ends in `/` must be a directory. */
function componentsLastFirst(path) {
  const parts = path.split("/").filter(Boolean).reverse();
  return path.endsWith("/") ? [".", ...parts] : parts;
}

/** Spell a collapsed path relative to the root, which may have been reached through links. */
function insideRoot(collapsed, origin) {
  const inside = relativeToRoot(collapsed, origin.root);
  if (inside !== undefined) return inside;
  const parts = collapsed.split("/").filter(Boolean);
  for (let count = 1; count <= parts.length; count += 1) {
    const found = identityOf(`/${parts.slice(0, count).join("/")}`);
    if (found === undefined) return undefined;
    if (found === origin.rootIdentity) return parts.slice(count).join("/");
  }
  return undefined;
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

module.exports = { identityOf, protectedPaths, resolvePath, resolvePathArguments };
