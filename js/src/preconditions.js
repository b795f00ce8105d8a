// Everything except the grant that a decision depends on, and that may change while a program holds the grant.
"use strict";

const process = require("node:process");

const { originOf } = require("./grant");
const { readOriginAgain } = require("./load");
const { printOfSettings } = require("./prints");
const { checkHostStop, checkStopSince } = require("./stop");

const LOOK_EVERY_NS = 1e6; // within a millisecond no second call looks

const kept = new WeakMap(); // by the origin of a grant: the one that holds now, and when that was looked at

/** Return the origin of a grant with the settings as they are; throw what denies all its calls by now, such as a stop. */
function currentOrigin(grant) {
  const loaded = originOf(grant);
  const now = nanoseconds();
  const last = kept.get(loaded);
  if (last !== undefined && now - last.at < LOOK_EVERY_NS) return last.origin;
  checkHostStop();
  checkStopSince(loaded);
  const before = last?.origin ?? loaded;
  const origin = printOfSettings(loaded.policyPath) === before.print ? before : readOriginAgain(grant, before);
  kept.set(loaded, { origin, at: now });
  return origin;
}

function nanoseconds() {
  const [seconds, rest] = process.hrtime();
  return seconds * 1e9 + rest;
}

module.exports = { currentOrigin };
