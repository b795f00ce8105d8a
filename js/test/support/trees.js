// Build a tree of files that vectors of the kind `paths` name.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const { identityOf, protectedPaths } = require("../../src/protection");

const BASE = "{base}";

/** Return a value with one text put in the place of another, in all its strings. */
function replaceText(value, old, text) {
  return JSON.parse(JSON.stringify(value).replaceAll(JSON.stringify(old).slice(1, -1), JSON.stringify(text).slice(1, -1)));
}

/** Build a tree in a new directory; return its base, and what the walk needs to know. */
function buildTree(tree) {
  const base = path.join(fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "cortex-tree-"))), "tree"); // as deep as Python's
  const { directories, files, links, audit_file: log } = replaceText(tree, BASE, base);
  const make = (name) => fs.mkdirSync(path.dirname(`${base}/${name}`), { recursive: true });
  for (const name of ["root/.cortex/policy/tools", "state", "config/cortex-policy", ...directories]) make(`${name}/x`);
  for (const name of ["root/.cortex/policy/tools/git.json", ...files]) {
    make(name);
    fs.writeFileSync(`${base}/${name}`, "");
  }
  for (const [name, target] of Object.entries(links)) {
    make(name);
    fs.symlinkSync(target, `${base}/${name}`);
  }
  const origin = originOf(`${base}/root`);
  const names = [`${base}/state`, "/etc/cortex-policy", `${base}/config/cortex-policy`, ...(log ? [log] : [])];
  return { base, origin, protection: protectedPaths(origin, names, log) };
}

function originOf(root) {
  const policy = `${root}/.cortex/policy`;
  return {
    root, device: fs.statSync(root, { bigint: true }).dev, rootIdentity: identityOf(root),
    policyIdentity: identityOf(policy), toolsIdentity: identityOf(`${policy}/tools`),
  };
}

module.exports = { BASE, buildTree, replaceText };
