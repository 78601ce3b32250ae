"""`python -m opsctl.cli.reference DIR` writes into a working copy what is generated from the code.

With --check nothing is written; the exit code is 1 when something is not as it would be written.
"""

import sys
from pathlib import Path

from opsctl.cli.reference.pages import pages

if __name__ == "__main__":
    directory, check = Path(sys.argv[1]), "--check" in sys.argv
    stale = []
    for name, text in pages().items():
        path = directory / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in stale:
        sys.stdout.write(f"{name}: {'not as the code is; run script/docs' if check else 'written'}\n")
    sys.exit(1 if check and stale else 0)
