# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables hold a secret, going by their names, and which values are one, going by their form."""

from __future__ import annotations

import hashlib
import re

#: Words that say that a value is a secret. A word may also only end so: PGPASSWORD and authtoken have no boundary.
_WORDS = (
    "password", "passwords", "passwd", "pwd", "passphrase", "pass", "secret", "secrets", "token", "credential",
    "credentials", "apikey", "privatekey", "accesskey", "secretkey",
)  # fmt: skip
#: Words that end like those above and mean something else.
_NO_SECRET = {"bypass", "compass", "overpass", "underpass"}
#: What a key must be of to be secret: PUBLIC_KEY and CACHE_KEY are none.
_KEYS = {"api", "private", "access", "secret", "encryption", "signing", "ssh", "auth"}
#: A name that ends so only tells about a secret: where it lies, how long it lives.
_ABOUT = {
    "file", "path", "dir", "arn", "name", "url", "uri", "endpoint", "ttl", "expiry", "expiration", "lifetime", "length",
    "type", "id", "enabled", "required", "header", "issuer", "audience", "seconds", "minutes", "hours", "days", "ms",
    "algorithm", "policy", "count", "limit", "max", "min", "timeout", "check",
}  # fmt: skip
#: The same words anywhere in a line of text, where there is no single name to look at.
SECRET_NAME = re.compile(
    r"PASS(WORD|WD|PHRASE)?|(^|_)PWD$|SECRET|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEY", re.IGNORECASE
)
#: What GitHub and GitLab give out as a token, anywhere in a text.
TOKENS = re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[\w-]{20,})")
#: User and password, or a token, that a URL holds before its host.
CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def fingerprint(value: str) -> str:
    """Return what is shown in the place of a secret: nobody reads it out of that, and that it changed is seen."""
    return f"(hidden, sha256 {hashlib.sha256(value.encode()).hexdigest()[:8]})"


def looks_secret(name: str) -> bool:
    """Return whether a variable of this name holds a secret, going by its words: `DB_PASSWORD`, `apiKey`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    words = [w.rstrip("0123456789") or w for w in re.split(r"[^a-z0-9]+", spaced.lower()) if w]
    if not words or words[-1] in _ABOUT:
        return False
    if any(w.endswith(_WORDS) and w not in _NO_SECRET for w in words):
        return True
    return any(of in _KEYS and key in ("key", "keys") for of, key in zip(words, words[1:]))
