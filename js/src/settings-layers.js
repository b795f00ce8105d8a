// What each place says of the settings, and which value counts. What is not understood denies.
"use strict";

const { LOCKED, invalid, wrongKey, wrongVariable } = require("./settings-errors");
const {
  ENVIRONMENT, OTHER_VARIABLES, PREFIX, PROJECT, SETTINGS, SHARED_VARIABLES, SYSTEM, isSettableAt, numberOf,
  settingOfVariable, variableOf,
} = require("./settings-table");
const { TomlError, readToml } = require("./toml");

const MAX_BYTES = 1 << 16;
const MAX_TIMEOUT_MS = 10_000;
const UNKNOWN_BYTES = "\ufffd"; // what Node makes of bytes that are not UTF-8
const VALIDATION = "validate."; // what a project sets for `validate` alone
const TABLES = new Set(["history", "audit", "approvals", "budgets", "validate"]);

/**
 * What one place says.
 * @typedef {{place: string, values: Map<string, unknown>, sourceOf: (name: string) => string, locked: string[]}} Layer
 */

/** Return the effective settings of these layers, the weakest first, by name; throw GrantError (settings_invalid). */
function settingsOfLayers(layers) {
  const found = new Map([...SETTINGS].map(([name, setting]) => [name, effectiveOf(name, setting, layers)]));
  const settings = new Map([...found].map(([name, { value }]) => [name, value]));
  if (settings.get("budgets.url") !== undefined) {
    requireBudgetSettings(settings, (name) => found.get(name).layer.sourceOf(name));
  }
  return settings;
}

/** A later place wins, but not over a lock; a project counts only if it is stricter, and then over a lock too. */
function effectiveOf(name, setting, layers) {
  const isLocked = layers.some((layer) => layer.locked.includes(name));
  let effective = { value: setting.default };
  for (const layer of layers.filter(({ values }) => values.has(name))) {
    const value = layer.values.get(name);
    const isTightening = layer.place === PROJECT && setting.values !== undefined;
    const isStricter = isTightening && setting.values.indexOf(value) > setting.values.indexOf(effective.value);
    if (isTightening ? isStricter : !isLocked || layer.place === SYSTEM) effective = { value, layer };
  }
  return effective;
}

/** Throw GrantError if budgets have a server, but not all that all hosts must agree on. */
function requireBudgetSettings(settings, sourceOf) {
  const isLocal = settings.get("budgets.on_error") === "local";
  for (const [name, value, why] of [
    ["name", settings.get("budgets.name"), "hosts share the budgets of one name"],
    ["key_file", settings.get("budgets.key_file"), "a key hides tools and actions from the server"],
    ["local_share", !isLocal || numberOf(settings.get("budgets.local_share")), "`budgets.on_error` is `local`"],
  ]) {
    if (!value) throw invalid(sourceOf("budgets.url"), `\`budgets.url\` is set, and \`budgets.${name}\` is not: ${why}`);
  }
  const timeout = settings.get("budgets.timeout_ms");
  if (timeout < 1 || timeout > MAX_TIMEOUT_MS) throw invalid(sourceOf("budgets.timeout_ms"), `\`budgets.timeout_ms\` is \`${timeout}\``);
}

/** Return what the variables say that other programs know too. */
function sharedVariableLayers(environment) {
  return SHARED_VARIABLES.map(([variable, name, read]) => {
    if (!Object.hasOwn(environment, variable)) return layerOf(ENVIRONMENT, new Map());
    const text = environment[variable];
    requireKnownBytes(variable, text);
    if (!SETTINGS.get(name).accepts(read(text))) throw wrongVariable(variable, text, true);
    return layerOf(ENVIRONMENT, new Map([[name, read(text)]]), () => variable);
  });
}

/** Return what the variables of this program say. */
function variablesLayer(environment) {
  const values = new Map();
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.has(variable)) continue;
    requireKnownBytes(variable, text);
    const name = settingOfVariable(variable);
    const setting = SETTINGS.get(name);
    const value = setting?.readsText?.(text) ?? text;
    // a state directory that is none is refused once every other rule lets the call pass
    const isValid = setting?.accepts(value) || name === "state_dir";
    if (!isValid) throw wrongVariable(variable, text, setting !== undefined);
    values.set(name, value);
  }
  return layerOf(ENVIRONMENT, values, variableOf);
}

function requireKnownBytes(variable, text) {
  if (text.includes(UNKNOWN_BYTES)) throw invalid(variable, "it is not UTF-8");
}

/** Return what the bytes of a settings file say. */
function decodeLayer(place, file, data) {
  const values = flatten(decode(file, data));
  const locked = place === SYSTEM ? values.get(LOCKED) ?? [] : [];
  if (place === SYSTEM) values.delete(LOCKED);
  for (const [name, value] of values) {
    if (place === PROJECT && name.startsWith(VALIDATION)) values.delete(name);
    else if (!isValidSetting(place, name, value)) throw wrongKey(place, file, name, value);
  }
  if (!Array.isArray(locked) || !locked.every((name) => values.has(name))) {
    throw invalid(file, `\`${LOCKED}\` is a list of settings that this file sets`);
  }
  return layerOf(place, values, () => file, locked);
}

function isValidSetting(place, name, value) {
  return SETTINGS.has(name) && isSettableAt(place, name) && SETTINGS.get(name).accepts(value);
}

function layerOf(place, values, sourceOf = () => place, locked = []) {
  return { place, values, sourceOf, locked };
}

function decode(file, data) {
  if (data.length > MAX_BYTES) throw invalid(file, `it is larger than ${MAX_BYTES} bytes`);
  try {
    return readToml(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data));
  } catch (error) {
    if (error instanceof TomlError) throw invalid(file, `it is not TOML, or more of it than is read here: ${error.message}`);
    throw invalid(file, "it is not UTF-8");
  }
}

function flatten(document, prefix = "") {
  const values = new Map();
  for (const [key, value] of document) {
    const name = prefix + (key.includes(".") ? `"${key}"` : key);
    if (value instanceof Map && !SETTINGS.has(name) && (value.size > 0 || TABLES.has(name))) {
      for (const [inner, part] of flatten(value, `${name}.`)) values.set(inner, part);
    } else {
      values.set(name, value);
    }
  }
  return values;
}

module.exports = { MAX_BYTES, decodeLayer, layerOf, settingsOfLayers, sharedVariableLayers, variablesLayer };
