// The settings that decide calls, from the places where operators write them.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const process = require("node:process");

const { GrantError } = require("./errors");
const { mayExist, openDirectory, readFileIn, trustProblemText } = require("./files");
const host = require("./host");
const { invalid } = require("./settings-errors");
const { MAX_BYTES, decodeLayer, layerOf, settingsOfLayers, sharedVariableLayers, variablesLayer } = require("./settings-layers");
const { PROJECT, SYSTEM, USER } = require("./settings-table");
const { systemErrorText } = require("./text");

const NAME = "config.toml";
const STABLE_MS = 20; // since the last change: half of a file says less, and is valid too
const MAX_TRIES = 50;
const LINKS = new Set(["ELOOP", "EMLINK", "ENOTDIR"]);

/** Return the directories of the settings of the system and the user. */
function operatorDirectories() {
  const named = textOfVariable("XDG_CONFIG_HOME");
  if (named.startsWith("/")) return [host.SYSTEM_DIRECTORY, `${named}/cortex-policy`];
  const below = process.platform === "darwin" ? "Library/Application Support" : ".config";
  textOfVariable("HOME");
  const home = os.homedir();
  return [host.SYSTEM_DIRECTORY, `${home.startsWith("/") ? home.replace(/\/+$/, "") : ""}/${below}/cortex-policy`];
}

/** Return a variable, '' if it is not set; throw GrantError for one of which Node does not know all bytes. */
function textOfVariable(name) {
  const text = Object.hasOwn(process.env, name) ? process.env[name] : ""; // none that a prototype was given
  if (text.includes("\ufffd")) throw invalid(name, "it is not UTF-8");
  return text;
}

/** Return the effective settings of a root, a Map by name; throw GrantError (settings_invalid). */
function readSettings(policy, rootOwner) {
  const [system, user] = operatorDirectories();
  const owner = process.geteuid();
  return settingsOfLayers([
    ...sharedVariableLayers(process.env),
    fileLayer(SYSTEM, system, new Set([0])),
    fileLayer(USER, user, new Set([0, owner])),
    variablesLayer(process.env),
    fileLayer(PROJECT, policy, new Set([0, owner, rootOwner])),
  ]);
}

function fileLayer(place, directory, owners) {
  const file = `${directory}/${NAME}`;
  const data = readStable(directory, file, owners);
  return data === undefined ? layerOf(place, new Map()) : decodeLayer(place, file, data);
}

/** Read a settings file once nobody writes it any more; undefined if there is none. One that goes meanwhile denies. */
function readStable(path, file, owners) {
  if (!mayExist(file)) return undefined;
  let directory;
  try {
    directory = openDirectory(path);
    checkTrust(path, directory.status, owners);
    return readStableIn(directory, file, owners);
  } catch (error) {
    if (error instanceof GrantError) throw error;
    throw invalid(file, LINKS.has(error.code) ? "it is a link, or its path has one" : systemErrorText(error));
  } finally {
    if (directory !== undefined) fs.closeSync(directory.descriptor);
  }
}

function readStableIn(directory, file, owners) {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    // INVARIANT: from before the file is read, or one that is written meanwhile looks old to a process that is held up
    const now = Date.now();
    const { data, before, after } = readFileIn(directory, NAME, MAX_BYTES + 1, (status) => {
      checkTrust(file, status, owners);
      if (status.isDirectory()) return; // reading it fails
      if (!status.isFile()) throw invalid(file, "it is not a regular file");
      if (status.nlink > 1) throw invalid(file, "it has more than one link");
    });
    const changed = Number(BigInt(after.split(":")[4]) / 1_000_000n);
    const isSettled = now - changed > STABLE_MS || changed > Date.now() + STABLE_MS; // before, or by a clock that was set back since
    if (before === after && isSettled) return data;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STABLE_MS);
  }
  throw invalid(file, "it is being written all the time");
}

function checkTrust(path, status, owners) {
  const why = trustProblemText(status, owners);
  if (why) throw invalid(path, `it ${why}`);
}

module.exports = { operatorDirectories, readSettings, textOfVariable };
