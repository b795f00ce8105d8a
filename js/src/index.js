// What programs import.
"use strict";

const { CheckProcess } = require("./check-process");
const { CheckServer } = require("./check-server");
const { Decision } = require("./decision");
const { decide, decideAsync, enforce, enforceAsync } = require("./enforce");
const { AccessDenied, CortexPolicyError, GrantError, StateError, UsageError } = require("./errors");
const { Grant } = require("./grant");
const { loadGrant } = require("./load");
const { RedisBudgets } = require("./redis-budgets");
const { ThreadBudgets } = require("./thread-budgets");

module.exports = {
  AccessDenied, CheckProcess, CheckServer, CortexPolicyError, Decision, Grant, GrantError, RedisBudgets, StateError,
  ThreadBudgets, UsageError, decide, decideAsync, enforce, enforceAsync, loadGrant,
};
