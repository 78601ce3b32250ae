"""The throwaway customer as a whole: made, started, worked in, stopped, copied."""

import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from opsctl.core.errors import OpsError
from opsctl.core.process import command, run
from opsctl.overview.demo import crm, database, wordpress
from opsctl.overview.demo.host_tree import BLOG_HOST, COPY_TIMEOUT_S, SERVER_NAMES, write_host_tree
from opsctl.overview.demo.layout import Layout
from opsctl.overview.demo.settings import settings_toml
from opsctl.overview.demo.size import DemoSize

_UPLOADS = "/var/lib/wordpress/wp-content/uploads"


@dataclass(frozen=True)
class DemoFacts:
    """What a drill should find, counted on the living stack at this moment."""

    posts: int
    attachments: int
    uploads: int
    crm_uploads: int
    leads: int
    cards: int
    stage_changes: int
    calls: int
    invoices: int
    tables: int
    server_names: tuple[str, ...]
    blog_host: str
    siteurl: str


@dataclass(frozen=True)
class DemoStack:
    """One throwaway customer in one directory."""

    layout: Layout

    @classmethod
    def create(cls, directory: Path, *, size: DemoSize, progress: Callable[[str], None]) -> "DemoStack":
        """Make a customer in `directory`, which must be empty or absent, and leave its database running.

        `progress` hears each step as it begins. Raises OpsError when a program it needs is not installed, or when the
        directory's path is too long for a socket.
        """
        layout = Layout(directory)
        if not layout.fits():
            raise OpsError("the path is too long for a socket", where=str(directory), hint="choose one under /tmp")
        if directory.exists() and any(directory.iterdir()):
            raise OpsError("the directory is not empty", where=str(directory))
        directory.mkdir(parents=True, exist_ok=True)
        # The customer's own user passes through, and sees no names.
        directory.chmod(0o711)
        progress("writing the files of the customer's host")
        write_host_tree(layout)
        stack = cls(layout)
        try:
            stack._fill(size, progress)
        except BaseException:
            database.end(layout, signal.SIGKILL)
            raise
        return stack

    def _fill(self, size: DemoSize, progress: Callable[[str], None]) -> None:
        progress("installing MariaDB with encryption of tables, logs and binary logs")
        database.install(self.layout, size)
        self.layout.socket.parent.chmod(0o700)
        database.start(self.layout)
        database.create_accounts(self.layout)
        progress(f"installing WordPress, {size.posts} posts, {size.attachments} pictures")
        wordpress.install_blog(self.layout, size)
        progress(f"filling the CRM: {size.leads} leads, {size.cards} cards, {size.calls} calls")
        crm.fill_crm(self.layout, size)

    @classmethod
    def open(cls, directory: Path) -> "DemoStack":
        """Take up a customer that was made before. Raises OpsError when there is none."""
        layout = Layout(directory)
        if not layout.admin_password.exists():
            raise OpsError("there is no demo stack", where=str(directory), hint="run: opsctl demo --keep")
        return cls(layout)

    @property
    def root(self) -> Path:
        """What is `/` on the customer's host."""
        return self.layout.root

    @property
    def socket(self) -> Path:
        """The database's socket."""
        return self.layout.socket

    def start(self) -> None:
        """Start the database; return once it answers."""
        database.start(self.layout)

    def stop(self) -> None:
        """Shut the database down cleanly. Does nothing when it does not run."""
        database.end(self.layout, signal.SIGTERM)

    def kill(self) -> None:
        """End the database as a power cut does."""
        database.end(self.layout, signal.SIGKILL)

    def connect(self) -> "pymysql.Connection[Any]":
        """Connect as the database's root, committing each statement."""
        return database.connect(self.layout)

    def copy_to(self, directory: Path) -> "DemoStack":
        """Copy the stopped customer to a new directory, for a test of its own; the copy is not started."""
        if database.is_running(self.layout):
            raise OpsError("a running database cannot be copied", where=str(self.socket))
        copy = Layout(directory)
        run(command("cp", "--archive", "--reflink=auto", self.layout.directory, directory), timeout_s=COPY_TIMEOUT_S)
        return DemoStack(copy)

    def remove(self) -> None:
        """End the database and delete the customer."""
        database.end(self.layout, signal.SIGKILL)
        shutil.rmtree(self.layout.directory)

    def write_more(self, amount: int = 10) -> None:
        """Work for a while: `amount` posts, leads and calls, a picture, moved cards, an ALTER TABLE."""
        facts = self.facts()
        wordpress.write_posts(self.layout, first=facts.posts + 1000, posts=amount, attachments=1)
        crm.work_in_crm(self.layout, amount=amount, round_number=facts.leads)

    def settings_toml(self, more: Mapping[str, Any]) -> str:
        """Write a settings file for this customer; `more` holds the sections of the machine that works for it."""
        return settings_toml(self.layout, more)

    def facts(self) -> DemoFacts:
        """Count what is there now."""
        posts = "SELECT COUNT(*) FROM wordpress.wp7_posts WHERE post_type"
        with self.connect() as connection, connection.cursor() as cursor:

            def value(statement: str) -> Any:
                cursor.execute(statement)
                return cursor.fetchall()[0][0]

            return DemoFacts(
                posts=value(f"{posts} = 'post' AND post_status = 'publish'"),
                attachments=value(f"{posts} = 'attachment'"),
                uploads=_count_files(self.layout.at(_UPLOADS)),
                crm_uploads=_count_files(self.layout.at("/srv/crm/uploads")),
                leads=value("SELECT COUNT(*) FROM crm.tblleads"),
                cards=value("SELECT COUNT(*) FROM crm.tblcards"),
                stage_changes=value("SELECT COUNT(*) FROM crm.tblcard_stages"),
                calls=value("SELECT COUNT(*) FROM crm.tblcalls"),
                invoices=value("SELECT COUNT(*) FROM crm.tblinvoices"),
                tables=value(
                    "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'"
                    " AND TABLE_SCHEMA IN ('wordpress', 'crm', 'opsctl')"
                ),
                server_names=SERVER_NAMES,
                blog_host=BLOG_HOST,
                siteurl=value("SELECT option_value FROM wordpress.wp7_options WHERE option_name = 'siteurl'"),
            )


def _count_files(directory: Path) -> int:
    return sum(1 for path in directory.rglob("*") if path.is_file())
