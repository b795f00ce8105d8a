// Prints of what decides calls: texts that are other ones after any change.
"use strict";

const process = require("node:process");

const { fingerprintOf, trustOf } = require("./files");
const { operatorDirectories } = require("./settings");

const VARIABLES = /^(CORTEX_|XDG_CONFIG_HOME$|HOME$)/;
// a file that changed later than this may change again without a sign of it; some file systems know whole seconds only
const [FINE_NS, COARSE_NS, COARSE_UNIT_NS] = [20_000_000n, 2_000_000_000n, 1_000_000n];

/** Return the print of all that decides by a grant: the files, who may write them, the environment and the user. */
function printOfGrant(root, policy, id) {
  const files = [policy, `${policy}/tools`, `${policy}/tools/${id}.json`, ...filesOfSettings(policy)];
  return printOf(files, [root, policy.slice(0, policy.lastIndexOf("/")), ...operatorDirectories()]);
}

/** Return the print of what decides besides the grant, and may change while a program holds that. */
function printOfSettings(policy) {
  return printOf(filesOfSettings(policy), operatorDirectories());
}

function filesOfSettings(policy) {
  return [`${policy}/stamp.json`, ...[...operatorDirectories(), policy].map((directory) => `${directory}/config.toml`)];
}

/** Return what this process has that decides calls: variables, and the user. */
function surroundings() {
  const names = Object.keys(process.env).filter((name) => VARIABLES.test(name));
  return [names.map((name) => [name, process.env[name]]), process.geteuid()];
}

function printOf(files, directories) {
  return JSON.stringify([files.map((name) => printOrCode(fingerprintOf, name)), directories.map((name) => printOrCode(trustOf, name)), surroundings()]);
}

function printOrCode(print, name) {
  try {
    return print(name);
  } catch (error) {
    return error.code;
  }
}

/**
 * Whether the next change of each file is sure to change a print.
 *
 * INVARIANT: `now`, in nanoseconds since 1970, is from before the files were read: whoever is held up after that must
 * not take a file for an old one that was written while it was read.
 */
function isSettled(print, now) {
  const [files] = JSON.parse(print);
  return files.every((file) => !file.includes(":") || isOld(BigInt(file.split(":")[4]), now));
}

function isOld(changed, now) {
  return now - changed > (changed % COARSE_UNIT_NS ? FINE_NS : COARSE_NS);
}

function nanosecondsNow() {
  return BigInt(Date.now()) * 1_000_000n;
}

module.exports = { isSettled, nanosecondsNow, printOfGrant, printOfSettings, surroundings };
