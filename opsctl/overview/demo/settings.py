"""The part of the settings that describes the throwaway customer: stack, database, sites, web server."""

import hashlib
from collections.abc import Mapping
from typing import Any

from opsctl.core.settings_example import render
from opsctl.overview.demo.crm import CONFIG, KNOWN_VALUE, KNOWN_VALUE_QUERY
from opsctl.overview.demo.host_tree import BLOG_CONFIG, BLOG_HOST
from opsctl.overview.demo.layout import Layout
from opsctl.settings import Settings

STACK_NAME = "demo"


def stack_values(layout: Layout) -> dict[str, Any]:
    """The sections `stack`, `database`, `sites` and `nginx`; the machine's own ones come from who uses them."""
    blog = {
        "name": "blog",
        "kind": "wordpress",
        "paths": ["/usr/share/wordpress", "/var/lib/wordpress/wp-content", "/etc/wordpress"],
        "secret_files": [BLOG_CONFIG],
        "config": BLOG_CONFIG,
        "code": "/usr/share/wordpress",
        "http_host": BLOG_HOST,
        "uploads": "/var/lib/wordpress/wp-content/uploads",
    }
    customers = {
        "name": "crm",
        "kind": "codeigniter",
        "paths": ["/srv/crm"],
        "secret_files": [CONFIG],
        "config": CONFIG,
        "uploads": "/srv/crm/uploads",
        "known_value": {"query": KNOWN_VALUE_QUERY, "sha256": hashlib.sha256(KNOWN_VALUE.encode()).hexdigest()},
    }
    return {
        "stack": {"name": STACK_NAME, "root": layout.root},
        "database": {
            "socket": layout.socket,
            "backup_password_file": layout.secrets / "backup.password",
            "ship_password_file": layout.secrets / "ship.password",
            "export_user": "opsctl_export",
            "export_password_file": layout.secrets / "export.password",
            "watch_user": "opsctl_watch",
            "watch_password_file": layout.secrets / "watch.password",
            "config_paths": ["/etc/mysql"],
        },
        "sites": [blog, customers, {"name": "static", "kind": "static", "paths": ["/var/www/static"]}],
        "nginx": {"config": "/etc/nginx/nginx.conf", "paths": ["/etc/nginx", "/etc/letsencrypt"]},
    }


def settings_toml(layout: Layout, more: Mapping[str, Any]) -> str:
    """Write a whole settings file: the customer's sections and `more`, those of the machine that works for it."""
    heading = ("Settings of opsctl for a throwaway customer.",)
    return render(Settings, {**stack_values(layout), **more}, heading=heading)
