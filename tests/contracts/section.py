"""What every settings section must be. A test module subclasses SectionContract and gives a `section` fixture."""

import pytest
from pydantic import BaseModel, ValidationError

from opsctl.core.section import Section
from opsctl.core.settings_example import example


class SectionContract:
    """Subclass, and provide the fixture `section`: the section's class."""

    def test_it_is_a_section_with_a_description(self, section: type[BaseModel]) -> None:
        assert issubclass(section, Section)
        assert section.__doc__

    def test_every_key_is_described(self, section: type[BaseModel]) -> None:
        assert [name for name, field in section.model_fields.items() if not field.description] == []

    def test_what_it_cannot_do_without_has_an_example_that_is_valid(self, section: type[BaseModel]) -> None:
        assert isinstance(section.model_validate(example(section)), section)

    def test_an_unknown_key_is_refused(self, section: type[BaseModel]) -> None:
        with pytest.raises(ValidationError):
            section.model_validate({**example(section), "no_such_key": 1})

    def test_it_is_frozen(self, section: type[BaseModel]) -> None:
        made = section.model_validate(example(section))
        name = next(iter(section.model_fields))
        with pytest.raises(ValidationError):
            setattr(made, name, getattr(made, name))

    def test_no_key_is_made_for_a_secret(self, section: type[BaseModel]) -> None:
        for name in section.model_fields:
            if any(word in name for word in ("password", "secret", "identity", "token")):
                assert name.endswith(("_file", "_files")), f"{name} must be the path of a file"
