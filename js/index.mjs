// The same package for `import`: one instance, whichever way it is loaded.
import policy from "./src/index.js";

export const {
  AccessDenied, CheckProcess, CheckServer, CortexPolicyError, Decision, Grant, GrantError, RedisBudgets, StateError,
  ThreadBudgets, UsageError, decide, decideAsync, enforce, enforceAsync, loadGrant,
} = policy;
