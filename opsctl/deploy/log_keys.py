"""The keys by which hosts send their logs: an authority of the stack's own, and for each host a key that it certified.

All of it lies among the inventory's secrets; a host gets its own key and the authority's certificate. The one that
keeps the logs takes none from whoever has no key, and the others send none to whoever has not.
"""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import SecretStr

from opsctl.core.clock import SKEW, utcnow
from opsctl.core.errors import IntegrityError, SettingsError
from opsctl.deploy.desired.logs import AUTHORITY, name_of, parts, secret_of
from opsctl.deploy.inventory.inventory import Inventory

LASTS = timedelta(days=3650)


def make_keys(inventory: Inventory) -> tuple[str, ...]:
    """Make what is missing among the secrets, for each host; their names. Raises SettingsError without [logs]."""
    if inventory.logs is None:
        raise SettingsError(
            "the inventory keeps no logs", where=str(inventory.origin), hint="add [logs] with host and days"
        )
    secrets = inventory.secrets_file
    there, made = secrets.names(), list[str]()
    if AUTHORITY not in there:
        made.append(AUTHORITY)
        secrets.set(AUTHORITY, _authority(inventory.stack.name))
        # What another authority has certified is worth nothing any more.
        there = [name for name in there if name not in {secret_of(host.name) for host in inventory.hosts}]
    authority = secrets.get(AUTHORITY)
    for host in inventory.hosts:
        name = secret_of(host.name)
        if name not in there:
            secrets.set(name, _certified(name_of(inventory.stack.name, host.name), authority))
            made.append(name)
    return tuple(made)


def _authority(stack: str) -> SecretStr:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(f"{stack} logs")
    builder = _builder(name, name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _written(builder.sign(key, hashes.SHA256()), key)


def _certified(name: str, authority: SecretStr) -> SecretStr:
    certificate, private = parts(authority.get_secret_value(), AUTHORITY)
    issuer = x509.load_pem_x509_certificate(certificate.encode())
    signer = serialization.load_pem_private_key(private.encode(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise IntegrityError("the key of the logs' authority is of another kind", where=AUTHORITY)
    key = ec.generate_private_key(ec.SECP256R1())
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    builder = _builder(_named(name), issuer.subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(both, critical=False)
    return _written(builder.sign(signer, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = utcnow()
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - SKEW,
        not_valid_after=now + LASTS,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _written(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> SecretStr:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SecretStr((certificate.public_bytes(serialization.Encoding.PEM) + private).decode())
