// Resolve a path argument: collapse it as text, and follow it as the kernel does.
"use strict";

const fs = require("node:fs");
const process = require("node:process");

const { collapsePath, pathArguments, relativeToRoot } = require("./path-arguments");
const { PathWalk, UnresolvablePathError } = require("./path-walk");
const { identityOf, protectionOf, protectionText } = require("./protection");
const { findMatchingScope } = require("./scopes");

/** Resolve every path argument of a call; a relative path begins at the working directory. */
function resolvePathArguments(declarations, scopes, args, origin) {
  const seen = new Map();
  let protection;
  for (const [argument, given] of pathArguments(declarations, args)) {
    const key = JSON.stringify([argument, given]);
    if (given !== null && !seen.has(key)) {
      protection ??= protectionOf(origin);
      const directory = given.startsWith("/") ? undefined : workingDirectory();
      seen.set(key, resolvePath(argument, given, origin, protection, scopes, directory));
    }
  }
  return [...seen.values()];
}

/** Return the working directory, undefined if it is gone, was moved, or has a name that is not UTF-8. */
function workingDirectory() {
  try {
    const name = process.cwd();
    // Node remembers the name, also of a directory that was moved; a link may lead there from its old place
    const known = process.platform === "linux" ? fs.readlinkSync("/proc/self/cwd") : fs.realpathSync.native(".");
    const isHere = known === name && identityOf(name) === identityOf("."); // something may be mounted there
    return isHere ? name : undefined;
  } catch {
    return undefined;
  }
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
  if (!absolute.isWellFormed()) {
    const opened = resolvePath(argument, given.toWellFormed(), origin, protection, scopes, directory); // as Node does
    return { ...path, error: "is not a path of this system", protectedReason: opened.protectedReason };
  }
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

module.exports = { resolvePath, resolvePathArguments, workingDirectory };
