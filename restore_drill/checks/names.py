"""Names in statements for the scratch server."""


def quoted(*names: str, placeholders: bool = True) -> str:
    """Quote a name, or `database`, `table`; ScratchServer.query takes a percent sign for a placeholder."""
    text = ".".join("`" + name.replace("`", "``") + "`" for name in names)
    return text.replace("%", "%%") if placeholders else text
