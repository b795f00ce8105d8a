// Open directories of a policy, each from the one above, and note whatever others could have written.
"use strict";

const fs = require("node:fs");
const process = require("node:process");

const { GrantError } = require("./errors");
const { openDirectory, readFileIn, trustProblemText } = require("./files");

class TrustedWalk {
  /** @param {boolean} isNamed whether a caller has named the root, and so trusts its owner */
  constructor(isNamed) {
    this.isNamed = isNamed;
    this.owners = new Set([0, process.geteuid()]);
    this.open = [];
    this.problems = [];
  }

  /** Open a directory below an open one, or the root. */
  enter(parent, name) {
    const path = parent === undefined ? name : `${parent.path === "/" ? "" : parent.path}/${name}`;
    let directory;
    try {
      directory = openDirectory(path, parent, name);
    } catch (error) {
      if (error.code === "ENOENT") throw new GrantError("grant_not_found", `\`${path}\` does not exist`);
      throw unsafe(`\`${path}\` is a link or no directory, or cannot be opened (${error.code})`);
    }
    this.open.push(directory.descriptor);
    if (parent === undefined && this.isNamed) this.owners.add(directory.status.uid);
    this.note(path, directory.status, { isStickySafe: parent === undefined });
    return directory;
  }

  /** Read at most `maxBytes` bytes of a file, undefined if there is none. */
  read(directory, name, maxBytes) {
    const path = `${directory.path}/${name}`;
    try {
      return readFileIn(directory, name, maxBytes, (status) => {
        this.note(path, status);
        const isPlain = status.isFile() && (status.nlink === 1 || status.uid === 0);
        if (!isPlain) throw unsafe(`\`${path}\` is no regular file with one name`);
      }).data;
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error instanceof GrantError ? error : unsafe(`\`${path}\` is a link, or cannot be read (${error.code})`);
    }
  }

  note(path, status, options) {
    const why = trustProblemText(status, this.owners, options);
    if (why) this.problems.push(`\`${path}\` ${why}`);
  }

  throwIfUnsafe() {
    if (this.problems.length) throw unsafe(this.problems.join("; "));
  }

  close() {
    for (const descriptor of this.open) fs.closeSync(descriptor);
  }
}

function unsafe(detail) {
  return new GrantError("grant_unsafe", detail, "`cortex-policy doctor` names the command that fixes it");
}

module.exports = { TrustedWalk };
