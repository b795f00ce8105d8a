// Who could change what a path leads to.
"use strict";

const fs = require("node:fs");
const process = require("node:process");

const { trustProblemText } = require("./files");

const MAX_LINKS = 40;
const IN_DIRECTORY = Object.freeze({ isStickySafe: true }); // there the sticky bit keeps others from what is not theirs

/**
 * Say why another user could put something else at an absolute path, '' if only this user and root can.
 *
 * Links are followed, and belong to them too. Throws an error of the system for what cannot be examined.
 */
function otherWritersText(path) {
  const owners = new Set([0, process.geteuid()]);
  const left = path.split("/").reverse(); // components, the next one last
  let [reached, links] = ["", 0];
  while (left.length) {
    const part = left.pop();
    if (part === "..") reached = reached.slice(0, reached.lastIndexOf("/"));
    if (["", ".", ".."].includes(part)) continue;
    const why = trustProblemText(fs.lstatSync(reached || "/"), owners, IN_DIRECTORY);
    if (why) return `\`${reached || "/"}\` ${why}`;
    const name = `${reached}/${part}`;
    const status = fs.lstatSync(name);
    if (!status.isSymbolicLink()) {
      reached = name;
      continue;
    }
    links += 1;
    if (!owners.has(status.uid) || links > MAX_LINKS) return `\`${name}\` is a link of user ${status.uid}, or one of too many`;
    const target = fs.readlinkSync(name);
    left.push(...target.split("/").reverse());
    if (target.startsWith("/")) reached = "";
  }
  const why = trustProblemText(fs.lstatSync(reached || "/"), owners);
  return why && `\`${reached}\` ${why}`;
}

module.exports = { otherWritersText };
