"""The vault's section of the settings."""

import pytest
from pydantic import BaseModel, ValidationError

from tests.contracts.section import SectionContract
from vault.settings import VaultSection


class TestContract(SectionContract):
    """It is a section like the others."""

    @pytest.fixture
    def section(self) -> type[BaseModel]:
        return VaultSection


@pytest.mark.parametrize("name", ["vault`; DROP TABLE x", "", "1vault", "vault-x", "a" * 33])
def test_names_that_stand_in_sql_are_plain_words(name: str) -> None:
    with pytest.raises(ValidationError):
        VaultSection.model_validate({"database": name})
    with pytest.raises(ValidationError):
        VaultSection.model_validate({"app_user": name})
