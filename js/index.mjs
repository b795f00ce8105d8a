// The same package for `import`: one instance, whichever way it is loaded.
import policy from "./src/index.js";

export const {
  AccessDenied, CortexPolicyError, Decision, Grant, GrantError, StateError, ThreadBudgets, UsageError, decide, decideAsync,
  enforce, enforceAsync, loadGrant,
} = policy;
