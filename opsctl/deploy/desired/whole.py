"""All that shall be on a host, in the order in which it is made."""

from opsctl.deploy.desired import backups, certificates, clock, database, ground, logs, program, settings, sites
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.desired.templates import actions, rendered, table
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.inventory import Inventory
from opsctl.deploy.resources import Desired


def desired(inventory: Inventory, host: HostSection) -> Desired:
    """All that shall be on the host. Raises OpsError for a template that cannot be filled."""
    subject = Subject(inventory, host)
    facts = {**subject.facts(), **database.facts(subject), **settings.facts(subject), **logs.facts(subject)}
    resources = (
        *ground.packages(subject),
        *ground.people(subject),
        *program.program(subject),
        *sites.ground(subject),
        *sites.secrets(subject),
        *certificates.ground(subject),
        *database.encryption(),
        *clock.ground(subject),
        *backups.ground(subject),
        *logs.ground(subject),
        *rendered(facts, subject.sites, subject.features),
        *sites.web(subject),
        *ground.units(subject),
        *clock.units(),
        *logs.units(subject),
        *database.accounts(subject),
        *backups.keys(subject),
        *backups.accounts(subject),
        *backups.timers(subject),
        *certificates.issued(subject),
    )
    health = tuple(sites.visit(site) for site in subject.sites)
    return Desired(resources=resources, actions=tuple(actions(subject.sites)), checks=table().checks, health=health)
