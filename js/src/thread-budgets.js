// Count the hits of sliding minutes in shared memory, exactly over all worker threads of a process.
"use strict";

const { createHash } = require("node:crypto");
const process = require("node:process");

const { StateError, UsageError } = require("./errors");
const { ownOptions } = require("./options");
const { MAX_SPAN, Ring } = require("./ring");

const MAGIC = 0x636f7274;
const [MAGIC_AT, FREE_AT, START_AT, TABLE_AT] = [0, 1, 2, 3]; // words of the memory
const ENTRIES = 1024; // budgets: two words of a key, and the place of a ring
const ENTRY_WORDS = 3;
const FIRST_CAPACITY = 64;
const DEFAULT_BYTES = 1 << 26; // of which a system gives only what is used
const BEFORE_START = 2 ** 28; // seconds: slots that were never written are as old

/** Budgets of one process. Give `memory` to a worker, and `new ThreadBudgets({memory})` there counts the same hits. */
class ThreadBudgets {
  /** @param {{memory?: SharedArrayBuffer, bytes?: number, clock?: () => [number, number]}} [options] as `process.hrtime` */
  constructor(options) {
    const { memory, bytes = DEFAULT_BYTES, clock = process.hrtime } = ownOptions(options);
    this.memory = memory ?? new SharedArrayBuffer(bytes);
    this.words = new Int32Array(this.memory);
    this.clock = clock;
    this.entries = new Map(); // by tool, then action: of this thread alone
    if (memory === undefined) this.prepareMemory();
    if (Atomics.load(this.words, MAGIC_AT) !== MAGIC) throw new UsageError("`memory` is not that of other budgets");
    this.start = Atomics.load(this.words, START_AT);
  }

  prepareMemory() {
    Atomics.store(this.words, FREE_AT, TABLE_AT + ENTRY_WORDS * ENTRIES);
    Atomics.store(this.words, START_AT, this.clock()[0] - BEFORE_START);
    Atomics.store(this.words, MAGIC_AT, MAGIC);
  }

  /** Take `cost` hits if they fit into `limit` a minute; return the budget. */
  take(tool, action, limit, cost = 1) {
    return this.ask(tool, action, limit, cost, true);
  }

  /** Return what `take` would; consume nothing. */
  peek(tool, action, limit, cost = 1) {
    return this.ask(tool, action, limit, cost, false);
  }

  ask(tool, action, limit, cost, consumes) {
    if (cost > limit) return { limit, used: 0, remaining: limit, retryAfterSeconds: null, consumed: 0 };
    if (cost > MAX_SPAN) throw new StateError(`threads count costs up to ${MAX_SPAN}`, "ask `cortex-policy` itself");
    const entry = this.entryOf(tool, action);
    const size = limit > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(limit);
    for (;;) {
      const answer = this.tryAsk(entry, size, cost, consumes);
      if (answer !== undefined) {
        answer.limit = limit;
        return answer;
      }
    }
  }

  /** Ask once; undefined if another thread was faster, or the ring has another size now. */
  tryAsk(entry, limit, cost, consumes) {
    const ring = this.ringOf(entry);
    const head = ring.head();
    const slot = ring.load(head);
    if (ring.isTaken(head, slot)) return void ring.finish(head, slot, this.now());
    if (!ring.isBefore(head, slot)) return undefined; // held up for a lap since the head was read
    if (ring.isFrozen(slot)) return void this.replaceRing(entry, ring.place, 2 * ring.capacity, ring.hits(head));
    const now = this.now();
    const isLarger = limit > ring.capacity;
    const wait = cost > ring.capacity ? Infinity : ring.nanosecondsUntilFit(head, isLarger ? ring.capacity : limit, cost, now);
    if (wait > 0 && isLarger) {
      this.requireRoom(Ring.wordsFor(2 * ring.capacity)); // first: a frozen ring without a larger one would deny for good
      return void ring.freeze(head, slot);
    }
    if (wait > 0 || !consumes) {
      const budget = budgetOf(limit, ring.countUsed(head, now), wait, 0);
      // INVARIANT: what was read is whole, for nobody has taken the head since: so no wait is 0 if the cost does not fit
      return ring.load(head) === slot ? budget : undefined;
    }
    if (!ring.take(head, slot, cost, now)) return undefined;
    const used = ring.countUsed(head + cost, now);
    return budgetOf(limit, used, used < limit ? 0 : ring.nanosecondsUntilFit(head + cost, limit, 1, now), cost);
  }

  now() {
    const now = this.clock();
    now[0] -= this.start;
    return now;
  }

  /** Return the place of the entry of a budget, which all threads find by its key alone. */
  entryOf(tool, action) {
    const actions = this.entries.get(tool) ?? new Map();
    let entry = actions.get(action);
    if (entry === undefined) {
      entry = { place: this.claimEntry(`${tool}:${action}`), ring: undefined };
      this.entries.set(tool, actions.set(action, entry));
    }
    return entry;
  }

  claimEntry(name) {
    const digest = createHash("sha256").update(name).digest();
    const [first, second] = [digest.readInt32LE(0) || 1, digest.readInt32LE(4) || 1];
    for (let step = 0; step < ENTRIES; step += 1) {
      const place = TABLE_AT + ENTRY_WORDS * (((first >>> 0) + step) % ENTRIES);
      if (this.claimWord(place, first) && this.claimWord(place + 1, second)) return place;
    }
    throw new StateError(`threads count at most ${ENTRIES} budgets`);
  }

  claimWord(place, value) {
    return [0, value].includes(Atomics.compareExchange(this.words, place, 0, value));
  }

  ringOf(entry) {
    let place = Atomics.load(this.words, entry.place + 2);
    if (place === 0) place = this.replaceRing(entry, 0, FIRST_CAPACITY, []);
    if (entry.ring?.place !== place) entry.ring = new Ring(this.words, place);
    return entry.ring;
  }

  /** Put a ring in the place of another one, unless a thread was faster; return the place of the one that counts. */
  replaceRing(entry, old, capacity, hits) {
    const size = Ring.wordsFor(capacity);
    const place = this.reserve(size);
    Ring.prepare(this.words, place, capacity, hits);
    const found = Atomics.compareExchange(this.words, entry.place + 2, old, place);
    if (found === old) return place;
    this.words.fill(0, place, place + size);
    Atomics.compareExchange(this.words, FREE_AT, place + size, place); // given back, if nobody has reserved more since
    return found;
  }

  reserve(size) {
    for (;;) {
      const place = this.requireRoom(size);
      if (Atomics.compareExchange(this.words, FREE_AT, place, place + size) === place) return place;
    }
  }

  /** Return the first free word; throw StateError if fewer than `size` are left. */
  requireRoom(size) {
    const place = Atomics.load(this.words, FREE_AT);
    if (place + size <= this.words.length) return place;
    throw new StateError("the budgets do not fit into their memory", "make it larger with `new ThreadBudgets({bytes})`");
  }
}

function budgetOf(limit, used, wait, consumed) {
  return { limit, used, remaining: Math.max(0, limit - used), retryAfterSeconds: Math.max(0, wait) / 1e9, consumed };
}

module.exports = { ThreadBudgets };
