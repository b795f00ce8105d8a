// The sliding window in its simplest form; tests compare the ring with it.
"use strict";

const WINDOW_SECONDS = 60;

/**
 * Return the budget that `limit` leaves at `now` after hits at these times (seconds), and when `cost` more fit.
 * A hit leaves the window exactly 60 s after it was taken; null: the cost never fits.
 */
function budgetFromTimes(hits, now, limit, cost = 1) {
  const inside = hits.filter((at) => now - at < WINDOW_SECONDS).sort((a, b) => a - b);
  const used = inside.length;
  const budget = { limit, used, remaining: limit > used ? minus(limit, used) : 0, consumed: 0 };
  if (cost > limit) return { ...budget, retryAfterSeconds: null };
  const excess = minus(used + cost, limit);
  return { ...budget, retryAfterSeconds: excess <= 0 ? 0 : inside[Number(excess) - 1] + WINDOW_SECONDS - now };
}

function minus(left, right) {
  return typeof left === typeof right ? left - right : BigInt(left) - BigInt(right);
}

module.exports = { budgetFromTimes };
