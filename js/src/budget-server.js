// The URL of a server that counts budgets for many hosts: its forms, and what of a secret may be in it (nothing).
"use strict";

const { isPrintable } = require("./text");

const MAX_LENGTH = 2000;
const MAX_PORT = 65535;
const FILES = new Set(["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"]);
const SCHEME = /^redis(s?)(|\+sentinel|\+cluster)$/;
const WORD = /^[A-Za-z0-9._~-]*$/;
const NODE = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?$/;
const DATABASE = /^[0-9]{1,4}$/;
const SECRETS = ["password", "passwd", "secret", "token"];
const HIDDEN = "***";

/** Whether a text is the URL of a server that may be used, which has no password in it. */
function isBudgetServer(text) {
  const [scheme, whole] = partition(text, "://");
  if (whole === undefined || [...text].length > MAX_LENGTH || !isPrintable(text) || /[ #]/.test(text)) return false;
  const [rest, query = ""] = partition(whole, "?");
  const options = optionsOf(query);
  const at = rest.lastIndexOf("@");
  if (options === undefined || !WORD.test(rest.slice(0, Math.max(at, 0)))) return false; // a password follows `:`
  const place = rest.slice(at + 1);
  if (scheme === "unix") return isSocket(place, options);
  const [, tls, kind] = SCHEME.exec(scheme) ?? [];
  return kind !== undefined && [...options.keys()].every((name) => tls && FILES.has(name)) && isPlace(kind, place);
}

/** Return what is before the first separator and behind it, undefined behind it if there is none. */
function partition(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Return the options of a URL, undefined if they are wrong. */
function optionsOf(query) {
  const pairs = query ? query.split("&").map((pair) => partition(pair, "=")) : [];
  const options = new Map(pairs.map(([name, value = ""]) => [name, value]));
  const areFiles = [...options].every(([name, value]) => !FILES.has(name) || value.startsWith("/"));
  return options.size === pairs.length && areFiles ? options : undefined;
}

function isSocket(place, options) {
  const isKnown = [...options.keys()].every((name) => name === "db");
  return isKnown && place.startsWith("/") && DATABASE.test(options.get("db") ?? "0");
}

function isPlace(kind, place) {
  const [hosts, path = ""] = partition(place, "/");
  const [service, database = ""] = kind === "+sentinel" ? partition(path, "/") : ["", path];
  if ((kind === "+sentinel" && !service) || !WORD.test(service) || (kind === "+cluster" && database)) return false;
  const nodes = hosts.split(",");
  return (kind !== "" || nodes.length === 1) && nodes.every(isNode) && DATABASE.test(database || "0");
}

function isNode(text) {
  const [found, port = "1"] = NODE.exec(text) ?? [];
  return found !== undefined && Number(port) > 0 && Number(port) <= MAX_PORT;
}

/** Return a text in which no URL, nor what looks like one, and no line of settings shows a password. */
function hidePasswords(text) {
  const shown = SECRETS.reduce((hidden, word) => hideAfter(hidden, word), text);
  const at = shown.lastIndexOf("@");
  if (at < 0) return shown;
  const before = shown.slice(0, at);
  const scheme = before.indexOf("://");
  const start = scheme >= 0 ? scheme + 3 : Math.max(...["\"", "'", "=", " "].map((mark) => before.lastIndexOf(mark))) + 1;
  return before.slice(0, start) + (start < at ? HIDDEN : "") + shown.slice(at);
}

/** Hide what a word is set to, unless that is the path of a file. */
function hideAfter(text, word) {
  const start = text.toLowerCase().indexOf(word);
  if (start < 0) return text;
  const end = start + word.length;
  const [name, value] = partition(text.slice(end), "=");
  if (value === undefined || name.trim().startsWith("_file")) return text;
  return `${text.slice(0, end)}${name}=${value.trim() ? HIDDEN : value}`;
}

module.exports = { hidePasswords, isBudgetServer };
