// What programs import.
"use strict";

const { Decision } = require("./decision");
const { decide, decideAsync, enforce, enforceAsync } = require("./enforce");
const { AccessDenied, CortexPolicyError, GrantError, StateError, UsageError } = require("./errors");
const { Grant } = require("./grant");
const { loadGrant } = require("./load");
const { ThreadBudgets } = require("./thread-budgets");

module.exports = {
  AccessDenied, CortexPolicyError, Decision, Grant, GrantError, StateError, ThreadBudgets, UsageError, decide, decideAsync,
  enforce, enforceAsync, loadGrant,
};
