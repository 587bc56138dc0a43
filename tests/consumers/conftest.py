"""These tests run in a process of their own: SciPy reads SCIPY_ARRAY_API when it is first imported.

``nox -s consumers`` sets it. Without it, nothing in this folder is collected.
"""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("SCIPY_ARRAY_API") == "1" else ["*"]
