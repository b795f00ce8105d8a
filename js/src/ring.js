// A ring of hits in shared memory, which threads write without waiting for each other.
//
// A hit has a ticket, and the slot `ticket % capacity`. Whoever writes the next ticket into its slot, by one
// compare-and-exchange, has the hit. What is left to do then, anybody may do: so a thread that is terminated takes its
// own hit at most.
//
// INVARIANT: of a limit L, the hit with ticket t is only taken when that with ticket t - L is older than a minute. Of
// more than L hits, two have tickets that differ by a multiple of L: so no minute holds more, however threads interleave.
"use strict";

const WINDOW_NS = 60e9;
const TICK_NS = 4096;
const PART_BITS = 18; // ticks in a second
const SPAN_BITS = 11; // hits that one exchange takes
const PART_MASK = (1 << PART_BITS) - 1;
const SPAN_MASK = (1 << SPAN_BITS) - 1;
const PENDING = 1 << (PART_BITS + SPAN_BITS); // its second is not written yet
const LAP_SHIFT = PART_BITS + SPAN_BITS + 1; // two bits: of this time around, or the one before
const LAP_MASK = 0b11;
const FROZEN = SPAN_MASK; // the span of a slot that nobody may take: the ring is being replaced by a larger one
const MAX_SPAN = FROZEN - 1;
const [CAPACITY, HEAD, SLOTS] = [0, 1, 2]; // words of a ring; behind the slots are their seconds

class Ring {
  constructor(words, place) {
    this.words = words;
    this.place = place;
    this.capacity = words[place + CAPACITY];
    this.bits = Math.log2(this.capacity);
    this.slots = place + SLOTS;
    this.mask = this.capacity - 1;
    this.oldest = this.head() - this.capacity; // the ticket before which no hit counts any more, for this thread
    this.seconds = 0; // of the clock, when that was so
    this.nanoseconds = 0;
  }

  /** Return how many words a ring needs. */
  static wordsFor(capacity) {
    return SLOTS + 2 * capacity;
  }

  /** Prepare words that nobody else knows yet; `hits` are pairs of a part of a second and the second. */
  static prepare(words, place, capacity, hits) {
    words[place + CAPACITY] = capacity;
    words[place + HEAD] = capacity + hits.length; // the lap before is that of slots that were never written
    hits.forEach(([part, second], index) => {
      words[place + SLOTS + index] = pack(1, 1, part);
      words[place + SLOTS + capacity + index] = second;
    });
  }

  head() {
    return Atomics.load(this.words, this.place + HEAD);
  }

  lapOf(ticket) {
    return (ticket >>> this.bits) & LAP_MASK;
  }

  indexOf(ticket) {
    return this.slots + (ticket & this.mask);
  }

  load(ticket) {
    return Atomics.load(this.words, this.indexOf(ticket));
  }

  isTaken(head, slot) {
    return lapOf(slot) === this.lapOf(head);
  }

  isFrozen(slot) {
    return spanOf(slot) === FROZEN;
  }

  /** Return after how many nanoseconds the hit with this ticket leaves the minute, 0 or less if it has. */
  nanosecondsLeft(ticket, now) {
    const index = this.indexOf(ticket);
    const second = Atomics.load(this.words, index + this.capacity);
    const part = Atomics.load(this.words, index) & PART_MASK;
    return WINDOW_NS - (now[0] - second) * 1e9 - (now[1] - part * TICK_NS);
  }

  isFresh(ticket, now) {
    return this.nanosecondsLeft(ticket, now) > 0;
  }

  /** Whether the hits that `cost` more would replace have all left the minute. */
  fits(head, distance, cost, now) {
    for (let step = 0; step < cost; step += 1) {
      if (this.isFresh(head - distance + step, now)) return false;
    }
    return true;
  }

  /** Take the next tickets, if the slot of the first is as it was; return whether that was done. */
  take(head, slot, span, now) {
    const part = Math.ceil(now[1] / TICK_NS); // upwards, so that no hit counts for less than a minute
    const taken = pack(this.lapOf(head), span, part) | PENDING;
    if (Atomics.compareExchange(this.words, this.indexOf(head), slot, taken) !== slot) return false;
    this.finish(head, taken, now);
    return true;
  }

