// Users by their names, as far as Node can know them.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const process = require("node:process");

/** Return the name of a user, else their number: Node asks the system for the name of its own user alone. */
function userLabel(uid) {
  return (uid === process.geteuid() ? ownName() : nameInPasswordFile(uid)) || `user ${uid}`;
}

function ownName() {
  try {
    return os.userInfo().username;
  } catch {
    return ""; // a user without a name
  }
}

function nameInPasswordFile(uid) {
  try {
    const lines = fs.readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"));
    return lines.find((fields) => fields[2] === String(uid))?.[0] ?? "";
  } catch {
    return "";
  }
}

module.exports = { userLabel };
