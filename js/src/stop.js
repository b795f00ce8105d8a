// Emergency stops: the existence of a file denies every call.
"use strict";

const fs = require("node:fs");

const { AccessDenied } = require("./errors");
const { Decision } = require("./decision");
const { existsOrUnknown, mayExist } = require("./files");
const { identityOf } = require("./protection");

const SYSTEM_DIRECTORY = "/etc/cortex-policy";
const MAX_REASON = 400;

/** Throw AccessDenied if the host has an emergency stop, or if that is unknown. */
function checkHostStop() {
  if (!mayExist(SYSTEM_DIRECTORY)) return;
  // a directory that is a link to nowhere, as to a mount that is gone, may have held a stop
  const isGone = !fs.existsSync(SYSTEM_DIRECTORY);
  if (isGone || existsOrUnknown(`${SYSTEM_DIRECTORY}/stop`)) throw stopped(`${SYSTEM_DIRECTORY}/stop`, "on this host");
}

/** Throw AccessDenied if the policy that a grant was read from has an emergency stop, or is not where it was. */
function checkStopSince({ policyPath, policyIdentity }) {
  if (identityOf(policyPath) !== policyIdentity) {
    throw denialOf(`\`${policyPath}\` is not the directory that the grant was read from`, `see \`ls -ld ${policyPath}\``);
  }
  checkRootStop(policyPath);
}

/** Throw AccessDenied if a root has an emergency stop, or if that is unknown. */
function checkRootStop(policy) {
  if (existsOrUnknown(`${policy}/stop`)) throw stopped(`${policy}/stop`, "");
}

function stopped(file, where) {
  const reason = firstLineOf(file);
  const hint = where
    ? `the administrator of this host ends it with \`sudo rm ${file}\``
    : "an operator ends it with `cortex-policy resume`";
  return denialOf([where, reason].filter(Boolean).join(": "), hint);
}

function denialOf(detail, hint) {
  return new AccessDenied(new Decision("stopped", detail, hint));
}

function firstLineOf(file) {
  let descriptor;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fs.fstatSync(descriptor).isFile()) return "";
    const data = Buffer.alloc(MAX_REASON);
    return data.toString("utf8", 0, fs.readSync(descriptor, data)).trim().split("\n")[0];
  } catch {
    return ""; // it exists, or that is unknown: that is all that matters
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

module.exports = { checkHostStop, checkRootStop, checkStopSince };
