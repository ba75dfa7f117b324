#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session-manager-plugin that connects to nothing: it notes how it was called and writes what a test wants."""

import json
import os
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_PLUGIN"])

if sys.argv[1:] == ["--version"]:
    print(os.environ.get("FAKE_PLUGIN_VERSION", "1.2.707.0"))
    sys.exit(0)
session = json.loads(os.environ[sys.argv[1]])
(HOME / "call").write_text(json.dumps({"argv": sys.argv[1:], "session": session, "terminal": sys.stdin.isatty()}))
print(f"\nStarting session with SessionId: {session['SessionId']}\r", flush=True)
for text in os.environ.get("FAKE_PLUGIN_SAYS", "one|two").split("|"):
    print(f"{text}\r", flush=True)
time.sleep(float(os.environ.get("FAKE_PLUGIN_SLEEPS", "0")))
print(f"\r\n\r\nExiting session with sessionId: {session['SessionId']}.\r\n\r", flush=True)
