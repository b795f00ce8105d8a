// A ring of hits in shared memory, which threads write without waiting for each other.
//
// A hit has a ticket, and the slot `ticket % capacity`. Whoever writes the next ticket into its slot, by one
// compare-and-exchange, has the hit. What is left to do then, anybody may do: so a thread that is terminated takes its
// own hit at most. A hit has two words, and is whole when both are of the same lap around the ring.
//
// INVARIANT: of a limit L, the hit with ticket t is only taken when that with ticket t - L is older than a minute. Of
// more than L hits, two have tickets that differ by a multiple of L: so no minute holds more, however threads interleave.
// Of the hits that one call takes, the last is looked at: those before it are not younger, as each thread reads its clock
// after it has seen the hit before, and that clock never goes back.
"use strict";

const WINDOW_NS = 60e9;
const TICK_NS = 4096;
const PART_BITS = 18; // ticks in a second
const SPAN_BITS = 11; // hits that one exchange takes
const LAP_SHIFT = PART_BITS + SPAN_BITS; // three bits, in both words of a hit: of this time around, or the one before
const PART_MASK = (1 << PART_BITS) - 1;
const SPAN_MASK = (1 << SPAN_BITS) - 1;
const SECOND_MASK = (1 << LAP_SHIFT) - 1;
const LAP_MASK = 0b111;
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
      words[place + SLOTS + capacity + index] = packSecond(1, second);
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
    const slot = Atomics.load(this.words, index);
    if (lapOf(second) !== lapOf(slot)) return WINDOW_NS; // it is being written now
    return WINDOW_NS - (now[0] - (second & SECOND_MASK)) * 1e9 - (now[1] - (slot & PART_MASK) * TICK_NS);
  }

  isFresh(ticket, now) {
    return this.nanosecondsLeft(ticket, now) > 0;
  }

  /** Return the nanoseconds until `cost` more hits fit into `limit`, 0 or less if they do. */
  nanosecondsUntilFit(head, limit, cost, now) {
    return this.nanosecondsLeft(head - limit + cost - 1, now);
  }

  /** Take the next tickets, if the slot of the first is as it was; return whether that was done. */
  take(head, slot, span, now) {
    const part = Math.ceil(now[1] / TICK_NS); // upwards, so that no hit counts for less than a minute
    const taken = pack(this.lapOf(head), span, part);
    if (Atomics.compareExchange(this.words, this.indexOf(head), slot, taken) !== slot) return false;
    this.finish(head, taken, now);
    return true;
  }

  /** Write what is left to write of who took the head, and move the head on: anybody may, any number of times. */
  finish(head, slot, now) {
    const span = spanOf(slot);
    const part = slot & PART_MASK;
    // the second is the thread's own, or, of a thread that was held up or ended, the last one that it may have been
    const second = this.writeSecond(head, part * TICK_NS > now[1] + TICK_NS ? now[0] - 1 : now[0]);
    for (let ticket = head + 1; ticket < head + span; ticket += 1) {
      this.writeSlot(ticket, part);
      this.writeSecond(ticket, second);
    }
    Atomics.compareExchange(this.words, this.place + HEAD, head, (head + span) | 0);
  }

  /** Write the slot of a hit that another ticket took, unless that was done. */
  writeSlot(ticket, part) {
    const index = this.indexOf(ticket);
    const old = Atomics.load(this.words, index);
    if (!this.isBefore(ticket, old)) return;
    Atomics.compareExchange(this.words, index, old, pack(this.lapOf(ticket), 1, part));
  }

  /** Write the second of a hit, unless that was done; return the one that was written. */
  writeSecond(ticket, second) {
    const index = this.indexOf(ticket) + this.capacity;
    const old = Atomics.load(this.words, index);
    if (!this.isBefore(ticket, old)) return old & SECOND_MASK;
    const own = packSecond(this.lapOf(ticket), second);
    const found = Atomics.compareExchange(this.words, index, old, own);
    return (found === old ? own : found) & SECOND_MASK;
  }

  /**
   * Whether a word is of the lap before that of a ticket.
   *
   * INVARIANT: only such a word is written over, by an exchange, and so once in a lap: a thread that was held up finds
   * another word, and leaves it alone. (Up to seven laps, and a lap takes a minute or more: no lap has more hits than a minute.)
   */
  isBefore(ticket, word) {
    return lapOf(word) === this.lapOf(ticket - this.capacity);
  }

  /** Keep everybody from taking the next ticket, so that the ring can be copied. */
  freeze(head, slot) {
    Atomics.compareExchange(this.words, this.indexOf(head), slot, pack(lapOf(slot), FROZEN, slot & PART_MASK));
  }

  /** Return all hits, the oldest first. */
  hits(head) {
    return Array.from({ length: this.capacity }, (_, step) => {
      const index = this.indexOf(head - this.capacity + step);
      return [this.words[index] & PART_MASK, this.words[index + this.capacity] & SECOND_MASK];
    });
  }

  /** Return how many hits the last minute has; times are in order but for what happens at once. */
  countUsed(head, now) {
    const most = this.countLast(head, now);
    const first = head - most;
    let low = 0; // so many of the oldest have left the minute
    let next = 1; // 1, 2, 4, ... of the oldest, until the last of them has not left
    for (; next <= most && !this.isFresh(first + next - 1, now); next = 2 * low) low = next;
    let high = Math.min(most, next - 1); // and no more than these
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.isFresh(first + middle - 1, now)) {
        high = middle - 1;
      } else {
        low = middle;
      }
    }
    this.oldest = first + low;
    return most - low;
  }

  /** Return how many hits may count: those since the oldest one that counted last, all if the clock went back. */
  countLast(head, [seconds, nanoseconds]) {
    const isLater = seconds > this.seconds || (seconds === this.seconds && nanoseconds >= this.nanoseconds);
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
    return isLater ? Math.min((head - this.oldest) >>> 0, this.capacity) : this.capacity;
  }
}

function packSecond(lap, second) {
  return (lap << LAP_SHIFT) | second;
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
