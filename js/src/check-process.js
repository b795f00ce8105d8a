// Ask `cortex-policy check --batch`, a process that lives as long as this one: budgets of all processes, audit log, approvals.
"use strict";

const { spawn } = require("node:child_process");
const process = require("node:process");

const { Asker, callText, decisionOf } = require("./answers");
const { StateError, UsageError } = require("./errors");
const { ownOptions } = require("./options");
const { absolutePath } = require("./path-arguments");
const { surroundings } = require("./prints");
const { identityOf } = require("./protection");
const { requireText } = require("./values");

const MAX_ANSWER = 1 << 24; // characters of a line
const USAGE = 2; // the exit code of what is no call
const MAX_SHOWN = 1000; // characters of what the program said before it ended

/**
 * Decides calls by a child process, which is started by the first call, and again after it has ended, or when it would
 * decide by a working directory or variables that this process has no more.
 */
class CheckProcess extends Asker {
  #words;
  #cwd;
  #env;
  #timeoutMs;
  #talk;
  #surroundings;

  /**
   * @param {object} [options]
   * @param {string} [options.root] the directory that holds `.cortex/policy`
   * @param {string} [options.command] the program, "cortex-policy"
   * @param {string} [options.cwd] where relative paths begin
   * @param {Record<string, string>} [options.env]
   * @param {number} [options.timeoutMs] of one answer; approvals may take long
   */
  constructor(options) {
    super();
    const { root, command = "cortex-policy", cwd, env, timeoutMs = 30_000 } = ownOptions(options);
    this.#cwd = cwd === undefined ? undefined : absolutePath(requireText(cwd, "a directory"), process.cwd());
    // absolute, so that a program that is started again later finds the same
    const where = root === undefined ? [] : ["--root", absolutePath(requireText(root, "the root"), this.#cwd ?? process.cwd())];
    this.#words = [command, "check", "--batch", "-", ...where];
    this.#env = env && { __proto__: null, ...env };
    this.#timeoutMs = timeoutMs;
  }

  /** Decide a call; an allowed one takes `cost` hits, unless `peek`. */
  async decide(id, action, args, options) {
    const { cost = 1, peek = false } = ownOptions(options);
    if (!Number.isSafeInteger(cost) || cost < 1) throw new UsageError("cost must be an integer of at least 1");
    const call = callText(id, action, args, { cost, peek });
    return decisionOf(await this.#currentTalk().ask(call, this.#timeoutMs));
  }

  #currentTalk() {
    const found = JSON.stringify([this.#env ?? surroundings(), this.#cwd ?? identityOf(".")]);
    if (found !== this.#surroundings) this.close();
    this.#surroundings = found;
    if (this.#talk === undefined || this.#talk.hasEnded) {
      // a copy: of other objects, what their prototypes have becomes variables too
      this.#talk = startTalk(this.#words, { cwd: this.#cwd, env: this.#env ?? { __proto__: null, ...process.env } });
    }
    return this.#talk;
  }

  /** End the process; calls that wait for their answers still get them. */
  close() {
    this.#talk?.close();
    this.#talk = undefined;
  }
}

function startTalk(words, options) {
  try {
    return new Talk(words, options);
  } catch (error) { // where descriptors are short, Node makes a child without streams
    throw new StateError(`\`cortex-policy check --batch\` cannot be started: ${error.code ?? "too many open files"}`);
  }
}

/** One child and the calls that wait for its answers, which come in the order of the calls. */
class Talk {
  constructor([command, ...words], options) {
    this.waiting = [];
    this.text = "";
    this.said = "";
    this.number = 0;
    this.hasEnded = false;
    this.child = spawn(command, words, { __proto__: null, ...options, stdio: ["pipe", "pipe", "pipe"] });
    this.child.on("error", (error) => this.end(`cannot be started: ${error.code ?? error.message}`));
    this.child.on("close", (code) => this.end(`has ended with ${code}${this.said && `: ${this.said.trim()}`}`));
    this.child.stdin.on("error", () => {}); // `close` says it
    this.child.stdout.setEncoding("utf8").on("data", (text) => this.hear(text));
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.said = (this.said + text).slice(-MAX_SHOWN)));
    this.keepAwake(false);
  }

  ask(call, timeoutMs) {
    return new Promise((resolve, reject) => {
      this.number += 1;
      const timer = setTimeout(() => this.end(`did not answer in ${timeoutMs} ms`), timeoutMs);
      this.waiting.push({ id: this.number, timer, resolve, reject });
      this.keepAwake(true);
      this.child.stdin.write(`${call.slice(0, -1)},"id":${this.number}}\n`);
    });
  }

  hear(text) {
    const lines = (this.text + text).split("\n");
    this.text = lines.pop();
    if (this.text.length > MAX_ANSWER) this.end("gave an answer that does not end");
    for (const line of lines) this.take(line);
  }

  take(line) {
    const answer = parse(line);
    const isNext = this.waiting.length > 0 && (answer?.id === this.waiting[0].id || isOfUnreadableCall(answer));
    if (!isNext) {
      this.end("gave an answer to another call"); // INVARIANT: no call is allowed by the answer to another one
      return;
    }
    const { timer, resolve } = this.waiting.shift();
    clearTimeout(timer);
    this.keepAwake(this.waiting.length > 0);
    resolve(answer);
  }

  /** Deny all that waits, and use this child no more. */
  end(why) {
    this.hasEnded = true;
    this.child.kill("SIGKILL");
    for (const { timer, reject } of this.waiting.splice(0)) {
      clearTimeout(timer);
      reject(new StateError(`\`cortex-policy check --batch\` ${why}`));
    }
  }

  close() {
    this.hasEnded = true;
    this.child.stdin.end();
  }

  /** Keep this process from ending while, and only while, a call waits. */
  keepAwake(isAwake) {
    const { child } = this;
    for (const part of [child, child.stdin, child.stdout, child.stderr]) part[isAwake ? "ref" : "unref"]();
  }
}

/** Whether an answer says that a line could not be read: as nothing of it could, it has no `id`. */
function isOfUnreadableCall(answer) {
  return answer?.exit_code === USAGE && answer.id === undefined && answer.decision === false;
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

module.exports = { CheckProcess };
