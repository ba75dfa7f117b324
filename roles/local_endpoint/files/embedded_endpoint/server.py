# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The server: moto's WSGI application behind our checks, status page and request log, with the gaps filled."""

import os
import signal
import sys

# Read by moto when its modules are loaded, so they must be set before: AWS's managed policies can only be attached
# if they exist. X-Ray's SDK, which moto's dependencies bring, must not look for a daemon.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ.setdefault("AWS_XRAY_SDK_ENABLED", "false")
for _variable in ("MOTO_ECS_SERVICE_RUNNING", "MOTO_ECS_SERVICE_FAILED_TASKS", "MOTO_ACCOUNT_ID"):
    os.environ.pop(_variable, None)  # they would contradict our scheduler, or the account id the inventory names
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"  # otherwise each answer tells browsers that any page may read it
# moto imports boto3; a caller's profile or endpoint must not reach it.
for _variable in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")] + ["AWS_PROFILE"]:
    os.environ.pop(_variable, None)
os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")

from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server  # noqa: E402

from embedded_endpoint import gaps  # noqa: E402
from embedded_endpoint.no_browsers import NoBrowsers  # noqa: E402
from embedded_endpoint.probe import HOST  # noqa: E402
from embedded_endpoint.request_log import RequestLog  # noqa: E402
from embedded_endpoint.state import StateDir  # noqa: E402
from embedded_endpoint.status_page import StatusPage  # noqa: E402
from embedded_endpoint.unsupported import Unsupported  # noqa: E402


class QuietHandler(MotoRequestHandler):
    """moto's request handler without werkzeug's access log: requests are in requests.jsonl, without their values."""

    def log_request(self, *args, **kwargs) -> None:
        """Log nothing."""


def serve(state: StateDir, port: int) -> None:
    """Serve on the loopback interface until SIGTERM or SIGINT. Raises OSError when the port is taken."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    gaps.install()
    application = Unsupported(DomainDispatcherApplication(create_backend_app))
    application = RequestLog(application, state.request_log)
    application = NoBrowsers(StatusPage(application, str(state.path), port))
    os.environ["MOTO_PORT"] = str(port)  # moto builds some of its own URLs with it
    make_server(HOST, port, application, threaded=True, request_handler=QuietHandler).serve_forever()
