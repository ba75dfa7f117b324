# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the checkout importable as the collection that it is, before any test module is read."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.chdir(ROOT)
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder  # noqa: E402

if not any(type(f).__name__ == "_AnsibleCollectionFinder" for f in sys.meta_path):
    _AnsibleCollectionFinder(paths=[str(ROOT / "collections")])._install()
