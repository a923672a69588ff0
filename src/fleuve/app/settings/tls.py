"""TLS: refused, since a listener that is taken for encrypted must be."""

from __future__ import annotations

from fleuve.app.settings.rows import BOOLEAN, CLASS, LIST, PASSWORD, PER_BROKER, STRING, refused
from fleuve.base.setting import OneOf, Setting

_NO_TLS = "TLS is not supported in this version; listen on loopback or a private network, or put a TLS proxy in front."

SETTINGS: tuple[Setting, ...] = (
    refused(
        "security.inter.broker.protocol",
        STRING,
        "PLAINTEXT",
        "Security protocol that brokers use among themselves.",
        _NO_TLS,
        check=OneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    ),
    refused(
        "ssl.allow.dn.changes",
        BOOLEAN,
        "false",
        "Whether a new certificate may have another distinguished name.",
        _NO_TLS,
    ),
    refused(
        "ssl.allow.san.changes",
        BOOLEAN,
        "false",
        "Whether a new certificate may lack alternative names of the old one.",
        _NO_TLS,
    ),
    refused("ssl.cipher.suites", LIST, "", "Cipher suites that TLS may use.", _NO_TLS, mode=PER_BROKER),
    refused(
        "ssl.client.auth",
        STRING,
        "none",
        "Whether clients must show a certificate.",
        _NO_TLS,
        check=OneOf("required", "requested", "none"),
        mode=PER_BROKER,
    ),
    refused(
        "ssl.enabled.protocols", LIST, "TLSv1.2,TLSv1.3", "TLS versions that are enabled.", _NO_TLS, mode=PER_BROKER
    ),
    refused(
        "ssl.endpoint.identification.algorithm",
        STRING,
        "https",
        "How the name in a server's certificate is checked.",
        _NO_TLS,
        mode=PER_BROKER,
    ),
    refused("ssl.engine.factory.class", CLASS, None, "Class that makes TLS engines.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.key.password", PASSWORD, None, "Password of the private key.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.keymanager.algorithm", STRING, "SunX509", "Algorithm of the key manager.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.keystore.certificate.chain", PASSWORD, None, "Certificate chain, as PEM.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.keystore.key", PASSWORD, None, "Private key, as PEM.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.keystore.location", STRING, None, "File of the key store.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.keystore.password", PASSWORD, None, "Password of the key store.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.keystore.type", STRING, "JKS", "Format of the key store.", _NO_TLS, mode=PER_BROKER),
    refused(
        "ssl.principal.mapping.rules",
        STRING,
        "DEFAULT",
        "Rules that make a principal's name of a certificate's.",
        _NO_TLS,
    ),
    refused("ssl.protocol", STRING, "TLSv1.3", "TLS version that new contexts start from.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.provider", STRING, None, "Security provider for TLS.", _NO_TLS, mode=PER_BROKER),
    refused(
        "ssl.secure.random.implementation", STRING, None, "Source of randomness for TLS.", _NO_TLS, mode=PER_BROKER
    ),
    refused("ssl.trustmanager.algorithm", STRING, "PKIX", "Algorithm of the trust manager.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.truststore.certificates", PASSWORD, None, "Trusted certificates, as PEM.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.truststore.location", STRING, None, "File of the trust store.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.truststore.password", PASSWORD, None, "Password of the trust store.", _NO_TLS, mode=PER_BROKER),
    refused("ssl.truststore.type", STRING, "JKS", "Format of the trust store.", _NO_TLS, mode=PER_BROKER),
)
