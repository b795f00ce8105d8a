// Go from a root down to its files by open directories, and note whatever others could have written.
"use strict";

const fs = require("node:fs");
const process = require("node:process");

const { GrantError } = require("./errors");
const { OWNER, openDirectory, readFileIn, trustProblems } = require("./files");
const { systemErrorText } = require("./text");
const { userLabel } = require("./users");

const [DIRECTORY, FILE] = ["directory", "file"];
const WRONG_KINDS = new Set(["ELOOP", "EMLINK", "ENOTDIR", "ENXIO"]);

/** Opens directories, each from the one above, and reads files in them, without following links. */
class TrustedWalk {
  /** @param {boolean} isNamed whether a caller has named the root, and so trusts its owner */
  constructor(isNamed) {
    this.isNamed = isNamed;
    this.owners = new Set([0, process.geteuid()]);
    this.open = [];
    this.problems = []; // {path, kind, sentence, uid}
  }

  /** Open a directory below another one, or the root; throw GrantError. */
  enter(parent, name) {
    const path = parent === undefined ? name : `${parent.path === "/" ? "" : parent.path}/${name}`;
    let directory;
    try {
      directory = openDirectory(path, parent, name);
    } catch (error) {
      if (error.code !== "ENOENT") throw this.unsafeError(path, DIRECTORY, error);
      this.throwIfUnsafe();
      throw new GrantError("grant_not_found", `\`${path}\` does not exist`);
    }
    this.open.push(directory.descriptor);
    if (parent === undefined) {
      [this.root, this.rootOwner] = [path, directory.status.uid];
      if (this.isNamed) this.owners.add(this.rootOwner);
    }
    this.note(path, directory.status, { isStickySafe: parent === undefined });
    return directory;
  }

  /** Return the bytes of a file, undefined if there is none; throw GrantError. */
  read(directory, name, maxBytes) {
    const path = `${directory.path}/${name}`;
    try {
      return readFileIn(directory, name, maxBytes, (status) => {
        this.note(path, status);
        if (!status.isFile() || (status.nlink > 1 && status.uid !== 0)) throw this.unsafeError(path, FILE);
      }).data;
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error instanceof GrantError ? error : this.unsafeError(path, FILE, error);
    }
  }

  note(path, status, options) {
    for (const { kind, sentence } of trustProblems(status, this.owners, options)) {
      this.problems.push({ path, kind, sentence: `\`${path}\` ${sentence}`, uid: status.uid });
    }
  }

  throwIfUnsafe() {
    if (this.problems.length) throw this.unsafeError();
  }

  /** Return the error for all that was noted and, at a path, for what is no `kind` or has an error of its own. */
  unsafeError(path, kind, error) {
    if (error?.code === "EACCES" && isOfAnotherUser(path)) return unsafe(`\`${path}\`: ${systemErrorText(error)}`);
    const faults = this.problems.map(({ sentence }) => sentence);
    if (error !== undefined && !WRONG_KINDS.has(error.code)) {
      faults.push(`\`${path}\`: ${systemErrorText(error)}`);
    } else if (path !== undefined) {
      faults.push(`\`${path}\` ${wrongKindText(path, kind)}`);
    }
    const isRootOwnerAlone = this.problems.every(({ uid }) => uid === this.rootOwner || this.owners.has(uid));
    const ofOwner = this.problems.filter((problem) => problem.kind === OWNER);
    if (ofOwner.length && isRootOwnerAlone && ofOwner.length === faults.length) {
      return unsafe(`\`${this.root}\` belongs to ${userLabel(this.rootOwner)}`); // naming the root would be enough
    }
    return unsafe(faults.join("; "));
  }

  close() {
    for (const descriptor of this.open) fs.closeSync(descriptor);
  }
}

function isOfAnotherUser(path) {
  try {
    return fs.lstatSync(path).uid !== process.geteuid();
  } catch {
    return false;
  }
}

/** Say what is wrong with the object at a path, which is refused already. */
function wrongKindText(path, kind) {
  if (kind === DIRECTORY) return "is a link, or not a directory";
  const status = fs.lstatSync(path, { throwIfNoEntry: false });
  if (status?.isSymbolicLink()) return "is a link";
  return status?.isFile() ? "has more than one link" : "is not a regular file";
}

function unsafe(detail) {
  return new GrantError("grant_unsafe", detail, "`cortex-policy doctor` names the command that fixes it");
}

module.exports = { TrustedWalk };
