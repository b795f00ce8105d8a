// What a process can believe about the clock of the server of budgets, from its last answer and its own clock.
"use strict";

const os = require("node:os");
const process = require("node:process");

const SLACK_US = 20_000;
const MAX_SLEEP_SECONDS = 2; // that the clock of this process may have missed, as it does while a host sleeps

/** The answer that bounds the server's time best: that time, the own one before and after, and the history. */
class ServerClock {
  constructor() {
    this.known = undefined;
  }

  /** Return microseconds that no setting of the wall clock moves. */
  now() {
    return Number(process.hrtime.bigint() / 1000n);
  }

  /** Return the latest and the earliest time that the server can show, and of which history; zeros if unknown. */
  bounds(now, delayUs) {
    if (this.known === undefined || Math.abs(os.uptime() - now / 1e6 - this.known.awake) > MAX_SLEEP_SECONDS) {
      return { latest: 0, earliest: 0, history: 0 };
    }
    const { serverUs, askedUs, heardUs, history } = this.known;
    const [longest, shortest] = [now + delayUs - askedUs, now - heardUs];
    // a clock may run one thousandth faster than another
    return {
      latest: serverUs + longest + Math.floor(longest / 1000) + SLACK_US,
      earliest: serverUs + shortest - Math.floor(shortest / 1000) - SLACK_US,
      history,
    };
  }

  /** Take the time of an answer that is here now, if it bounds the server's better, or is of a new history. */
  learn(serverUs, askedUs, history) {
    const known = this.bounds(askedUs, 0);
    if (history === known.history && serverUs > known.latest - SLACK_US) return;
    const heardUs = this.now();
    this.known = { serverUs, askedUs, heardUs, history, awake: os.uptime() - heardUs / 1e6 };
  }
}

module.exports = { ServerClock };
