"""A WordPress: comments, registrations, and what is posted and uploaded. Its times are UTC (`…_gmt`)."""

from collections.abc import Iterator

from anomaly_rules.collectors import Collector
from anomaly_rules.collectors.database import Database
from anomaly_rules.collectors.rows import RowCounts
from anomaly_rules.settings import WordPressSource

_GROWS = (
    ("comments", "comments", "comment_date_gmt", "comment_approved NOT IN ('spam', 'trash')"),
    ("users", "users", "user_registered", ""),
    ("posts", "posts", "post_date_gmt", "post_status = 'publish' AND post_type IN ('post', 'page')"),
    ("uploads", "posts", "post_date_gmt", "post_type = 'attachment'"),
)


def collectors(server: Database, site: WordPressSource, days_in: str) -> Iterator[Collector]:
    """A counter for each kind of thing. What is scheduled for later is no row from the future: it is not published."""
    for title, name, time, where in _GROWS:
        yield RowCounts(
            server, site.name, title, site.database, f"{site.prefix}{name}", time, days_in=days_in, where=where
        )
