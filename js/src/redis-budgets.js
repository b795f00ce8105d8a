// Budgets on a Redis or Valkey server, by the script and the keys of the Python program: hosts and languages share them.
"use strict";

const { createHash, createHmac } = require("node:crypto");

const { StateError, UsageError } = require("./errors");
const { ownOptions } = require("./options");
const { ServerClock } = require("./server-clock");
const { SCRIPT } = require("./shared-script");
const { surrogatePassBytes } = require("./text");
const { requireText } = require("./values");

const SHA1 = createHash("sha1").update(SCRIPT).digest("hex");
const MAX_COST = 1 << 16; // hits of one call
const MAX_COUNTED = 1 << 22; // a higher limit counts as this one
const MAX_WAIT_US = 120e6;
const MAX_ASKS = 4; // of one call, if answers come late
const PAUSE_US = 500_000; // after a failure, before the server is asked again
const [MIN_SECRET, MAX_SECRET] = [16, 4096]; // bytes
const [TAG, NAME] = [16, 32]; // digits
const ANSWER = /^(\d{1,16}) (\d{1,16}) (\d{1,16}) (\d{1,16}) (\d{1,16}) ([-splfbav])$/;
const LATE = /^late (\d{1,16})$/;
const CLOSED_BECAUSE = {
  s: "the server has started less than a minute ago",
  p: "the server took over from another one at an unknown time",
  l: "the server has lost its data",
  f: "the server was restarted, or took over from another one",
  b: "the clock of the server was set back",
  a: "the clock of the server was set forward",
  v: "all budgets of this name were reset",
};

/** Budgets that all who give the same name and key share: docs/shared-budgets.md. For `enforceAsync` and `decideAsync`. */
class RedisBudgets {
  #command;
  #secret;
  #prefix;
  #timeoutMs;
  #clock = new ServerClock();
  #downUntilUs = 0;

  /**
   * @param {(words: string[]) => Promise<unknown>} command sends one command by a client, and returns its answer
   * @param {string} name that hosts share
   * @param {Uint8Array | string} secret the key of shared budgets, without the end of its line
   * @param {{timeoutMs?: number}} [options]
   */
  constructor(command, name, secret, options) {
    if (typeof command !== "function") throw new UsageError("`command` is a function that sends a command to the server");
    this.#command = command;
    this.#timeoutMs = ownOptions(options).timeoutMs ?? 50;
    if (typeof secret === "string" && /[\r\n]$|\ufffd/.test(secret)) {
      throw new StateError("the key of shared budgets ends with its line, or was read as UTF-8 and is none", "pass its bytes");
    }
    this.#secret = Buffer.from(secret);
    if (this.#secret.length < MIN_SECRET || this.#secret.length > MAX_SECRET) {
      throw new StateError(`the key of shared budgets has ${this.#secret.length} bytes, not ${MIN_SECRET} to ${MAX_SECRET}`);
    }
    this.#prefix = `cortex:{${this.#hash(`name ${requireText(name, "the name of budgets")}`).slice(0, TAG)}}:`;
  }

  /** Take `cost` hits if they fit into `limit` a minute. */
  take(tool, action, limit, cost = 1) {
    return this.#decide("take", tool, action, limit, cost);
  }

  /** Return what `take` would; consume nothing. */
  peek(tool, action, limit, cost = 1) {
    return this.#decide("peek", tool, action, limit, cost);
  }

  #hash(data) {
    return createHmac("sha256", this.#secret).update(data).digest("hex");
  }

  async #decide(what, tool, action, limit, cost) {
    if (cost > limit) return { limit, used: 0, remaining: limit, retryAfterSeconds: null, consumed: 0 };
    if (cost > MAX_COST) throw new StateError(`a call takes at most ${MAX_COST} hits of a shared budget`, "divide the call");
    if (this.#clock.now() < this.#downUntilUs) throw new StateError("the server of shared budgets did not answer just before");
    const counted = limit > MAX_COUNTED ? MAX_COUNTED : Number(limit);
    const data = Buffer.concat([Buffer.from("key "), surrogatePassBytes(`${tool}:${action}`)]);
    const keys = [this.#prefix + this.#hash(data).slice(0, NAME), `${this.#prefix}epoch`];
    const answer = await this.#converse(keys, what, counted, cost);
    return budgetOf(answer, limit, counted);
  }

  /** Ask until an answer is not late: a request that is late by the server's clock takes nothing. */
  async #converse(keys, what, counted, cost) {
    let [delayUs, isAhead] = [0, false];
    for (let asks = 0; asks < MAX_ASKS; asks += 1) {
      const askedUs = this.#clock.now();
      const { latest, earliest, history } = this.#clock.bounds(askedUs, delayUs);
      const line = await this.#ask([...keys, what, counted, cost, latest, earliest, isAhead ? 1 : 0, history].map(String));
      const late = LATE.exec(line);
      const answer = late ?? readAnswer(line, what, cost);
      const serverUs = Number(late ? late[1] : answer.serverUs);
      isAhead = (late !== null || delayUs > 0) && serverUs > this.#clock.bounds(this.#clock.now(), 0).latest;
      if (late === null && !isAhead) {
        // INVARIANT: a peek writes nothing, so no later call may know that it saw what closes the budgets
        if (what === "take") this.#clock.learn(serverUs, askedUs, answer.history);
        return answer;
      }
      delayUs = isAhead ? 0 : this.#timeoutMs * 1000;
    }
    throw new StateError("the server of shared budgets answers too late", "try again");
  }

  async #ask(words) {
    const deadline = deadlineIn(this.#timeoutMs);
    try {
      return String(await Promise.race([this.#evaluate(words), deadline.promise]));
    } catch (error) {
      this.#downUntilUs = this.#clock.now() + PAUSE_US;
      throw error instanceof StateError ? error : new StateError(`the server of shared budgets: ${error?.message ?? error}`);
    } finally {
      clearTimeout(deadline.timer);
    }
  }

  async #evaluate(words) {
    try {
      return await this.#command(["EVALSHA", SHA1, "2", ...words]);
    } catch (error) {
      if (!String(error?.message).startsWith("NOSCRIPT")) throw error;
      return this.#command(["EVAL", SCRIPT, "2", ...words]);
    }
  }
}

function deadlineIn(timeoutMs) {
  let timer;
  const promise = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new StateError(`the server of shared budgets: no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  return { promise, timer };
}

function readAnswer(line, what, cost) {
  const found = ANSWER.exec(line);
  const [consumed, used, waitUs, serverUs, history] = (found ?? []).slice(1, 6).map(Number);
  const isTaken = what === "take" && consumed === cost;
  const why = found?.[6];
  // no wait is room: whoever has taken nothing where there is some has not counted the call
  const isUncounted = waitUs === 0 && consumed === 0 && (what === "take" || why !== "-");
  if (isUncounted || found === null || !(isTaken || consumed === 0) || waitUs > MAX_WAIT_US || (why !== "-" && isTaken)) {
    throw new StateError(`the server of shared budgets gave an unexpected answer, \`${line.slice(0, 100)}\``);
  }
  return { consumed, used, waitUs, serverUs, history, why };
}

function budgetOf({ consumed, used, waitUs, why }, limit, counted) {
  const budget = { limit, used, remaining: Math.max(0, counted - used), retryAfterSeconds: waitUs / 1e6, consumed };
  return why === "-" ? budget : { ...budget, used: limit, remaining: 0, closed: true, closedBecause: CLOSED_BECAUSE[why] };
}

module.exports = { RedisBudgets };
