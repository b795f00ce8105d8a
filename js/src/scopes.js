// Scopes, and why a path is denied under them.
"use strict";

const GLOBS = /[*?[\]{}\\]/;
// what Python takes for a space at either end of a text
const SPACES = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE_AT_END = new RegExp(`^[${SPACES}]|[${SPACES}]$`);
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]+:/;
const FEW_SCOPES = 16;

/** Return why a path is denied by its spelling alone, '' if it is not. */
function pathSyntaxProblemText(given) {
  if (given === "") return "is empty";
  if (CONTROL.test(given)) return "holds a control character";
  if (given.startsWith("~")) return "starts with `~`, which is not expanded";
  if (SCHEME.test(given)) return "is a URL, not a path";
  if (given.includes("\\")) return "holds a backslash";
  return SPACE_AT_END.test(given) ? "starts or ends with a space" : "";
}

/** Return a scope as it is compared, without one trailing `/`; undefined if it can never match. */
function normalizeScope(scope) {
  const trimmed = scope.endsWith("/") ? scope.slice(0, -1) : scope;
  if (SPACE_AT_END.test(trimmed) || GLOBS.test(trimmed)) return undefined;
  return leadsDown(trimmed) ? trimmed : undefined;
}

/** Whether each part of a path is a name. */
function leadsDown(path) {
  const closed = `/${path}/`;
  return !closed.includes("/../") && !closed.includes("/./") && !closed.includes("//");
}

/**
 * Return the first scope that a path relative to the root equals or lies below, undefined if there is none.
 *
 * A path with `..` in it is in no scope.
 */
function findMatchingScope(scopes, relative) {
  if (relative === undefined) return undefined;
  const find = scopes.length > FEW_SCOPES ? findMatchingScopeOfMany : findMatchingScopeOfFew;
  const found = find(scopes, relative);
  return found !== undefined && leadsDown(relative) ? found : undefined;
}

function findMatchingScopeOfFew(scopes, relative) {
  for (const scope of scopes) {
    const prefix = scope.endsWith("/") ? scope.slice(0, -1) : scope;
    const isBelow = relative.startsWith(prefix) && (relative.length === prefix.length || relative[prefix.length] === "/");
    if (isBelow && normalizeScope(scope) !== undefined) return scope;
  }
  return undefined;
}

const indexes = new WeakMap(); // of arrays of scopes, which never change: the place of each

/** Look the path and what is above it up among the scopes: a call may have many paths as well. */
function findMatchingScopeOfMany(scopes, relative) {
  let index = indexes.get(scopes);
  if (index === undefined) {
    index = new Map();
    scopes.forEach((scope, at) => {
      const prefix = normalizeScope(scope);
      if (prefix !== undefined && !index.has(prefix)) index.set(prefix, at);
    });
    indexes.set(scopes, index);
  }
  let first = index.get(relative) ?? scopes.length;
  for (let end = relative.indexOf("/"); end >= 0; end = relative.indexOf("/", end + 1)) {
    first = Math.min(first, index.get(relative.slice(0, end)) ?? first);
  }
  return scopes[first];
}

/**
 * Return why a path is denied under these scopes, '' if it is allowed.
 * @param {readonly string[]} scopes
 * @param {import("./decision").ResolvedPath} path
 */
function pathViolationText(scopes, path) {
  if (path.protectedReason) return path.protectedReason;
  if (!scopes.length) return "";
  const error = pathSyntaxProblemText(path.given) || path.error;
  if (error) return error;
  if (findMatchingScope(scopes, path.normalized) === undefined) {
    const isPlain = path.normalized !== undefined || path.resolved === undefined || path.given.startsWith("/");
    return isPlain ? "is in no scope" : `is \`${path.resolved}\` from the working directory, which is in no scope`;
  }
  const isElsewhere = path.resolvedInside !== path.normalized;
  return isElsewhere && findMatchingScope(scopes, path.resolvedInside) === undefined
    ? `leads to \`${path.resolved}\`, which is in no scope`
    : "";
}

module.exports = { findMatchingScope, normalizeScope, pathSyntaxProblemText, pathViolationText };
