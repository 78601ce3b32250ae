"""Errors an operator can act on, and the exit code each one maps to."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The program's exit codes; `opsctl COMMAND --help` prints this table."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    FINDINGS = 4
    AUTH = 5
    UNREACHABLE = 10
    LOCKED = 11
    INTEGRITY = 12
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "usage or settings",
    ExitCode.PARTIAL: "partly done, or could not check",
    ExitCode.FINDINGS: "findings: anomaly, drift, failed check",
    ExitCode.AUTH: "authentication or key",
    ExitCode.UNREACHABLE: "host or store unreachable",
    ExitCode.LOCKED: "locked by another run",
    ExitCode.INTEGRITY: "integrity or chain broken",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.TERMINATED: "terminated",
}


class OpsError(Exception):
    """A failure that says what, where, why and the next command to type.

    `message` is one sentence without a full stop; `where` names the file, host or object; `hint` is what to do next.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        exit_code: ExitCode | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message


class SettingsError(OpsError):
    """The settings, or the words on the command line, cannot be used."""

    exit_code = ExitCode.USAGE


class AuthError(OpsError):
    """A key, password or identity is missing or wrong."""

    exit_code = ExitCode.AUTH


class UnreachableError(OpsError):
    """A host, server or store does not answer."""

    exit_code = ExitCode.UNREACHABLE


class LockedError(OpsError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class IntegrityError(OpsError):
    """Bytes, a signature or a chain are not what they were."""

    exit_code = ExitCode.INTEGRITY
