"""The stress tests know Linux: its process files, namespaces and mounts."""

import sys

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]
