"""Every file that is written from the code, by its path in the project."""

from opsctl.cli import schemas
from opsctl.cli.reference import completions, manpage, markdown
from opsctl.cli.reference.tree import PROGRAM, tree


def pages() -> dict[str, str]:
    """The files and their text."""
    root = tree()
    published = [kind for kind in schemas.documents() if kind.__module__.startswith("opsctl.")]
    return {
        "docs/cli.md": markdown.page(root),
        f"share/man/man1/{PROGRAM}.1": manpage.page(root),
        f"share/bash-completion/completions/{PROGRAM}": completions.bash(root),
        f"share/zsh/site-functions/_{PROGRAM}": completions.zsh(root),
        f"share/fish/vendor_completions.d/{PROGRAM}.fish": completions.fish(root),
        **{f"docs/schemas/{schemas.file_name(kind)}": schemas.schema(kind) for kind in published},
    }
