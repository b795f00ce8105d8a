"""The old name of `cortex_policy.library.sinks`, kept for one version."""

import warnings

from cortex_policy.library.sinks import CallableSink, LoggingSink, OpenTelemetrySink

__all__ = ["CallableSink", "LoggingSink", "OpenTelemetrySink"]

warnings.warn(
    "`cortex_policy.adapters.sinks` is deprecated: import from `cortex_policy`", DeprecationWarning, stacklevel=2
)
