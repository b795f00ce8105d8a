// Read the vectors of conformance/, whose format conformance/README.md describes.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { gunzipSync } = require("node:zlib");

const { decodeJson } = require("../../src/json");

const DIRECTORY = path.join(__dirname, "../../../conformance");
const MAX_BYTES = 1 << 26;

/** Return all vectors of a kind, those made by hand first. */
function vectorsOf(kind) {
  const byHand = fs.readFileSync(path.join(DIRECTORY, `cases/${kind}.jsonl`));
  const byChance = gunzipSync(fs.readFileSync(path.join(DIRECTORY, `generated/${kind}.jsonl.gz`)));
  return [byHand, byChance].flatMap((data) => data.toString().split("\n").filter(Boolean).map((line) => JSON.parse(line)));
}

function expandText(text) {
  if (typeof text === "string") return text;
  return text.parts ? text.parts.map(expandText).join("") : expandText(text.repeat).repeat(text.times);
}

function expandBytes(bytes) {
  if (typeof bytes === "string") return Buffer.from(bytes);
  if (bytes.base64 !== undefined) return Buffer.from(bytes.base64, "base64");
  if (bytes.parts) return Buffer.concat(bytes.parts.map(expandBytes));
  const part = expandBytes(bytes.repeat);
  return Buffer.alloc(part.length * bytes.times, part);
}

/** Return the bytes of a document: its own text, or any serialization of its value. */
function documentBytes(vector, name) {
  const text = vector[`${name}_text`];
  return Buffer.from(text === undefined ? JSON.stringify(vector[name]) : expandText(text));
}

function documentOf(vector, name) {
  return decodeJson(documentBytes(vector, name), MAX_BYTES);
}

function treesOf() {
  return JSON.parse(fs.readFileSync(path.join(DIRECTORY, "trees.json"), "utf8")).trees;
}

function tablesOf() {
  return JSON.parse(fs.readFileSync(path.join(DIRECTORY, "tables.json"), "utf8"));
}

module.exports = { documentBytes, documentOf, expandBytes, expandText, tablesOf, treesOf, vectorsOf };
