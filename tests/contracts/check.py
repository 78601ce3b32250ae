"""What every Check must do. A test module subclasses CheckContract and gives the fixtures `check` and `hopeless`."""

import re

from opsctl.core.result import Outcome
from restore_drill.checks.runner import run_check
from restore_drill.restored import Check, Restored


class CheckContract:
    """Subclass, and provide `check` and `hopeless`: a restore of which every step failed and nothing is there."""

    def test_it_has_a_stable_name_and_a_title(self, check: Check) -> None:
        assert re.fullmatch(r"[a-z_]+", check.id)
        assert check.title

    def test_what_could_not_be_looked_at_is_never_a_pass(self, check: Check, hopeless: Restored) -> None:
        assert run_check(check, hopeless).outcome is not Outcome.PASSED

    def test_its_result_carries_its_name_sentences_and_what_to_do(self, check: Check, hopeless: Restored) -> None:
        result = run_check(check, hopeless)
        assert (result.id, result.title) == (check.id, check.title)
        assert result.expected
        assert result.found
        assert result.hint

    def test_its_result_is_kept_for_the_checks_after_it(self, check: Check, hopeless: Restored) -> None:
        result = run_check(check, hopeless)
        assert hopeless.results == {check.id: result}
