// The stamp of the grants: with the setting `stamp = "require"` a grant counts only if it matches.
"use strict";

const { createHash } = require("node:crypto");

const { GrantError } = require("./errors");
const { isGrantId } = require("./grant");
const { MalformedError, decodeJson } = require("./json");
const { compareTexts } = require("./values");

const FORMAT = 1;
const MAX_BYTES = 1 << 24; // 100,000 grants
const HOOKS = "hooks.toml";

function sha256(data) {
  return createHash("sha256").update(data).digest("hex");
}

/** Throw GrantError (stamp_mismatch) unless the bytes of a stamp accept a grant; undefined: there is no stamp. */
function checkStamped(data, id, digest) {
  if (data === undefined) throw mismatch("there is no stamp, and the setting `stamp` requires one");
  const { version, digests, pending } = decodeStamp(data);
  if (digests.get(id) !== digest && !(pending.get(id) ?? []).includes(digest)) {
    throw mismatch(`\`${id}\` does not match its stamp in version ${version}`);
  }
}

function decodeStamp(data) {
  let document;
  try {
    document = decodeJson(data, MAX_BYTES);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw mismatch(`the stamp is broken: ${error.message}`);
  }
  if (!(document instanceof Map) || document.get("format") !== FORMAT) throw mismatch("the stamp has an unknown format");
  const stamp = { version: document.get("version"), digests: digestsOf(document), pending: pendingOf(document) };
  if (!Number.isSafeInteger(stamp.version) || stamp.version < 1) throw mismatch("the stamp has no version");
  if (document.get("checksum") !== checksumOf(stamp.digests)) throw mismatch("the checksum of the stamp is wrong");
  return stamp;
}

function digestsOf(document) {
  const grants = document.get("grants") ?? new Map();
  const digests = grants instanceof Map ? new Map(grants) : new Map([["", ""]]);
  const isWhole = [...digests].every(([id, digest]) => isGrantId(id) && isDigest(digest));
  if (document.has("hooks")) digests.set(HOOKS, document.get("hooks"));
  if (!isWhole || (document.has("hooks") && !isDigest(document.get("hooks")))) throw mismatch("the stamp is malformed");
  return digests;
}

function pendingOf(document) {
  const pending = document.get("pending") ?? new Map();
  const isPair = (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((side) => side === null || isDigest(side));
  const isWhole = pending instanceof Map && [...pending].every(([id, pair]) => (id === HOOKS || isGrantId(id)) && isPair(pair));
  if (!isWhole) throw mismatch("the stamp is malformed");
  return pending;
}

function isDigest(value) {
  return typeof value === "string" && value.startsWith("sha256:");
}

function checksumOf(digests) {
  const names = [...digests.keys()].sort(compareTexts);
  return `sha256:${sha256(names.map((name) => `${name} ${digests.get(name)}\n`).join(""))}`;
}

function mismatch(detail) {
  return new GrantError("stamp_mismatch", detail, "an operator accepts a change with `cortex-policy stamp write`");
}

module.exports = { checkStamped, sha256 };
