"""Who certifies the sites' names."""

from pydantic import Field, model_validator

from opsctl.core.section import Section

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class CertificatesSection(Section):
    """The authority (ACME, RFC 8555) that issues certificates for the sites' names."""

    email: str = Field(
        description="Whom the authority writes to.",
        examples=["hostmaster@acme.example"],
        pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$",
    )
    agree: bool = Field(description="You agree to the authority's terms; without that it issues nothing.")
    directory: str = Field(
        LETS_ENCRYPT, description="URL of its directory.", pattern=r"^https://[A-Za-z0-9./:_%?=&~-]+$"
    )
    trust: str | None = Field(
        None,
        description="Certificates (PEM) by which a private authority's own HTTPS is believed.",
        pattern=r"^(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$",
    )

    @model_validator(mode="after")
    def _terms_are_agreed_to(self) -> "CertificatesSection":
        if not self.agree:
            raise ValueError("say agree = true once you have read the authority's terms")
        return self
