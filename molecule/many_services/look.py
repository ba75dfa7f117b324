# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""One look of the side effect:

look.py note                 remember what all services have
look.py same NAME…           these have what they had, to the last value
look.py gone NAME…           these have nothing any more
look.py open|held NAME…      the rule of these takes requests; it takes none and the monolith still has all requests
look.py watch COMMAND…       run a command, and all the time no rule leads to where nobody answers
"""

import json
import subprocess
import sys
import time

import things
from readback import STATE_DIR, Expectations

NOTES = STATE_DIR / "molecule-many-services.json"
expect = Expectations()


def told(name: str) -> dict:
    """What a service has, as JSON keeps it."""
    return json.loads(json.dumps(things.of(name), default=str))


def watch(command: list[str]) -> int:
    """Run a command and look at the listener again and again meanwhile. Returns its exit code."""
    looks = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            for priority, rule in things.rules().items():
                if rule["to"] and not rule["held"]:
                    expect.holds(f"targets behind {priority} ({rule['to']})", things.healthy(rule["to"]) > 0)
            looks += 1
            time.sleep(0.1)
    expect.holds("looks at the listener", looks > 5, looks)
    return process.returncode


what, names = sys.argv[1], sys.argv[2:]
if what == "note":
    NOTES.write_text(json.dumps({name: told(name) for name in things.SERVICES}))
    expect.holds("something to note", any(json.loads(NOTES.read_text()).values()))
elif what == "watch":
    code = watch(names)
    if code:
        sys.exit(code)
else:
    noted = json.loads(NOTES.read_text())
    listener = things.rules()
    for name in names:
        if what == "same":
            expect.holds(f"{name} had something", bool(noted[name]))
            for kind in sorted({*noted[name], *(now := told(name))}):
                expect.equal(f"{kind} of {name}", now.get(kind), noted[name].get(kind))
        elif what == "gone":
            expect.equal(f"what {name} has", told(name), {})
        else:
            places = [r for r in listener.values() if r["to"] == name]
            rule = expect.only(f"rules of {name}", places)
            expect.equal(f"paths of {name}", rule["paths"], [f"/api/{name}*"])
            expect.equal(f"whether {name} is held", rule["held"], what == "held")
            if what == "held":
                expect.equal("who answers instead", listener["default"]["to"], "api")
                expect.equal("healthy targets there", things.healthy("api"), 1)
            else:
                expect.equal(f"healthy targets of {name}", things.healthy(name), 1)
expect.finish()
