// Find the directory that holds `.cortex/policy`.
"use strict";

const fs = require("node:fs");

const { GrantError } = require("./errors");
const { mayExist } = require("./files");
const { workingDirectory } = require("./paths");
const { textOfVariable } = require("./settings");
const { systemErrorText } = require("./text");

const ROOT_HINT = "name the directory that holds .cortex/policy; `cortex-policy init` makes one";

/** Find the root: `named`, else `CORTEX_POLICY_ROOT`, else the one ancestor that holds `.cortex/policy`. */
function findRoot(named) {
  const variable = textOfVariable("CORTEX_POLICY_ROOT") || undefined;
  if (named === undefined && variable !== undefined && !variable.startsWith("/")) {
    throw notFound(`CORTEX_POLICY_ROOT is not absolute: \`${variable}\``);
  }
  const name = named ?? variable;
  return name === undefined ? findRootAbove(workingDirectory()) : { path: resolveRoot(name), isNamed: true };
}

function resolveRoot(name) {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw notFound("the name of the root is empty or holds a NUL");
  }
  let data;
  try {
    data = fs.realpathSync.native(name, "buffer");
  } catch (error) {
    throw notFound(`\`${name}\`: ${systemErrorText(error)}`);
  }
  const path = data.toString("utf8");
  if (!Buffer.from(path).equals(data)) throw notFound(`\`${path}\` is not UTF-8`);
  if (!mayHoldPolicy(path)) throw notFound(`\`${path}\` holds no .cortex/policy`);
  return path;
}

function findRootAbove(directory) {
  if (directory === undefined) throw notFound("the working directory is gone, was moved, or is not UTF-8");
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
  throw notFound(`neither \`${directory}\` nor a directory above it holds .cortex/policy`);
}

function mayHoldPolicy(directory) {
  return mayExist(policyPathOf(directory));
}

/** Return the path of the policy directory of a root. */
function policyPathOf(root) {
  return `${root === "/" ? "" : root}/.cortex/policy`;
}

function notFound(detail) {
  return new GrantError("root_not_found", detail, ROOT_HINT);
}

module.exports = { findRoot, policyPathOf };
