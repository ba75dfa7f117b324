# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The endpoint is this test's own, on the loopback interface, and answers as the account of the inventory."""

import os
from urllib.parse import urlsplit

from readback import ACCOUNT, REGION, STATE_DIR, Expectations, client

expect = Expectations()
identity = client("sts").get_caller_identity()
expect.equal("account", identity["Account"], ACCOUNT)
expect.equal("region", client("ec2").meta.region_name, REGION)

address = urlsplit(client("ec2").meta.endpoint_url)
expect.equal("host", address.hostname, "127.0.0.1")
expect.equal("port", address.port, int(os.environ["HANDSON_ENDPOINT_PORT"]))
expect.equal("port of the state directory", int((STATE_DIR / "port").read_text()), address.port)
expect.equal("mode of the state directory", oct(STATE_DIR.stat().st_mode & 0o777), "0o700")
expect.finish()
