// The settings that decide calls, from the places where operators write them. What is not understood denies.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const process = require("node:process");

const { GrantError } = require("./errors");
const { mayExist, openDirectory, readFileIn, trustProblemText } = require("./files");
const { TomlError, readToml } = require("./toml");

const SYSTEM_DIRECTORY = "/etc/cortex-policy";
const NAME = "config.toml";
const MAX_BYTES = 1 << 16;
const STABLE_MS = 20; // since the last change: half of a file says less, and is valid too
const MAX_TRIES = 50;
const PREFIX = "CORTEX_POLICY_";
const OTHER_VARIABLES = new Set([`${PREFIX}ROOT`, `${PREFIX}BUDGETS_PASSWORD`]);
const SHARED_VARIABLES = [["CORTEX_AUDIT_LOG", "audit.file"], ["CORTEX_HITL_STORE", "approvals.file"]];
const [SYSTEM, USER, ENVIRONMENT, PROJECT] = ["system", "user", "environment", "project"];
const OPERATORS = [SYSTEM, USER, ENVIRONMENT];

const isText = (value) => typeof value === "string" && value.trim() !== "" && !value.includes("\0");
const isTexts = (value) => Array.isArray(value) && value.every(isText);
const isPath = (value) => isText(value) && value.startsWith("/");
const isCount = (value) => typeof value === "bigint" || (Number.isSafeInteger(value) && value >= 0);
const oneOf = (...words) => ({ accepts: (value) => words.includes(value), values: words });

// what each setting accepts; of those that a project may set, the values are in order from the laxest to the strictest
const SETTINGS = new Map([
  ["sensitive", { ...oneOf("allow", "ask", "deny"), places: [...OPERATORS, PROJECT], default: "allow" }],
  ["require_path", { ...oneOf(false, true), places: [...OPERATORS, PROJECT], default: false }],
  ["undeclared_args", { ...oneOf("allow", "deny"), places: [...OPERATORS, PROJECT], default: "allow" }],
  ["stamp", { ...oneOf("off", "require"), places: [...OPERATORS, PROJECT], default: "off" }],
  ["state_dir", { accepts: isPath }],
  ["editor", { accepts: isText }],
  ["history.keep", { accepts: isCount }],
  ["audit.file", { accepts: isPath }],
  ["audit.args", oneOf("names", "fingerprints", "full")],
  ["audit.on_error", { ...oneOf("ignore", "deny"), default: "deny" }],
  ["audit.max_bytes", { accepts: isCount }],
  ["audit.keep", { accepts: isCount }],
  ["approvals.file", { accepts: isPath }],
  ["approvals.timeout_seconds", { accepts: isCount }],
  ["approvals.notify", { accepts: isPath, places: [SYSTEM, USER] }],
  ["budgets.url", { accepts: isText }],
  ["budgets.name", { accepts: isText }],
  ["budgets.key_file", { accepts: isPath }],
  ["budgets.password_file", { accepts: isPath }],
  ["budgets.timeout_ms", { accepts: isCount }],
  ["budgets.on_error", oneOf("local", "deny")],
  ["budgets.local_share", { accepts: (value) => typeof value === "number" && value >= 0 && value <= 1 }],
  ["budgets.wait_replicas", { accepts: isCount }],
  ["validate.select", { accepts: isTexts, places: [PROJECT] }],
  ["validate.ignore", { accepts: isTexts, places: [PROJECT] }],
  ["validate.suppress", { accepts: (value) => value instanceof Map, places: [PROJECT] }],
]);

/** Return the directories of the settings of the system and the user. */
function operatorDirectories() {
  const named = process.env.XDG_CONFIG_HOME ?? "";
  if (named.startsWith("/")) return [SYSTEM_DIRECTORY, `${named}/cortex-policy`];
  const below = process.platform === "darwin" ? "Library/Application Support" : ".config";
  const home = os.homedir();
  return [SYSTEM_DIRECTORY, `${home.startsWith("/") ? home.replace(/\/+$/, "") : ""}/${below}/cortex-policy`];
}

/** Return the effective settings of a root, a Map by name; throw GrantError (settings_invalid). */
function readSettings(policy, rootOwner) {
  const [system, user] = operatorDirectories();
  const owner = process.geteuid();
  const layers = [
    ...SHARED_VARIABLES.map(sharedVariableLayer),
    fileLayer(SYSTEM, system, new Set([0])),
    fileLayer(USER, user, new Set([0, owner])),
    variablesLayer(),
    fileLayer(PROJECT, policy, new Set([0, owner, rootOwner])),
  ];
  return new Map([...SETTINGS].map(([name, setting]) => [name, resolve(name, setting, layers)]));
}

