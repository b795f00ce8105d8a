// Follow a path as the kernel does, by `lstat` and `readlink`, one component after the other.
//
// Node has no `openat`, so a directory on the way may be swapped between two steps. The answer holds for the instant.
"use strict";

const fs = require("node:fs");
const os = require("node:os");

const { StateError } = require("./errors");
const { identity } = require("./protection");
const { systemErrorText } = require("./text");

const MAX_LINKS = 40;
const MAX_COMPONENTS = 1024; // that exist, on one way
const MAX_NAME = 255; // bytes of a component
const SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOMEM"]);
const NO_DIRECTORY = "is not a directory";
const MISSING = "does not exist, but a `..` comes after it";

/** A way cannot be followed, so that it may lead to what governs grants; says why. */
class UnresolvablePathError extends Error {}

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
      // of a name, `lstat` says that
      if (!this.below.length) callSystem(() => fs.accessSync(this.here(), fs.constants.X_OK));
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
      if (error.code === "ENAMETOOLONG" && Buffer.byteLength(part) > MAX_NAME) {
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

/** Refuse a link in a proc file system: the kernel follows some itself, whatever their text says. */
function refuseProcLink(link, device) {
  if (os.platform() !== "linux") return;
  let mounts;
  try {
    mounts = fs.readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    throw new UnresolvablePathError("without /proc nobody knows whether the path has a link of a process; mount /proc");
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

module.exports = { PathWalk, UnresolvablePathError };
