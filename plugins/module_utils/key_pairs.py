# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH key pairs as EC2 takes them, and the files they live in. The private half never leaves its file.

Public keys are passed around as one OpenSSH line, `ssh-ed25519 AAAA… comment`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import tempfile

from ansible_collections.handson.ecs.plugins.module_utils import temporary

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    HAS_CRYPTOGRAPHY = True
except ImportError:  # the module says so in Ansible's own words
    HAS_CRYPTOGRAPHY = False

#: EC2 takes RSA keys of 1024, 2048 and 4096 bits
#: (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html, "import the public key")
RSA_BITS = 4096
#: The end of the comment in a public key file beside a private key that we made
MADE_BY = "made-by-handson.ecs"
#: First word of a public key line -> EC2's KeyType
TYPES = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}


def generate(key_type: str) -> tuple[bytes, str]:
    """Return (private half as an OpenSSH file, public line) of a new key of type `ed25519` or `rsa`."""
    if key_type == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return private, _public_line(key)


def public_from_private(private: bytes) -> str:
    """Return the public line of a private key file (OpenSSH, PKCS#1 or PKCS#8, no passphrase).

    Raises ValueError, without a word of the file, where it is none or not of a type that EC2 takes.
    """
    key = None
    for load in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            key = load(private, password=None)
            break
        except TypeError:
            raise ValueError("it has a passphrase, which nobody could type in an unattended run") from None
        except Exception:  # noqa: BLE001 - ValueError, UnsupportedAlgorithm and OpenSSL's own, by version
            continue
    if key is None:
        raise ValueError("it is not a private key in OpenSSH or PEM format")
    if not isinstance(key, (ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey)):
        raise ValueError("EC2 takes RSA and ED25519 keys only")
    return _public_line(key)


def key_type(public: str) -> str:
    """Return EC2's word for the type of a public line: `ed25519` or `rsa`."""
    first = public.split(None, 1)[0]
    return TYPES.get(first, first)


def fingerprint(public: str) -> str:
    """Return the fingerprint that EC2 shows for an imported public line.

    ED25519: the SHA-256 of the key blob in Base64 (as `ssh-keygen -l`, which adds "SHA256:"; EC2 pads with `=`, which
    is left out here). RSA: the MD5 of the public key in DER, in colon form.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
    """
    if key_type(public) == "rsa":
        key = serialization.load_ssh_public_key(_without_comment(public).encode())
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashlib.md5(der, usedforsecurity=False).hexdigest()
        return ":".join(re.findall("..", digest))
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return normalized_fingerprint(base64.b64encode(digest).decode())


def normalized_fingerprint(text: str | None) -> str | None:
    """Return a fingerprint without what is spelled now so, now so: a `SHA256:` in front, padding at the end."""
    return None if text is None else text.strip().removeprefix("SHA256:").rstrip("=")


def marker(name: str, public: str) -> str:
    """Return the content of the public key file that says that we made the key for the key pair `name`."""
    return f"{_without_comment(public)} {name.replace(' ', '_')} {MADE_BY}\n"


def made_for(name: str, public: str, content: str) -> bool:
    """Tell whether `content`, of the file beside a private key, says that we made just this key for `name`."""
    return content.strip() == marker(name, public).strip()


def marked_for(name: str, content: str) -> bool:
    """Tell whether `content` is the public half of a key that we made for `name`, where its private half is gone."""
    return len(content.split()) == 4 and made_for(name, content, content)


def mode_of(path: str) -> str:
    """Return the permission bits of a file as people write them, such as `0600`."""
    return f"{stat.S_IMODE(os.stat(path).st_mode):04o}"


def is_private(mode: str) -> bool:
    """Tell whether ssh accepts a private key file of this mode: nobody but the owner may do anything with it."""
    return not int(mode, 8) & 0o077


def write_new(path: str, content: bytes, mode: int) -> None:
    """Write a file that must not be there yet: whole or not at all, and never readable by more than `mode` allows.

    Makes its directory with mode 0700 where it is missing. Raises FileExistsError where the file is there. Killed, it
    may leave a copy beside the file, or a second name of it: see `copies`.
    """
    directory = _directory(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor, copy = tempfile.mkstemp(dir=directory, prefix=temporary.named(_copy_prefix(path)))  # O_EXCL, 0600
    try:
        with os.fdopen(descriptor, "wb") as f:
            os.fchmod(f.fileno(), mode)
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.link(copy, path)  # unlike a rename this never replaces what somebody else just put there
    finally:
        os.unlink(copy)


def copies(path: str) -> list[str]:
    """Return what `write_new` left beside a private key file and its public half, of whatever process."""
    return [c for p in _halves(path) for c in temporary.left(_directory(p), _copy_prefix(p), living=True)]


def remove_copies(path: str, living: bool = False) -> None:
    """Remove those copies of processes that are gone; with `living` of all processes."""
    for p in _halves(path):
        temporary.remove_left(_directory(p), _copy_prefix(p), living)


def _halves(path: str) -> tuple[str, str]:
    return path, f"{path}.pub"


def _copy_prefix(path: str) -> str:
    return f".{os.path.basename(path)}-"


def _directory(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def _public_line(key: "ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey") -> str:
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _without_comment(public: str) -> str:
    return " ".join(public.split()[:2])
