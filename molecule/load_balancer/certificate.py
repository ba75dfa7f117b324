# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Makes the stand-in for a certificate `present` or `absent`. The endpoint doesn't read what is in it."""

import contextlib
import sys

import boto3

iam = boto3.client("iam")
with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException, iam.exceptions.NoSuchEntityException):
    if sys.argv[1] == "present":
        pem = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
        iam.upload_server_certificate(ServerCertificateName="molecule-tls", CertificateBody=pem, PrivateKey=pem)
    else:
        iam.delete_server_certificate(ServerCertificateName="molecule-tls")