/** A later place wins, but not over a lock; a project counts only if it is stricter, and then over a lock too. */
function resolve(name, setting, layers) {
  const isLocked = layers.some((layer) => layer.locked.includes(name));
  let value = setting.default;
  for (const layer of layers) {
    if (!layer.values.has(name)) continue;
    const given = layer.values.get(name);
    if (layer.place === PROJECT && setting.values !== undefined) {
      if (setting.values.indexOf(given) > setting.values.indexOf(value)) value = given;
    } else if (!isLocked || layer.place === SYSTEM) {
      value = given;
    }
  }
  return value;
}

function sharedVariableLayer([variable, name]) {
  const text = process.env[variable];
  if (text === undefined) return { place: ENVIRONMENT, values: new Map(), locked: [] };
  if (!SETTINGS.get(name).accepts(text)) throw invalid(variable, "it must be an absolute path");
  return { place: ENVIRONMENT, values: new Map([[name, text]]), locked: [] };
}

function variablesLayer() {
  const byVariable = new Map([...SETTINGS.keys()].map((name) => [PREFIX + name.toUpperCase().replace(".", "_"), name]));
  const values = new Map();
  for (const [variable, text] of Object.entries(process.env)) {
    if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.has(variable)) continue;
    const name = byVariable.get(variable);
    const setting = SETTINGS.get(name);
    if (setting === undefined || !placesOf(setting).includes(ENVIRONMENT)) throw invalid(variable, "unknown setting");
    const value = valueOfText(setting, text);
    if (!setting.accepts(value)) throw invalid(variable, "it has a value that this setting cannot have");
    values.set(name, value);
  }
  return { place: ENVIRONMENT, values, locked: [] };
}

function valueOfText(setting, text) {
  if (setting.values?.includes(true)) return { true: true, 1: true, false: false, 0: false }[text] ?? text;
  return /^[0-9]{1,15}(\.[0-9]{1,2})?$/.test(text) && !setting.accepts(text) ? Number(text) : text;
}

function placesOf(setting) {
  return setting.places ?? OPERATORS;
}

function fileLayer(place, directory, owners) {
  const file = `${directory}/${NAME}`;
  const data = readStable(directory, file, owners);
  if (data === undefined) return { place, values: new Map(), locked: [] };
  const values = flatten(decode(file, data));
  const locked = place === SYSTEM ? values.get("locked") ?? [] : [];
  if (place === SYSTEM) values.delete("locked");
  for (const [name, value] of values) {
    const setting = SETTINGS.get(name);
    if (setting === undefined) throw invalid(file, `unknown setting \`${name}\``);
    if (!placesOf(setting).includes(place)) throw invalid(file, `\`${name}\` cannot be set by the ${place}`);
    if (!setting.accepts(value)) throw invalid(file, `\`${name}\` has a value that it cannot have`);
  }
  if (!isTexts(locked) || !locked.every((name) => values.has(name))) {
    throw invalid(file, "`locked` is a list of settings that this file sets");
  }
  return { place, values, locked };
}

/** Read a settings file once nobody writes it any more; undefined if there is none. */
function readStable(path, file, owners) {
  if (!mayExist(file)) return undefined;
  let directory;
  try {
    directory = openDirectory(path);
  } catch {
    throw invalid(file, "it is behind a link, or cannot be opened");
  }
  try {
    return readStableIn(directory, file, owners);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error instanceof GrantError ? error : invalid(file, "it cannot be read");
  } finally {
    fs.closeSync(directory.descriptor);
  }
}

function readStableIn(directory, file, owners) {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const { data, before, after } = readFileIn(directory, NAME, MAX_BYTES + 1, (status) => {
      checkTrust(directory.path, directory.status, owners);
      checkTrust(file, status, owners);
      if (!status.isFile() || status.nlink > 1) throw invalid(file, "it is not a regular file with one name");
    });
    const age = Date.now() - Number(BigInt(after.split(":")[4]) / 1_000_000n);
    const isSettled = age > STABLE_MS || age < -STABLE_MS; // it changed before, or by a clock that was set back since
    if (before === after && isSettled) return data;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STABLE_MS);
  }
  throw invalid(file, "it is being written all the time");
}

function checkTrust(path, status, owners) {
  const why = trustProblemText(status, owners);
  if (why) throw invalid(path, `it ${why}`);
}

function decode(file, data) {
  if (data.length > MAX_BYTES) throw invalid(file, `it is larger than ${MAX_BYTES} bytes`);
  try {
    return readToml(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data));
  } catch (error) {
    if (error instanceof TomlError) throw invalid(file, error.message);
    throw invalid(file, "it is not UTF-8");
  }
}

function flatten(document, prefix = "") {
  const values = new Map();
  for (const [key, value] of document) {
    const name = prefix + (key.includes(".") ? `"${key}"` : key);
    if (value instanceof Map && !SETTINGS.has(name)) {
      for (const [inner, part] of flatten(value, `${name}.`)) values.set(inner, part);
    } else {
      values.set(name, value);
    }
  }
  return values;
}

function invalid(source, why) {
  return new GrantError("settings_invalid", `\`${source}\`: ${why}`, "see `cortex-policy config list`");
}

module.exports = { operatorDirectories, readSettings };
