// The settings, and what each accepts: as Python's core/settings.py has them.
"use strict";

const { isBudgetServer } = require("./budget-server");
const { stripBlanks } = require("./text");
const { TomlReal } = require("./toml");

const PREFIX = "CORTEX_POLICY_";
const OTHER_VARIABLES = new Set([`${PREFIX}ROOT`, `${PREFIX}BUDGETS_PASSWORD`]);
const [SYSTEM, USER, ENVIRONMENT, PROJECT] = ["system", "user", "environment", "project"];
const OPERATORS = [SYSTEM, USER, ENVIRONMENT];
const EVERYWHERE = [...OPERATORS, PROJECT];
const MAX_DIGITS = 18;

const isText = (value) => typeof value === "string" && stripBlanks(value) !== "" && !value.includes("\0");
const isPath = (value) => isText(value) && value.startsWith("/");
const isName = (value) => typeof value === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(value);
const isCount = (value) => typeof value === "bigint" || (Number.isSafeInteger(value) && value >= 0);
const isUrl = (value) => typeof value === "string" && isBudgetServer(value);
const isShare = (value) => typeof numberOf(value) === "number" && numberOf(value) >= 0 && numberOf(value) <= 1;
const oneOf = (...words) => ({ accepts: (value) => words.includes(value), values: words });
const path = { accepts: isPath };
// a text in their place looks like a value, and is none
const [SWITCH, NUMBER] = [{ isNoText: true, readsText: switchOf }, { isNoText: true, readsText: countOf }];
const count = { ...NUMBER, accepts: isCount };
const OF_VALIDATE = { accepts: () => true, places: [PROJECT] }; // of no interest to a check

// of those that a project may set, the values are in order from the laxest to the strictest
const SETTINGS = new Map(Object.entries({
  "sensitive": { ...oneOf("allow", "ask", "deny"), places: EVERYWHERE, default: "allow" },
  "require_path": { ...SWITCH, ...oneOf(false, true), places: EVERYWHERE, default: false },
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
  "approvals.elicitation": { ...SWITCH, ...oneOf(true, false), places: [SYSTEM, USER] },
  "budgets.url": { accepts: isUrl },
  "budgets.name": { accepts: isName },
  "budgets.key_file": path,
  "budgets.password_file": path,
  "budgets.timeout_ms": { ...count, default: 50 },
  "budgets.on_error": { ...oneOf("local", "deny"), default: "deny" },
  "budgets.local_share": { accepts: isShare, readsText: shareOf, default: 0 },
  "budgets.wait_replicas": count,
  "validate.select": OF_VALIDATE,
  "validate.ignore": OF_VALIDATE,
  "validate.suppress": OF_VALIDATE,
}).map(([name, setting]) => [name, { __proto__: null, ...setting }])); // a row without `places` has none by a prototype

// variables that other programs know too; they count where nothing else says the same
const SHARED_VARIABLES = [
  ["CORTEX_AUDIT_LOG", "audit.file", (text) => text],
  ["CORTEX_HITL_STORE", "approvals.file", (text) => text],
  ["CORTEX_HITL_TIMEOUT_MS", "approvals.timeout_seconds", countOf],
];

function isDigits(text) {
  return text.length <= MAX_DIGITS && /^[0-9]+$/.test(text);
}

function integerOf(text) {
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
}

function countOf(text) {
  return isDigits(text) ? integerOf(text) : text;
}

function shareOf(text) {
  return text.length <= MAX_DIGITS && isDigits(text.replace(".", "")) ? Number(text) : text;
}

/** Return the number that a document or a variable has. */
function numberOf(value) {
  return value instanceof TomlReal ? value.value : value;
}

function switchOf(text) {
  return { true: true, 1: true, false: false, 0: false }[text] ?? text;
}

/** Whether a place may give a setting of this name. */
function isSettableAt(place, name) {
  return (SETTINGS.get(name).places ?? OPERATORS).includes(place);
}

/** Return the name of the setting that a variable gives, undefined if it is none. */
function settingOfVariable(variable) {
  return [...SETTINGS.keys()].find((name) => variableOf(name) === variable && isSettableAt(ENVIRONMENT, name));
}

/** Return the variable of a setting. */
function variableOf(name) {
  return PREFIX + name.toUpperCase().replace(".", "_");
}

module.exports = {
  ENVIRONMENT, OTHER_VARIABLES, PREFIX, PROJECT, SETTINGS, SHARED_VARIABLES, SYSTEM, USER, isSettableAt, numberOf,
  settingOfVariable, variableOf,
};
