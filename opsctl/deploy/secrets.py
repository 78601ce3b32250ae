"""The secrets of an inventory: `stacks/NAME.secrets.age` beside it, a TOML table of names and values under age.

It is decrypted in memory only, by an identity of the operator's machine. age proves that the content is whole, not who
wrote it (C2SP age-encryption.org/v1): the file is kept as the inventory is kept.
"""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr, TypeAdapter, ValidationError

from opsctl.core.durable import locked_directory, replace_file
from opsctl.core.errors import AuthError, IntegrityError, SettingsError
from opsctl.core.secret_file import loaded
from opsctl.stack.settings import Slug

if TYPE_CHECKING:
    import pyrage

ENDING = ".secrets.age"
Table = dict[str, str]


@dataclass(frozen=True)
class SecretsFile:
    """The secrets beside the inventory `inventory`, which `identity_files` open."""

    inventory: Path
    recipients: tuple[str, ...]
    identity_files: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """Where they lie."""
        return self.inventory.with_name(self.inventory.name.removesuffix(".toml") + ENDING)

    def names(self) -> list[str]:
        """What secrets there are. Raises AuthError, IntegrityError."""
        return sorted(self._read())

    def get(self, name: str) -> SecretStr:
        """A secret. Raises SettingsError for one that is not there, AuthError, IntegrityError."""
        table = self._read()
        if name not in table:
            raise SettingsError(
                f"there is no secret '{name}'",
                where=str(self.path),
                hint=f"give it on standard input: opsctl deploy secret set {self.inventory} {name}",
            )
        return SecretStr(table[name])

    def set(self, name: str, value: SecretStr) -> bool:
        """Keep a secret; whether it is a new one. Raises SettingsError, AuthError, IntegrityError."""
        before = self._change(lambda table: table | {name: value.get_secret_value()})
        return name not in before

    def remove(self, name: str) -> None:
        """Forget a secret. Raises SettingsError for one that is not there."""
        self.get(name)
        self._change(lambda table: {each: value for each, value in table.items() if each != name})

    def _change(self, change: Callable[[Table], Table]) -> Table:
        """Write the table anew; what it was before. Two who write at once do it one after the other."""
        with locked_directory(self.path.parent):
            before = self._read()
            replace_file(self.path, self._encrypted(_written(change(before))))
            self.path.chmod(0o600)
        return before

    def _read(self) -> Table:
        import pyrage

        if not self.path.exists():
            return {}
        data = self.path.read_bytes()
        try:
            text = pyrage.decrypt(data, self._identities())
        except pyrage.DecryptError as error:
            if "No matching keys" in str(error):
                raise AuthError(
                    "no identity of this machine opens the secrets",
                    where=str(self.path),
                    hint="name the right one in identity_files of [deploy]; whose it is: age-keygen -y FILE",
                ) from error
            raise IntegrityError(f"the secrets cannot be decrypted: {error}", where=str(self.path)) from error
        try:
            table = tomllib.loads(text.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            table = {"": None}
        if not all(isinstance(value, str) for value in table.values()):
            # Without the words of the parser: they could have a secret in them.
            raise IntegrityError("what was decrypted is no table of names and texts", where=str(self.path)) from None
        return table

    def _identities(self) -> "list[pyrage.x25519.Identity]":
        import pyrage

        if not self.identity_files:
            raise AuthError(
                "no identity is named that opens the secrets",
                where=str(self.path),
                hint="name its file in identity_files of [deploy] in opsctl.toml",
            )
        found: list[pyrage.x25519.Identity] = []
        for file in self.identity_files:
            try:
                lines = loaded(file).read_text().splitlines()
                found += [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
            except OSError as error:
                raise AuthError(f"the identity cannot be read: {error.strerror}", where=str(file)) from error
            except (pyrage.IdentityError, UnicodeDecodeError):
                raise AuthError(
                    "this is no age identity", where=str(file), hint="make one: age-keygen -o FILE"
                ) from None
        return found

    def _encrypted(self, data: bytes) -> bytes:
        import pyrage

        if not self.recipients:
            raise SettingsError(
                "the inventory names nobody who may read its secrets",
                where=str(self.inventory),
                hint='add [secrets] with recipients = ["age1…"]; whose yours is: age-keygen -y IDENTITY',
            )
        try:
            recipients = [pyrage.x25519.Recipient.from_str(each) for each in self.recipients]
        except pyrage.RecipientError as error:
            raise SettingsError(
                f"a recipient of [secrets] is none: {error}", where=str(self.inventory), hint="age-keygen -y IDENTITY"
            ) from error
        return pyrage.encrypt(data, recipients)


def checked_name(name: str) -> str:
    """The name of a secret, as inventories may write it. Raises SettingsError."""
    try:
        return TypeAdapter(Slug).validate_python(name)
    except ValidationError:
        raise SettingsError(f"'{name}' is no name for a secret", hint="letters, digits and dashes: blog-env") from None


def value_of(data: bytes) -> SecretStr:
    """What somebody has sent as a secret: text; one line loses its end, several stay as they are.

    Raises SettingsError for what is empty or no text.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SettingsError("a secret is text, this is not", hint="encode it first: base64 FILE") from None
    if text.endswith("\n") and text.count("\n") == 1:
        text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError("no secret came on standard input", hint="send it: opsctl deploy secret set … <FILE")
    return SecretStr(text)


def _written(table: Table) -> bytes:
    """The table as TOML; JSON's escapes are TOML's, but for DEL, which JSON leaves (TOML 1.0, strings)."""
    lines = [f"{json.dumps(name)} = {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(table.items())]
    return "".join(f"{line}\n" for line in lines).replace("\x7f", "\\u007f").encode()
