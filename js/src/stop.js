// Emergency stops: the existence of a file denies every call.
"use strict";

const fs = require("node:fs");

const { AccessDenied } = require("./errors");
const { Decision } = require("./decision");
const { mayExist, placeIn } = require("./files");
const host = require("./host");
const { identityOf } = require("./protection");
const { firstLine, quoteWord, systemErrorText } = require("./text");
const { userLabel } = require("./users");

const NAME = "stop";
const MAX_REASON = 400; // bytes
const ON_HOST = "on this host";

/** Throw AccessDenied if the host has an emergency stop, or if that is unknown. */
function checkHostStop() {
  const directory = host.SYSTEM_DIRECTORY;
  if (!mayExist(directory)) return;
  const file = `${directory}/${NAME}`;
  // a link to nowhere, as to a mount that is gone, may have held a stop
  if (leadsNowhere(directory)) throw unknownStop(file, `\`${directory}\` is a link that leads nowhere`);
  const stop = lookUp(file, file);
  if (stop !== undefined) throw stopped(ON_HOST, stop, `the administrator of this host ends it with \`sudo rm ${file}\``);
}

/** Throw AccessDenied if a root has an emergency stop, or if that is unknown; by its path, or in an open directory. */
function checkRootStop(policy, directory) {
  const file = `${policy}/${NAME}`;
  if (directory === undefined && !mayExist(file)) return; // below a file there is no stop, and no grant is read
  const stop = lookUp(file, directory === undefined ? file : placeIn(directory, NAME));
  if (stop !== undefined) throw stopped("", stop, "an operator ends it with `cortex-policy resume`");
}

/** Throw AccessDenied if a grant's root has an emergency stop, or is another directory than it was read from. */
function checkStopSince({ policyPath, policyIdentity }) {
  checkRootStop(policyPath);
  const identity = identityOf(policyPath);
  if (identity === policyIdentity) return;
  const why = identity === undefined ? "cannot be opened" : "is not the directory that the grant was read from";
  throw unknownStop(`${policyPath}/${NAME}`, `\`${policyPath}\` ${why}`);
}

function leadsNowhere(directory) {
  try {
    return fs.lstatSync(directory).isSymbolicLink() && !fs.statSync(directory).isDirectory();
  } catch (error) {
    return error.syscall === "stat";
  }
}

/** Return the status of a stop and its place, undefined if there is none; throw AccessDenied if that is unknown. */
function lookUp(file, place) {
  try {
    return { status: fs.lstatSync(place), place };
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw unknownStop(file, `\`${file}\` cannot be examined: ${systemErrorText(error)}`);
  }
}

function unknownStop(file, detail) {
  return new AccessDenied(new Decision("stopped", detail, `see why with \`ls -ld ${quoteWord(file)}\``));
}

function stopped(where, { status, place }, hint) {
  const facts = [where, `by ${userLabel(status.uid)}`, sinceText(status.mtimeMs)].filter(Boolean).join(" ");
  const reason = status.isFile() ? readReason(place) : "";
  return new AccessDenied(new Decision("stopped", reason ? `${facts}: ${reason}` : facts, hint));
}

/** Return a time in UTC as RFC 3339 has it, '' if it is none: a file may claim any. */
function sinceText(milliseconds) {
  const date = new Date(Math.floor(milliseconds / 1000) * 1000);
  return Number.isNaN(date.getTime()) ? "" : `since ${date.toISOString().replace(".000", "").replace(/^\+0*/, "")}`;
}

/** Return the first line of a stop, '' if it is empty or cannot be read. */
function readReason(place) {
  let descriptor;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    descriptor = fs.openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fs.fstatSync(descriptor).isFile()) return "";
    const data = Buffer.alloc(MAX_REASON + 1);
    const length = fs.readSync(descriptor, data);
    return firstLine(data.toString("utf8", 0, Math.min(length, MAX_REASON)), length > MAX_REASON);
  } catch {
    return ""; // it exists, or that is unknown: that is all that matters
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

module.exports = { checkHostStop, checkRootStop, checkStopSince };
