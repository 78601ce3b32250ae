"""Reads PHP configuration without running it: what is plain is understood, everything else is said not to be."""

from opsctl.stack.php.reading import read_config
from opsctl.stack.php.values import Files, Opaque, PhpArray, PhpConfig, Setting, Unknown

__all__ = ["Files", "Opaque", "PhpArray", "PhpConfig", "Setting", "Unknown", "read_config"]