  /** Write what is left to write of who took the head, and move the head on: anybody may, any number of times. */
  finish(head, slot, now) {
    const span = spanOf(slot);
    const part = slot & PART_MASK;
    // the second is the thread's own, or, of a thread that was held up or ended, the last one that it may have been
    const second = slot & PENDING && part * TICK_NS > now[1] + TICK_NS ? now[0] - 1 : now[0];
    if (slot & PENDING) this.writeSecond(head, slot, second);
    for (let ticket = head + 1; ticket < head + span; ticket += 1) {
      this.writeHit(ticket, part, second);
    }
    Atomics.compareExchange(this.words, this.place + HEAD, head, (head + span) | 0);
  }

  /** Write a hit that another ticket took, unless that was done. */
  writeHit(ticket, part, second) {
    const index = this.indexOf(ticket);
    const old = Atomics.load(this.words, index);
    const taken = pack(this.lapOf(ticket), 1, part) | PENDING;
    // INVARIANT: only over the lap before: a thread that was held up finds newer laps, and leaves them alone
    if (lapOf(old) === this.lapOf(ticket - this.capacity)) {
      Atomics.compareExchange(this.words, index, old, taken);
    }
    if (Atomics.load(this.words, index) === taken) this.writeSecond(ticket, taken, second);
  }

  /** Write the second of a pending slot, then that it is no longer pending. */
  writeSecond(ticket, slot, second) {
    const index = this.indexOf(ticket);
    const old = Atomics.load(this.words, index + this.capacity);
    if (Atomics.load(this.words, index) !== slot) return; // done by another
    // INVARIANT: an exchange, so that a thread that was held up writes over nothing newer
    Atomics.compareExchange(this.words, index + this.capacity, old, second);
    Atomics.compareExchange(this.words, index, slot, slot & ~PENDING);
  }

  /** Keep everybody from taking the next ticket, so that the ring can be copied. */
  freeze(head, slot) {
    Atomics.compareExchange(this.words, this.indexOf(head), slot, pack(lapOf(slot), FROZEN, slot & PART_MASK));
  }

  /** Return all hits, the oldest first. */
  hits(head) {
    return Array.from({ length: this.capacity }, (_, step) => {
      const index = this.indexOf(head - this.capacity + step);
      return [this.words[index] & PART_MASK, this.words[index + this.capacity]];
    });
  }

  /** Return how many hits the last minute has; times are in order but for what happens at once. */
  countUsed(head, now) {
    const most = this.countLast(head, now);
    let low = 0; // so many of the oldest have left the minute
    for (let step = 1; low + step <= most && !this.isFresh(head - most + low + step - 1, now); step *= 2) low += step;
    let high = most;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.isFresh(head - most + middle - 1, now)) {
        high = middle - 1;
      } else {
        low = middle;
      }
    }
    this.oldest = head - most + low;
    return most - low;
  }

  /** Return how many hits may count: those since the oldest one that counted last, all if the clock went back. */
  countLast(head, [seconds, nanoseconds]) {
    const isLater = seconds > this.seconds || (seconds === this.seconds && nanoseconds >= this.nanoseconds);
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
    return isLater ? Math.min((head - this.oldest) >>> 0, this.capacity) : this.capacity;
  }

  /** Return the seconds until `cost` more fit. */
  waitSeconds(head, limit, cost, now) {
    if (limit > this.capacity) return 0;
    let nanoseconds = 0;
    for (let step = 0; step < cost; step += 1) {
      nanoseconds = Math.max(nanoseconds, this.nanosecondsLeft(head - limit + step, now));
    }
    return nanoseconds / 1e9;
  }
}

function pack(lap, span, part) {
  return (lap << LAP_SHIFT) | (span << PART_BITS) | part;
}

function spanOf(slot) {
  return (slot >>> PART_BITS) & SPAN_MASK;
}

function lapOf(slot) {
  return slot >>> LAP_SHIFT;
}

module.exports = { MAX_SPAN, Ring };
