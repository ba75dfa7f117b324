# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Key fingerprints as AWS computes them.

moto 5.2.5 gives ED25519 keys a SHA-256 over the DER form in hexadecimal, and created RSA keys a SHA-1 over the public
key. AWS: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html (imported RSA: MD5 over the public key,
which moto does).
"""

import base64
import hashlib

from cryptography.hazmat.primitives import serialization
from moto.ec2.models.key_pairs import KeyPair

from embedded_endpoint.gaps.patching import replace


@replace(KeyPair, "__init__")
def _key_pair(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    if self.key_type == "ed25519":
        blob = base64.b64decode(self.material_public.split()[1])
        self.key_fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    elif self.material:
        private = serialization.load_pem_private_key(self.material, password=None).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.key_fingerprint = hashlib.sha1(private, usedforsecurity=False).digest().hex(":")
