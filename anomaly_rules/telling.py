"""What people are told of findings: each critical one at once, all others together in one digest a day."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from anomaly_rules.findings import Finding
from anomaly_rules.words import moment, sparkline
from opsctl.core.notify.outbox import Trouble
from opsctl.core.rule import Severity
from opsctl.core.words import counted

SCOPE = "anomalies"
DIGEST = f"{SCOPE}/digest"
_MOST = 50


def troubles(findings: Iterable[Finding], at: datetime) -> tuple[Trouble, ...]:
    """What is wrong now and has to be told: open findings that nobody acknowledged or muted."""
    told = [finding for finding in findings if finding.open and not finding.quieted(at)]
    critical = [finding for finding in told if finding.newest.severity is Severity.CRITICAL]
    others = [finding for finding in told if finding.newest.severity is not Severity.CRITICAL]
    return (*map(_one, critical), *_digest(others))


def unchanged(findings: Iterable[Finding], at: datetime) -> frozenset[str]:
    """Fingerprints of what is still so, though nobody has to be told: their silence is not their end."""
    quieted = [finding for finding in findings if finding.open and finding.quieted(at)]
    return frozenset(
        _fingerprint(finding) if finding.newest.severity is Severity.CRITICAL else DIGEST for finding in quieted
    )


def _fingerprint(finding: Finding) -> str:
    """A worse one has another, so that it is told anew."""
    return f"{SCOPE}/{finding.id}/{finding.told.evidence.size:.2f}"


def _one(finding: Finding) -> Trouble:
    return Trouble(
        fingerprint=_fingerprint(finding),
        severity=Severity.CRITICAL,
        title=finding.newest.sentence,
        text="\n".join(_lines(finding)),
    )


def _digest(findings: list[Finding]) -> Iterator[Trouble]:
    if not findings:
        return
    ordered = sorted(findings, key=lambda each: (each.newest.severity is Severity.INFO, each.newest.opened))
    parts = ["\n".join(_lines(finding)) for finding in ordered[:_MOST]]
    if len(ordered) > _MOST:
        parts.append(f"and {len(ordered) - _MOST:,} more: opsctl anomalies list")
    yield Trouble(
        fingerprint=DIGEST,
        severity=ordered[0].newest.severity,
        title=f"{counted(len(ordered), 'finding')}: {ordered[0].newest.sentence}",
        text="\n\n".join(parts),
    )


def _lines(finding: Finding) -> Iterator[str]:
    body = finding.newest
    yield body.sentence
    since = body.evidence.since or body.opened
    yield f"  since {moment(since)}  {sparkline(body.evidence.recent)}".rstrip()
    if body.act:
        yield f"  {body.act}"
    yield f"  opsctl anomalies explain {finding.id}"
