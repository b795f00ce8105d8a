// What each place says of the settings, and which value counts. What is not understood denies.
"use strict";

const { GrantError } = require("./errors");
const {
  ENVIRONMENT, OTHER_VARIABLES, PREFIX, PROJECT, SETTINGS, SHARED_VARIABLES, SYSTEM, isValidSetting, settingOfVariable,
} = require("./settings-table");
const { TomlError, readToml } = require("./toml");

const MAX_BYTES = 1 << 16;
const UNKNOWN_BYTES = "\ufffd"; // what Node makes of bytes that are not UTF-8
const NOT_VALID = "it cannot be set here, or has a value that it cannot have";
const LOCKED = "locked"; // a key of the system's file, and no setting
const VALIDATION = "validate."; // what a project sets for `validate` alone
const TABLES = new Set(["history", "audit", "approvals", "budgets", "validate"]);

/**
 * What one place says.
 * @typedef {{place: string, values: Map<string, unknown>, locked: string[]}} Layer
 */

/** Return the effective settings of these layers, the weakest first, by name. */
function settingsOfLayers(layers) {
  return new Map([...SETTINGS].map(([name, setting]) => [name, valueOf(name, setting, layers)]));
}

/** A later place wins, but not over a lock; a project counts only if it is stricter, and then over a lock too. */
function valueOf(name, setting, layers) {
  const isLocked = layers.some((layer) => layer.locked.includes(name));
  let value = setting.default;
  for (const { place, values } of layers.filter((layer) => layer.values.has(name))) {
    const given = values.get(name);
    const isTightening = place === PROJECT && setting.values !== undefined;
    const isStricter = isTightening && setting.values.indexOf(given) > setting.values.indexOf(value);
    if (isTightening ? isStricter : !isLocked || place === SYSTEM) value = given;
  }
  return value;
}

/** Return what the variables say that other programs know too. */
function sharedVariableLayers(environment) {
  return SHARED_VARIABLES.map(([variable, name, read]) => {
    if (!Object.hasOwn(environment, variable)) return layerOf(ENVIRONMENT, new Map());
    const text = environment[variable];
    const isValid = !text.includes(UNKNOWN_BYTES) && SETTINGS.get(name).accepts(read(text));
    if (!isValid) throw invalid(variable, NOT_VALID);
    return layerOf(ENVIRONMENT, new Map([[name, read(text)]]));
  });
}

/** Return what the variables of this program say. */
function variablesLayer(environment) {
  const values = new Map();
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.has(variable)) continue;
    const name = settingOfVariable(variable);
    const value = SETTINGS.get(name)?.readsText?.(text) ?? text;
    const isValid = !text.includes(UNKNOWN_BYTES) && isValidSetting(ENVIRONMENT, name, value);
    if (!isValid) throw invalid(variable, NOT_VALID);
    values.set(name, value);
  }
  return layerOf(ENVIRONMENT, values);
}

/** Return what the bytes of a settings file say. */
function decodeLayer(place, file, data) {
  const values = flatten(decode(file, data));
  const locked = place === SYSTEM ? values.get(LOCKED) ?? [] : [];
  if (place === SYSTEM) values.delete(LOCKED);
  for (const [name, value] of values) {
    if (place === PROJECT && name.startsWith(VALIDATION)) values.delete(name);
    else if (!isValidSetting(place, name, value)) throw invalid(file, `\`${name}\`: ${NOT_VALID}`);
  }
  if (!Array.isArray(locked) || !locked.every((name) => values.has(name))) {
    throw invalid(file, `\`${LOCKED}\` is a list of settings that this file sets`);
  }
  return layerOf(place, values, locked);
}

function layerOf(place, values, locked = []) {
  return { place, values, locked };
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
    if (value instanceof Map && (value.size > 0 || TABLES.has(name))) {
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

module.exports = { MAX_BYTES, decodeLayer, invalid, layerOf, settingsOfLayers, sharedVariableLayers, variablesLayer };
