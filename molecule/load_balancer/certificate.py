# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Makes the stand-in for a certificate `present` or `absent`. The endpoint doesn't read what is in it."""

import sys

import boto3

NAME, wanted = "molecule-tls", sys.argv[1] == "present"
iam = boto3.client("iam")
there = NAME in (c["ServerCertificateName"] for c in iam.list_server_certificates()["ServerCertificateMetadataList"])
if wanted and not there:
    pem = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
    iam.upload_server_certificate(ServerCertificateName=NAME, CertificateBody=pem, PrivateKey=pem)
elif there and not wanted:
    iam.delete_server_certificate(ServerCertificateName=NAME)
