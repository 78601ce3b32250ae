"""How much a throwaway customer holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoSize:
    """Numbers of rows and files; `filler_bytes` of text in one more table, for measurements."""

    posts: int
    attachments: int
    leads: int
    cards: int
    calls: int
    invoices: int
    filler_bytes: int = 0


SMALL = DemoSize(posts=5, attachments=2, leads=20, cards=60, calls=200, invoices=20)
DEMO = DemoSize(posts=40, attachments=12, leads=200, cards=1000, calls=5000, invoices=300)


def of_bytes(filler_bytes: int) -> DemoSize:
    """The demo's stack with `filler_bytes` bytes of text on top."""
    return DemoSize(
        posts=DEMO.posts,
        attachments=DEMO.attachments,
        leads=DEMO.leads,
        cards=DEMO.cards,
        calls=DEMO.calls,
        invoices=DEMO.invoices,
        filler_bytes=filler_bytes,
    )
