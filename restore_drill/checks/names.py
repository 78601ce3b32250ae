"""Names in statements for the scratch server."""


def quoted(*names: str) -> str:
    """Quote a name, or `database`, `table`, for ScratchServer.query, which takes a percent sign for a placeholder."""
    return ".".join("`" + name.replace("`", "``").replace("%", "%%") + "`" for name in names)
