// Why settings are refused, in the words of the Python program.
"use strict";

const { hidePasswords } = require("./budget-server");
const { GrantError } = require("./errors");
const { SETTINGS, isSettableAt } = require("./settings-table");
const { TomlReal } = require("./toml");
const { firstCharacters, realText } = require("./values");

const LOCKED = "locked"; // a key of the system's file, and no setting
const MAX_SHOWN = 60; // characters of a value

/** Return the error (settings_invalid) for a file or a variable. */
function invalid(source, why) {
  return new GrantError("settings_invalid", `\`${source}\`: ${why}`, "see `cortex-policy config list`");
}

/** Return the error for an unknown key, a key of another place, or a wrong value. */
function wrongKey(place, file, name, value) {
  const setting = SETTINGS.get(name);
  if (setting === undefined) {
    return invalid(file, name === LOCKED ? `\`${LOCKED}\` is for the system's file only` : `unknown setting \`${name}\``);
  }
  if (!isSettableAt(place, name)) return invalid(file, `\`${name}\` cannot be set by the ${place}`);
  const isQuoted = typeof value === "string" && setting.isNoText;
  return invalid(file, `\`${name}\` is ${isQuoted ? "the text " : ""}${quoteValue(value)}`);
}

/** Return the error for a variable that is no setting, or has a wrong value. */
function wrongVariable(variable, text, isSetting) {
  if (!isSetting) return invalid(variable, "unknown setting");
  return invalid(variable, text ? `it is ${quoteValue(text)}` : "it is empty");
}

function quoteValue(value) {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "a table";
  const text = value instanceof TomlReal ? realText(value.value) : hidePasswords(String(value));
  return `\`${firstCharacters(text, MAX_SHOWN)}\``;
}

module.exports = { LOCKED, invalid, wrongKey, wrongVariable };
