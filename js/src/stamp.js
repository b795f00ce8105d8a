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
function checkStamped(data, file, id, digest) {
  if (data === undefined) throw mismatch("there is no stamp, and the setting `stamp` requires one");
  const { version, digests, pending } = decodeStamp(data, file);
  if (digests.get(id) !== digest && !(pending.get(id) ?? []).includes(digest)) {
    throw mismatch(`\`${id}\` does not match its stamp in version ${version}`);
  }
}

function decodeStamp(data, file) {
  let document;
  try {
    document = decodeJson(data, MAX_BYTES);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw mismatch(`\`${file}\`: ${error.message}`);
  }
  const why = faultOf(document);
  if (why) throw mismatch(`\`${file}\`: ${why}`);
  return { version: document.get("version"), digests: digestsOf(document), pending: member(document, "pending") };
}

/** Return why a document is no stamp, or its checksum is wrong; '' if all is well. */
function faultOf(document) {
  if (!(document instanceof Map) || !document.has("format")) return "it is not a stamp";
  if (document.get("format") !== FORMAT) return "its format is unknown to this program";
  const version = document.get("version");
  const isVersion = Number.isSafeInteger(version) && version >= 1;
  if (!isVersion || !hasDigests(document) || !isPending(member(document, "pending"))) {
    return "`version`, `grants`, `hooks` or `pending` is malformed";
  }
  if (document.get("checksum") === checksumOf(digestsOf(document))) return "";
  return `\`checksum\` does not belong to \`grants\`${document.has("hooks") ? " and `hooks`" : ""}`;
}

/** Return an object in a stamp, which may be absent; null is there, and none. */
function member(document, name) {
  return document.has(name) ? document.get(name) : new Map();
}

function hasDigests(document) {
  const grants = member(document, "grants");
  const isWhole = grants instanceof Map && [...grants].every(([id, digest]) => isGrantId(id) && isDigest(digest));
  return isWhole && (!document.has("hooks") || isDigest(document.get("hooks")));
}

function digestsOf(document) {
  const digests = new Map(member(document, "grants"));
  if (document.has("hooks")) digests.set(HOOKS, document.get("hooks"));
  return digests;
}

function isPending(pending) {
  const isPair = (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((side) => side === null || isDigest(side));
  return pending instanceof Map && [...pending].every(([id, pair]) => (id === HOOKS || isGrantId(id)) && isPair(pair));
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
