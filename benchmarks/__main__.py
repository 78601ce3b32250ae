"""`python -m benchmarks NAME…`: runs the named benchmarks, or all of them."""

import importlib
import sys

NAMES = (
    "start", "backup", "files", "peers", "replay", "drill", "vault", "anomalies", "health", "repositories",
    "deploy",
)  # fmt: skip


def main() -> None:
    """Run what is named on the command line."""
    wanted = sys.argv[1:] or list(NAMES)
    for name in wanted:
        if name not in NAMES:
            sys.exit(f"no benchmark '{name}'; there are: {', '.join(NAMES)}")
        importlib.import_module(f"benchmarks.{name}").main()


main()
