// Options of calls and classes: only their own members count, and none that a prototype was given.
"use strict";

const { UsageError } = require("./errors");
const { isPrototypeOfObjects } = require("./values");

/** Throw UsageError for options with a class, whose members might not be their own. */
function requirePlainOptions(options) {
  const prototype = typeof options === "object" && options !== null ? Object.getPrototypeOf(options) : undefined;
  const isPlain = prototype === null || prototype === Object.prototype || (prototype !== undefined && isPrototypeOfObjects(prototype));
  if (!isPlain) throw new UsageError("options are an object without a class");
}

/** Return the options' own members, so that a missing one is undefined whatever prototypes have. */
function ownOptions(options = {}) {
  requirePlainOptions(options);
  return { __proto__: null, ...options };
}

/** Throw UsageError for what is neither true nor false: the word "false" would count as true. */
function requireSwitch(value, name) {
  if (typeof value !== "boolean") throw new UsageError(`${name} is true or false`);
}

module.exports = { ownOptions, requirePlainOptions, requireSwitch };
