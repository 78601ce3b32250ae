"""`opsctl config`: show, check, generate settings."""

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_group
from opsctl.cli.views import config as view
from opsctl.settings import example_file

app = new_group("Show, check or generate the settings.")


@command(app, "show")
def show(session: Session) -> Answer:
    """Show every effective setting and where its value comes from."""
    document = view.show(session.loaded)
    return Answer(document, lambda paint: view.show_text(document, paint))


@command(app, "validate")
def validate(session: Session) -> Answer:
    """Check the settings file; every mistake is named at once."""
    path = session.loaded.path
    document = view.ConfigValidate(path=path, valid=True)
    return Answer(document, lambda paint: [f"{path} is {paint('valid', 'green')}"], report=True)


@command(app, "generate")
def generate(session: Session) -> Answer:
    """Write a settings file with every key, its meaning and its default to standard output."""
    text = example_file()
    return Answer(view.ConfigGenerate(text=text), lambda paint: text.splitlines())
