# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CodeConnections, under both of its names; moto 5.2.5 has neither.

Connections are records: nobody shakes hands with GitHub here. One is AVAILABLE at once, so that a run goes on, except
where its name contains `pending`: it stays PENDING, as on AWS, until POST /handson/connections/<name>/approve, which
stands for the person in the console.
"""

import json
import re
import types
import uuid

from moto import backend_index, backends
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import JsonRESTError
from moto.core.responses import BaseResponse
from moto.moto_server import werkzeug_app

from embedded_endpoint.gaps.patching import replace

NAME = "codeconnections"
#: The older name, whose clients and ARNs AWS still serves
NAMES = (NAME, "codestar-connections")
PROVIDERS = ("Bitbucket", "GitHub", "GitHubEnterpriseServer", "GitLab", "GitLabSelfManaged", "AzureDevOps")
APPROVE = ("/handson/connections/", "/approve")
#: What PROVIDERS need a host for
HOSTED = ("GitHubEnterpriseServer", "GitLabSelfManaged")


def _refusal(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(code, message)


class CodeConnectionsBackend(BaseBackend):
    """The connections of one account and region, by ARN."""

    def __init__(self, region_name, account_id):
        super().__init__(region_name, account_id)
        self.connections = {}
        self.tags = {}

    @property
    def _url_module(self):  # moto looks for a module `urls` beside the backend's
        bases = [rf"https?://{name}\.(.+)\.amazonaws\.com" for name in NAMES]
        return types.SimpleNamespace(url_bases=bases, url_paths={"{0}/$": CodeConnectionsResponse.dispatch})

    def create(self, service, name, provider, host, tags):
        # What is too long never leaves botocore's other clients, but botocore itself checks only the least length.
        if not 1 <= len(name or "") <= 32:
            raise _refusal(
                "ValidationException",
                f"1 validation error detected: Value '{name}' at 'connectionName' failed to satisfy constraint: Member "
                "must have length less than or equal to 32",
            )
        if (provider is None) == (host is None) or provider not in (*PROVIDERS, None) or provider in HOSTED:
            raise _refusal("ValidationException", "Give either ProviderType or HostArn.")
        # "Connection names must be unique in an AWS account" (API reference); which error says so it does not tell.
        if any(c["ConnectionName"] == name for c in list(self.connections.values())):
            raise _refusal("ResourceAlreadyExistsException", f"A connection with the name {name} already exists.")
        arn = f"arn:{self.partition}:{service}:{self.region_name}:{self.account_id}:connection/{uuid.uuid4()}"
        connection = {
            "ConnectionName": name,
            "ConnectionArn": arn,
            "ProviderType": provider,
            "OwnerAccountId": self.account_id,
            "ConnectionStatus": "PENDING" if "pending" in name.lower() else "AVAILABLE",
        }
        self.connections[arn] = {**connection, **({"HostArn": host} if host else {})}
        self.tags[arn] = {t["Key"]: t["Value"] for t in tags}
        return arn

    def known(self, arn):
        if arn not in self.connections:
            raise _refusal("ResourceNotFoundException", f"Connection {arn} not found")
        return arn


class CodeConnectionsResponse(BaseResponse):
    """The operations, as X-Amz-Target names them."""

    def __init__(self):
        super().__init__(service_name=NAME)

    @property
    def _backend(self):
        return codeconnections_backends[self.current_account][self.region]

    def _tags(self, arn):
        return [{"Key": k, "Value": v} for k, v in self._backend.tags[arn].items()]

    def create_connection(self):
        # The credential scope names the service; a connection keeps the name it was made under in its ARN.
        scope = self.headers.get("Authorization", "")
        service = NAMES[1] if f"/{NAMES[1]}/" in scope else NAME
        arn = self._backend.create(
            service,
            self._get_param("ConnectionName"),
            self._get_param("ProviderType"),
            self._get_param("HostArn"),
            self._get_param("Tags") or [],
        )
        return json.dumps({"ConnectionArn": arn, "Tags": self._tags(arn)})

    def get_connection(self):
        return json.dumps({"Connection": self._backend.connections[self._backend.known(self._get_param("ConnectionArn"))]})

    def list_connections(self):
        provider, host = self._get_param("ProviderTypeFilter"), self._get_param("HostArnFilter")
        found = [
            c
            for c in list(self._backend.connections.values())
            if provider in (None, c["ProviderType"]) and host in (None, c.get("HostArn"))
        ]
        size, start = int(self._get_param("MaxResults") or 100), int(self._get_param("NextToken") or 0)
        page = {"Connections": found[start : start + size]}
        if found[start + size :]:
            page["NextToken"] = str(start + size)
        return json.dumps(page)

    def delete_connection(self):
        arn = self._backend.known(self._get_param("ConnectionArn"))
        del self._backend.connections[arn], self._backend.tags[arn]
        return "{}"

    def list_tags_for_resource(self):
        return json.dumps({"Tags": self._tags(self._backend.known(self._get_param("ResourceArn")))})

    def tag_resource(self):
        arn = self._backend.known(self._get_param("ResourceArn"))
        self._backend.tags[arn].update({t["Key"]: t["Value"] for t in self._get_param("Tags")})
        return "{}"

    def untag_resource(self):
        arn = self._backend.known(self._get_param("ResourceArn"))
        for key in self._get_param("TagKeys"):
            self._backend.tags[arn].pop(key, None)
        return "{}"


# botocore 1.44 lists no regions of this service; it is where CodePipeline is, near enough.
codeconnections_backends = BackendDict(
    CodeConnectionsBackend,
    NAME,
    use_boto3_regions=False,
    additional_regions=list(backends.get_backend("codepipeline")["123456789012"].regions),
)


def approve(name: str) -> int:
    """Make the pending connections of this name available, as a person does in the console. Returns their number."""
    approved = 0
    for account in codeconnections_backends.values():
        for backend in account.values():
            for connection in list(backend.connections.values()):
                if connection["ConnectionName"] == name:
                    connection["ConnectionStatus"] = "AVAILABLE"
                    approved += 1
    return approved


def _register() -> None:
    """Let moto's server find the service: by the host that a request's credential scope stands for."""
    for name in NAMES:
        pattern = re.compile(rf"https?://{name}\.(.+)\.amazonaws\.com")
        backend_index.backend_url_patterns.append((NAME, pattern))
    original = backends.get_backend
    backends.get_backend = lambda name: codeconnections_backends if name == NAME else original(name)


_register()


@replace(werkzeug_app.DomainDispatcherApplication, "__call__")
def _call(original, self, environ, start_response):
    path = environ.get("PATH_INFO", "")
    if not (path.startswith(APPROVE[0]) and path.endswith(APPROVE[1])):
        return original(self, environ, start_response)
    name = path.removeprefix(APPROVE[0]).removesuffix(APPROVE[1])
    if environ.get("REQUEST_METHOD") != "POST":
        status, answer = "405 Method Not Allowed", {"message": "POST approves the connection."}
    elif approve(name):
        status, answer = "200 OK", {"connection": name, "status": "AVAILABLE"}
    else:
        status, answer = "404 Not Found", {"message": f"The local endpoint has no connection named {name}."}
    body = json.dumps(answer).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
