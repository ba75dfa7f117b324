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

import botocore.loaders  # noqa: E402
import botocore.session  # noqa: E402

# A module run makes a session of its own, and each would parse the SDK's data files anew: four fifths of the tests' time.
# In a real run plugin_utils/in_worker.py shares them in the same way.
_of_a_path, _SHARED = botocore.session.create_loader, botocore.loaders.create_loader()
botocore.session.create_loader = lambda path=None: _of_a_path(path) if path else _SHARED
