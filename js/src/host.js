// Where the administrator of the host speaks for all roots: settings, and an emergency stop.
"use strict";

module.exports = { SYSTEM_DIRECTORY: "/etc/cortex-policy" };
