"""What faults have to know of a stack, learned while the clean drill has it restored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome, Result
from opsctl.stack.nginx import Directive, NginxConfig, read_nginx
from opsctl.stack.rooted import resolve as follow
from restore_drill.checks.encrypted import try_keys
from restore_drill.checks.needs import need_server
from restore_drill.checks.uploads import attached_files
from restore_drill.checks.view import resolve
from restore_drill.checks.wordpress import code_directory, evaluate, wordpress_sites
from restore_drill.restored import Restored
from restore_drill.steps import resolved_database


@dataclass
class Facts:
    """Paths are as on the host, with all links resolved.

    `configs`: each site's configuration by the site's name. `wp_loader`: the file from which WordPress begins to look
    for its configuration, if that is another. `attachments`: files of WordPress' library, of which some may be newer
    than the backup. `vhosts`: for each included file with a server in it, the links to it and itself. `key_files`: the
    database's own; `key_ids` have tables.
    """

    configs: dict[str, str] = field(default_factory=dict)
    wp_loader: str | None = None
    wp_database: str | None = None
    attachments: list[str] = field(default_factory=list)
    vhosts: list[tuple[str, ...]] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    key_file: str | None = None
    filekey_file: str | None = None
    key_ids: list[int] = field(default_factory=list)


class Look:
    """An extra check of the clean drill: it judges nothing, and keeps what it sees in `facts`."""

    id = "look"
    title = "what there is to damage"

    def __init__(self) -> None:
        self.facts = Facts()

    def run(self, restored: Restored) -> Result:
        """Look at everything; raises OpsError when some of it cannot be seen."""
        facts, tree = self.facts, restored.paths.tree
        database = resolved_database(restored)
        facts.key_file, facts.filekey_file = database.key_file, database.filekey_file
        if database.encrypted:
            facts.key_ids = list(try_keys(restored, need_server(restored)).read)
        facts.configs = {
            site.name: resolve(tree, site.config) for site in restored.manifest.sites if site.config is not None
        }
        self._wordpress(restored)
        if restored.manifest.web_server is not None:
            config = Path(restored.manifest.web_server.config)
            found = read_nginx(tree, config)
            facts.vhosts = list(_vhosts(tree, found, config))
            facts.certificates = [resolve(tree, str(path)) for path in found.certificates]
        return Result(id=self.id, title=self.title, outcome=Outcome.PASSED, expected="", found="")

    def _wordpress(self, restored: Restored) -> None:
        for site in wordpress_sites(restored.manifest)[:1]:
            settings = evaluate(restored.paths, restored.manifest, site)
            loader = resolve(restored.paths.tree, f"{code_directory(restored.paths.tree, site)}/wp-config.php")
            self.facts.wp_loader = None if loader == self.facts.configs.get(site.name) else loader
            self.facts.wp_database = settings.db_name
            uploads = site.uploads or settings.uploads
            attached = attached_files(need_server(restored), settings.db_name, settings.table_prefix)
            self.facts.attachments = [_resolved(restored.paths.tree, f"{uploads}/{path}") for path in attached]


def _vhosts(tree: Path, found: NginxConfig, main: Path) -> Iterator[tuple[str, ...]]:
    files = {directive.file for directive in _flat(found.directives) if directive.name == "server_name"} - {main}
    for file in sorted(files):
        links, real = follow(tree, file)
        yield (*(str(link) for link in links), str(real))


def _flat(directives: Iterable[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        yield from _flat(directive.block)


def _resolved(tree: Path, path: str) -> str:
    try:
        return resolve(tree, path)
    except OpsError:
        return path
