"""Writes an RSA key and its public half, in PEM: python rsa_key.py PRIVATE_FILE PUBLIC_FILE"""

from common import arguments
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

private, public = arguments(2)
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
with open(private, "wb") as file:
    file.write(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
with open(public, "wb") as file:
    file.write(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
