"""The certificate authority of the little internet, whose root its servers trust."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Certificate:
    """.certificate and .key as PEM; `.spki_sha256` and `.sha256` in hexadecimal, for TLSA records (RFC 6698 §2.1)."""

    def __init__(self, certificate, key):
        import hashlib
        self.certificate = _pem(certificate)
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        spki = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.spki_sha256 = hashlib.sha256(spki).hexdigest()
        self.sha256 = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


class Authority:
    def __init__(self, name="Test authority"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._sign(self._name, self._key.public_key(), is_authority=True)
        self.root = _pem(self._certificate)

    def _sign(self, subject, public_key, names=(), is_authority=False, ends_in=100 * DAY):
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(public_key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - 200 * DAY).not_valid_after(now + ends_in)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def certificate(self, *names, expired=False):
        """For a server of these names, from this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Certificate(self._sign(_name(names[0]), key.public_key(), names, ends_in=-DAY if expired else 100 * DAY), key)
