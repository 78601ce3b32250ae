"""The throwaway customer's blog: set up by WordPress' own installer, filled through its own API."""

import secrets

from pydantic import BaseModel

from opsctl.overview.demo.host_tree import BLOG_HOST
from opsctl.overview.demo.layout import Layout
from opsctl.overview.demo.php import run_php
from opsctl.overview.demo.size import DemoSize


class Written(BaseModel):
    """What WordPress says it has written."""

    posts: int
    attachments: int


def install_blog(layout: Layout, size: DemoSize) -> Written:
    """Install WordPress, and write its first posts and pictures. The editor's password is known to nobody."""
    installation = {"title": "Shopfront", "admin_password": secrets.token_urlsafe(16)}
    return _write(layout, first=1, posts=size.posts, attachments=size.attachments, install=installation)


def write_posts(layout: Layout, *, first: int, posts: int, attachments: int) -> Written:
    """Write more posts and pictures, numbered from `first`."""
    return _write(layout, first=first, posts=posts, attachments=attachments, install=None)


def _write(layout: Layout, *, first: int, posts: int, attachments: int, install: dict[str, str] | None) -> Written:
    wanted = {
        "host": BLOG_HOST,
        "install": install,
        "first": first,
        "posts": posts,
        "attachments": attachments,
    }
    return Written.model_validate_json(run_php(layout, "wordpress.php", wanted))
