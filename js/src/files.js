// Open files that decide calls: only what nobody else could have written, step by step, without following links.
"use strict";

const fs = require("node:fs");
const process = require("node:process");

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const [OWNER_BIT_OF_GROUP, OWNER_BIT_OF_OTHERS, STICKY] = [0o020, 0o002, 0o1000];
const [OWNER, UNKNOWN, WRITERS] = ["owner", "unknown", "writers"]; // the kind of a problem
const NO_EXCEPTION = Object.freeze({ isStickySafe: false });
const MAY_BE_MISSING = { throwIfNoEntry: false }; // an error would cost more than the look
const EXACT = { ...MAY_BE_MISSING, bigint: true };
const DEFAULT_OVERFLOW_UID = 65534;
const PART_BYTES = 1 << 16;

/** Return why others than these owners may have written an open object, the owner first; none if they cannot have. */
function trustProblems(status, owners, { isStickySafe } = NO_EXCEPTION) {
  const problems = [];
  const note = (kind, sentence) => problems.push({ kind, sentence });
  if (isAmbiguousOwner(status.uid)) {
    note(UNKNOWN, "has an owner that this user namespace cannot distinguish from others");
  } else if (!owners.has(status.uid)) {
    note(OWNER, `belongs to user ${status.uid}`);
  }
  if (isStickySafe && status.mode & STICKY) return problems;
  if (status.mode & OWNER_BIT_OF_OTHERS) note(WRITERS, "is writable by everyone");
  // Node cannot read an ACL, of which the bits of the group are the mask
  if (status.mode & OWNER_BIT_OF_GROUP) note(WRITERS, `is writable by group ${status.gid}`);
  return problems;
}

/** Return the first reason why others may have written an open object, '' if they cannot have. */
function trustProblemText(status, owners, options) {
  return trustProblems(status, owners, options)[0]?.sentence ?? "";
}

/** Whether a user id may stand for many users: what a user namespace shows for those that it does not know. */
function isAmbiguousOwner(uid) {
  if (process.platform !== "linux") return false;
  if (uid !== (readNumber("/proc/sys/kernel/overflowuid") ?? DEFAULT_OVERFLOW_UID)) return false;
  return readWords("/proc/self/uid_map").join(" ") !== "0 0 4294967295";
}

function readNumber(file) {
  const number = Number(readWords(file)[0]);
  return Number.isInteger(number) ? number : undefined;
}

function readWords(file) {
  try {
    return fs.readFileSync(file, "utf8").split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}

/** Return the path by which a name in an open directory is opened: by the descriptor, where the system can do that. */
function placeIn(directory, name) {
  return process.platform === "linux" ? `/proc/self/fd/${directory.descriptor}/${name}` : `${directory.path}/${name}`;
}

/** Open a directory, by its path or in an open one; the caller closes it. */
function openDirectory(path, parent, name) {
  const place = parent === undefined ? path : placeIn(parent, name);
  const descriptor = fs.openSync(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return { path, descriptor, status: fs.fstatSync(descriptor, { bigint: false }) };
}

/** Read a regular file in an open directory, at most `maxBytes` bytes; `check` gets its status first. */
function readFileIn(directory, name, maxBytes, check) {
  const descriptor = fs.openSync(placeIn(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const status = fs.fstatSync(descriptor, { bigint: true });
    check(fs.fstatSync(descriptor));
    const data = readDescriptor(descriptor, maxBytes);
    return { data, before: fingerprint(status), after: fingerprint(fs.fstatSync(descriptor, { bigint: true })) };
  } finally {
    fs.closeSync(descriptor);
  }
}

function readDescriptor(descriptor, maxBytes) {
  const parts = [];
  for (let left = maxBytes; left > 0;) {
    const part = Buffer.alloc(Math.min(left, PART_BYTES));
    const count = fs.readSync(descriptor, part, 0, part.length, null);
    if (count === 0) break;
    parts.push(part.subarray(0, count));
    left -= count;
  }
  return Buffer.concat(parts);
}

/** Return what changes whenever a file is written or replaced. */
function fingerprint(status) {
  return `${status.dev}:${status.ino}:${status.size}:${status.mtimeNs}:${status.ctimeNs}:${status.mode}:${status.uid}`;
}

/** Return the fingerprint of a name, '' if it does not exist; throw for what cannot be examined. */
function fingerprintOf(path) {
  try {
    const status = fs.lstatSync(path, EXACT);
    return status === undefined ? "" : fingerprint(status);
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw error;
  }
}

/** Return what changes if others may write a directory that could not, not what changes with each file in it. */
function trustOf(path) {
  const status = fs.lstatSync(path, EXACT);
  return status === undefined ? "" : `${status.dev} ${status.ino} ${status.mode} ${status.uid}`;
}

/** Whether a path exists, or cannot be examined; below what is no directory nothing exists. */
function mayExist(path) {
  try {
    return fs.lstatSync(path, MAY_BE_MISSING) !== undefined;
  } catch (error) {
    return error.code !== "ENOENT" && error.code !== "ENOTDIR";
  }
}

module.exports = { OWNER, fingerprintOf, mayExist, openDirectory, placeIn, readFileIn, trustOf, trustProblemText, trustProblems };
