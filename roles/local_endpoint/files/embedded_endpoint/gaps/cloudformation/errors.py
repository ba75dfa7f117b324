# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's refusals (errors of a call) and failures (of a resource, told in events), in AWS's words."""

import uuid

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudformation.exceptions import CloudFormationError


class Failure(Exception):
    """A resource could not be made, changed or deleted; the text is the event's reason."""


def refused(code: str, message: str) -> CloudFormationError:
    """An error of the API by its code."""
    error = CloudFormationError(message)
    error.code = code
    return error


def invalid(message: str) -> CloudFormationError:
    """ValidationError, which CloudFormation uses for almost everything."""
    return refused("ValidationError", message)


# The first word of an API error code that fits, and the code of CloudFormation's handlers for it.
_HANDLER_CODES = (
    (("AlreadyExists", "Duplicate", "EntityAlreadyExists", "AlreadyAssociated"), "AlreadyExists"),
    (("NotFound", "NoSuchEntity"), "NotFound"),
    (("DependencyViolation", "ResourceInUse", "DeleteConflict", "ClusterContains", "OperationNotPermitted"),
     "ResourceConflict"),
    (("Invalid", "Validation", "Malformed", "Parameter", "Client"), "InvalidRequest"),
)  # fmt: skip


def reason(error: Exception, service: str = "") -> str:
    """Why a resource failed, as CloudFormation tells it in an event: the message of the service's API in its frame."""
    if isinstance(error, Failure):
        return str(error)
    if isinstance(error, CloudFormationError):
        return error.message
    token = uuid.uuid4()
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        handler = next((name for words, name in _HANDLER_CODES if any(word in code for word in words)), "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        text = f"{error.response['Error'].get('Message', '')} (Service: {service}, Status Code: {status}, "
        text += f"Request ID: {uuid.uuid4()})"
        return f'Resource handler returned message: "{text}" (RequestToken: {token}, HandlerErrorCode: ' + (
            f"{handler or 'GeneralServiceException'})"
        )
    if isinstance(error, NotImplementedError):
        return f"The local endpoint lacks an API that this resource needs ({error}). It is a gap of the emulator."
    if isinstance(error, BotoCoreError):
        return f'Resource handler returned message: "{error}" (RequestToken: {token}, HandlerErrorCode: InvalidRequest)'
    return f'Resource handler returned message: "{type(error).__name__}: {error}" (RequestToken: {token}, ' + (
        "HandlerErrorCode: InternalFailure)"
    )
