// The settings, and what each accepts: as Python's core/settings.py has them.
"use strict";

const { TomlReal } = require("./toml");

const PREFIX = "CORTEX_POLICY_";
const OTHER_VARIABLES = new Set([`${PREFIX}ROOT`, `${PREFIX}BUDGETS_PASSWORD`]);
const [SYSTEM, USER, ENVIRONMENT, PROJECT] = ["system", "user", "environment", "project"];
const OPERATORS = [SYSTEM, USER, ENVIRONMENT];
const EVERYWHERE = [...OPERATORS, PROJECT];
const MAX_DIGITS = 18;
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/; // what Python strips

const isText = (value) => typeof value === "string" && !BLANK.test(value) && !value.includes("\0");
const isPath = (value) => isText(value) && value.startsWith("/");
const isName = (value) => typeof value === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(value);
const isCount = (value) => typeof value === "bigint" || (Number.isSafeInteger(value) && value >= 0);
const isShare = (value) => {
  const number = value instanceof TomlReal ? value.value : value;
  return typeof number === "number" && number >= 0 && number <= 1;
};
const oneOf = (...words) => ({ accepts: (value) => words.includes(value), values: words });
const path = { accepts: isPath };
const count = { accepts: isCount, readsText: (text) => (isDigits(text) ? integerOf(text) : text) };

// of those that a project may set, the values are in order from the laxest to the strictest
const SETTINGS = new Map(Object.entries({
  "sensitive": { ...oneOf("allow", "ask", "deny"), places: EVERYWHERE, default: "allow" },
  "require_path": { ...oneOf(false, true), places: EVERYWHERE, default: false, readsText: switchOf },
  "undeclared_args": { ...oneOf("allow", "deny"), places: EVERYWHERE, default: "allow" },
  "stamp": { ...oneOf("off", "require"), places: EVERYWHERE, default: "off" },
  "state_dir": path,
  "editor": { accepts: isText },
  "history.keep": count,
  "audit.file": path,
  "audit.args": oneOf("names", "fingerprints", "full"),
  "audit.on_error": { ...oneOf("ignore", "deny"), default: "deny" },
  "audit.max_bytes": count,
  "audit.keep": count,
  "approvals.file": path,
  "approvals.timeout_seconds": count,
  "approvals.notify": { ...path, places: [SYSTEM, USER] },
  "approvals.elicitation": { ...oneOf(true, false), places: [SYSTEM, USER] },
  "budgets.url": { accepts: isText },
  "budgets.name": { accepts: isName },
  "budgets.key_file": path,
  "budgets.password_file": path,
  "budgets.timeout_ms": count,
  "budgets.on_error": oneOf("local", "deny"),
  "budgets.local_share": { accepts: isShare, readsText: (text) => (isDigits(text.replace(".", "")) ? Number(text) : text) },
  "budgets.wait_replicas": count,
}).map(([name, setting]) => [name, { __proto__: null, ...setting }])); // a row without `places` has none by a prototype

// variables that other programs know too; they count where nothing else says the same
const SHARED_VARIABLES = [
  ["CORTEX_AUDIT_LOG", "audit.file", (text) => text],
  ["CORTEX_HITL_STORE", "approvals.file", (text) => text],
  ["CORTEX_HITL_TIMEOUT_MS", "approvals.timeout_seconds", (text) => (isDigits(text) ? integerOf(text) : text)],
];

function isDigits(text) {
  return text.length <= MAX_DIGITS && /^[0-9]+$/.test(text);
}

function integerOf(text) {
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
}

function switchOf(text) {
  return { true: true, 1: true, false: false, 0: false }[text] ?? text;
}

/** Whether a place may give a setting of this name this value. */
function isValidSetting(place, name, value) {
  const setting = SETTINGS.get(name);
  return setting !== undefined && (setting.places ?? OPERATORS).includes(place) && setting.accepts(value);
}

/** Return the name of the setting that a variable gives, undefined if it is none. */
function settingOfVariable(variable) {
  return [...SETTINGS.keys()].find((name) => PREFIX + name.toUpperCase().replace(".", "_") === variable);
}

module.exports = {
  ENVIRONMENT, OTHER_VARIABLES, PREFIX, PROJECT, SETTINGS, SHARED_VARIABLES, SYSTEM, USER, isValidSetting, settingOfVariable,
};
