"""All faults, and how they are chosen by their ids."""

import difflib
from collections.abc import Sequence

from opsctl.core.errors import SettingsError
from restore_drill.self_test import (
    faults_at_rest,
    faults_in_chains,
    faults_in_database,
    faults_in_files,
    faults_in_increments,
    faults_in_logs,
    hostile,
)
from restore_drill.self_test.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *faults_at_rest.FAULTS,
    *faults_in_chains.FAULTS,
    *faults_in_database.FAULTS,
    *faults_in_files.FAULTS,
    *faults_in_increments.FAULTS,
    *faults_in_logs.FAULTS,
    *hostile.FAULTS,
)


def chosen(ids: Sequence[str]) -> tuple[Fault, ...]:
    """The faults with these ids, in the order of all; all of them for none. Raises SettingsError for an unknown id."""
    known = [fault.id for fault in FAULTS]
    for wanted in ids:
        if wanted not in known:
            near = difflib.get_close_matches(wanted, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise SettingsError(f"there is no fault '{wanted}'", hint=f"{hint}see: opsctl drill self-test --list")
    return tuple(fault for fault in FAULTS if not ids or fault.id in ids)
