"""Where the parts of one restore lie while it runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ScratchPaths:
    """The scratch directory of one restore.

    `data`: the prepared datadir. `increments`: what incremental backups copied, by their place in the chain. `tree`:
    all files archives and the keys archive, laid out as on the host, so that `tree/etc/nginx` was /etc/nginx. `keys`:
    the keys archive alone. `state`: the state archive. `logs`: binary logs.
    """

    root: Path

    @property
    def data(self) -> Path:
        """The datadir."""
        return self.root / "data"

    def database(self, step: int) -> Path:
        """What a step of the chain copied: 0, the full backup, is prepared in place; incremental ones lie beside it."""
        return self.root / "increments" / str(step) if step else self.data

    @property
    def tree(self) -> Path:
        """The host's files."""
        return self.root / "tree"

    @property
    def keys(self) -> Path:
        """The files with secrets alone."""
        return self.root / "keys"

    @property
    def state(self) -> Path:
        """Ledger and settings."""
        return self.root / "state"

    @property
    def lists(self) -> Path:
        """The opened file lists, `<artefact>`: JSON lines."""
        return self.root / "lists"

    @property
    def logs(self) -> Path:
        """The opened segments."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Sockets, pid files and server logs."""
        return self.root / "run"
