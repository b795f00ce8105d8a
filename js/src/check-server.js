// Ask `cortex-policy serve` over its unix socket: budgets of all its clients, audit log, approvals.
"use strict";

const http = require("node:http");
const process = require("node:process");

const { Asker, decisionOf, readArguments } = require("./answers");
const { StateError, UsageError } = require("./errors");
const { ownOptions, requireSwitch } = require("./options");
const { absolutePath } = require("./path-arguments");
const { otherWritersText } = require("./private-path");
const { requireText } = require("./values");

const MAX_ANSWER = 1 << 22; // bytes
const IDLE_MS = 30_000; // the server closes what is idle for longer
const NUMBER = "x-request-id"; // the server sends it back
const CONSUME = "consume"; // the member of a request's context that counts the call
const MAX_SHOWN = 200;
const MAX_PATH = process.platform === "linux" ? 107 : 103; // bytes; Node would ask the socket whose name is the beginning

/** Decides calls by a server on a unix socket of this user. A relative path begins at the root of the server. */
class CheckServer extends Asker {
  #socketPath;
  #timeoutMs;
  #number = 0;
  #agent = new http.Agent({ keepAlive: true, timeout: IDLE_MS });

  /**
   * @param {string} socketPath what `cortex-policy serve` prints
   * @param {{timeoutMs?: number}} [options] of one answer
   */
  constructor(socketPath, options) {
    super();
    const { timeoutMs = 10_000 } = ownOptions(options);
    this.#socketPath = absolutePath(requireText(socketPath, "the path of a socket"), process.cwd());
    if (Buffer.byteLength(this.#socketPath) > MAX_PATH) throw new UsageError(`the path of a socket has more than ${MAX_PATH} bytes`);
    this.#timeoutMs = timeoutMs;
  }

  /** Decide a call; an allowed one takes one hit, unless `peek`. */
  async decide(id, action, args, options) {
    const { cost = 1, peek = false } = ownOptions(options);
    requireSwitch(peek, "peek");
    if (cost !== 1) throw new UsageError("a request to a server has the cost 1", "ask `CheckProcess`");
    const body = requestText(id, action, args, peek);
    checkSocket(this.#socketPath);
    this.#number += 1;
    const number = String(this.#number);
    const { status, text, answered } = await this.#post(body, number).catch((error) => {
      throw new StateError(`the server at \`${this.#socketPath}\` does not answer: ${error.code ?? error.name}`);
    });
    if (status === 400) throw new UsageError(text.trim().slice(0, MAX_SHOWN));
    if (status !== 200) throw new StateError(`the server answers ${status}: ${text.trim().slice(0, MAX_SHOWN)}`);
    // INVARIANT: no call is allowed by the answer to another one
    if (answered !== number) throw new StateError("the server gave an answer to another call");
    return decisionOf(membersOf(text));
  }

  /** Close the connections that nobody uses. */
  close() {
    this.#agent.destroy();
  }

  #post(body, number) {
    return new Promise((resolve, reject) => {
      const request = http.request({
        socketPath: this.#socketPath, agent: this.#agent, method: "POST", path: "/access/v1/evaluation",
        headers: {
          "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body), Host: "localhost", [NUMBER]: number,
        },
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      request.on("error", reject).on("response", (response) => readAnswer(response).then(resolve, reject)).end(body);
    });
  }
}

async function readAnswer(response) {
  const parts = [];
  let size = 0;
  for await (const part of response) {
    parts.push(part);
    size += part.length;
    if (size > MAX_ANSWER) throw new Error("an answer that is too long");
  }
  return { status: response.statusCode, text: Buffer.concat(parts).toString("utf8"), answered: response.headers[NUMBER] };
}

/** Return an evaluation of AuthZEN that counts, unless `peek`. */
function requestText(id, action, args, peek) {
  const { args: members, text } = readArguments(args);
  if (members.has(CONSUME)) throw new UsageError("a request to a server has no argument `consume`", "ask `CheckProcess`");
  const request = JSON.stringify({
    subject: { type: "process", id: String(process.pid) }, resource: { type: "tool", id: requireText(id, "a grant") },
    action: { name: requireText(action, "an action") },
  });
  const context = peek ? text : `{"${CONSUME}":true${members.size ? "," : ""}${text.slice(1)}`;
  return `${request.slice(0, -1)},"context":${context}}`;
}

/** Throw StateError if another user could answer in place of the server. */
function checkSocket(socketPath) {
  let why;
  try {
    why = otherWritersText(socketPath);
  } catch (error) {
    if (error.code !== "ENOENT") throw new StateError(`\`${socketPath}\` cannot be examined: ${error.code}`);
    throw new StateError(`there is no socket \`${socketPath}\``, "start `cortex-policy serve`");
  }
  if (why) throw new StateError(why);
}

function membersOf(text) {
  try {
    const { decision, context } = JSON.parse(text);
    return { ...context, decision };
  } catch {
    throw new StateError("the server gave an answer that is not understood");
  }
}

module.exports = { CheckServer };
