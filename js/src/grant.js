// Bytes to a grant, strictly: what is a grant here is one for the command line, and nothing else is.
"use strict";

const { GrantError } = require("./errors");
const { MalformedError, decodeJson } = require("./json");

const DATA_CLASSES = ["public", "internal", "sensitive"];
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const HOOKS = "hooks.toml"; // the rules of agents' hooks, which stand beside the grants in the stamp

/** Whether a word can name a grant at all. */
function isGrantId(word) {
  return typeof word === "string" && ID.test(word) && word !== HOOKS;
}

// what a program need not see: the declarations, which it could change, and where the grant was read
let makeGrant;
let argsOf;
let originOf;
let isGrant;

/** Throw GrantError for what is no grant, such as a copy of one. */
function requireGrant(value) {
  if (!isGrant(value)) throw new GrantError("grant_invalid", "it was not made by `loadGrant`");
  return value;
}

/** What a tool may do; it never changes. Calls are decided by those that `loadGrant` made, as only they have an origin. */
class Grant {
  #args;
  #origin;

  /** @param {object} fields */
  constructor(fields) {
    this.id = fields.id;
    this.tool = fields.tool;
    this.actions = Object.freeze([...fields.actions]);
    this.perMinute = fields.perMinute;
    this.dataClass = fields.dataClass;
    this.fsScope = Object.freeze([...fields.fsScope]);
    this.sha256 = fields.sha256;
    this.file = fields.file;
    this.root = fields.root;
    this.#args = fields.args; // a Map, which a program could change
    Object.freeze(this);
  }

  static {
    makeGrant = (fields, origin) => {
      const grant = new Grant(fields);
      grant.#origin = origin;
      return grant;
    };
    argsOf = (grant) => requireGrant(grant).#args;
    originOf = (grant) => requireGrant(grant).#origin;
    isGrant = (value) => typeof value === "object" && value !== null && #args in value;
  }
}

/**
 * Decode the bytes of a grant file; throw GrantError that names every problem of its shape.
 * @param {Uint8Array} bytes
 * @param {string} [id]
 * @param {{root?: string, file?: string, sha256?: string}} [place]
 * @param {object} [origin] where it was read, and by which settings it decides; without it, it decides nothing
 */
function decodeGrant(bytes, id = "", place = {}, origin = undefined) {
  let document;
  try {
    document = decodeJson(bytes);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new GrantError("grant_invalid", error.message);
  }
  return makeGrant({ ...readDocument(document), id, ...place }, origin);
}

function readDocument(document) {
  if (!(document instanceof Map)) {
    throw new GrantError("grant_invalid", "a grant is a JSON object");
  }
  const problems = ["tool", "actions", "rate"].filter((key) => !document.has(key)).map((key) => `\`${key}\` is missing`);
  const fields = readFields(document, problems);
  if (problems.length) {
    throw new GrantError("grant_invalid", problems.join("; "));
  }
  return fields;
}

function readFields(document, problems) {
  const { tool = "-", args = new Map(), dataClass = "internal" } = Object.fromEntries(
    ["tool", "args", "dataClass"].map((key) => [key, document.get(key)]),
  );
  if (typeof tool !== "string" || tool === "") {
    problems.push("`tool` must be a string that is not empty");
  }
  if (!(args instanceof Map)) {
    problems.push("`args` must be an object");
  }
  if (!DATA_CLASSES.includes(dataClass)) {
    problems.push("`dataClass` must be public, internal or sensitive");
  }
  const actions = readTexts(document, "actions", problems);
  const fsScope = readTexts(document, "fsScope", problems);
  return { tool, args, dataClass, actions, fsScope, perMinute: readPerMinute(document, problems) };
}

function readTexts(document, key, problems) {
  const value = document.has(key) ? document.get(key) : [];
  if (Array.isArray(value) && value.every((part) => typeof part === "string")) return value;
  problems.push(`\`${key}\` must be an array of strings`);
  return [];
}

/** Return the rate: a number, or a bigint where a double cannot hold it. */
function readPerMinute(document, problems) {
  const rate = document.has("rate") ? document.get("rate") : new Map([["perMinute", 1]]);
  const number = rate instanceof Map ? rate.get("perMinute") : undefined;
  const isWhole = typeof number === "bigint" || (typeof number === "number" && Number.isInteger(number));
  if (isWhole && number >= 1) {
    return typeof number === "number" && !Number.isSafeInteger(number) ? BigInt(number) : number;
  }
  problems.push('`rate` must be {"perMinute": N}, N an integer of at least 1');
  return 1;
}

module.exports = { Grant, argsOf, decodeGrant, isGrantId, originOf };
