# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `naming` derives."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

DEFAULTS = str(Path(__file__).resolve().parents[2] / "roles/naming/defaults/main.yml")


@pytest.mark.parametrize(
    ("region", "partition", "uri"),
    [
        ("ap-southeast-1", "aws", "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/vets"),
        ("cn-north-1", "aws-cn", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/vets"),
        ("us-gov-west-1", "aws-us-gov", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/vets"),
    ],
)
def test_the_partition_of_a_region(region, partition, uri):
    loader = DataLoader()
    values = loader.load_from_file(DEFAULTS, trusted_as_template=True)
    given = {"aws_region": region, "aws_account_id": "123456789012", "inventory_hostname": "vets-service"}
    templar = Templar(loader, variables={**values, **given})
    assert templar.template(values["__naming_partition"]) == partition
    assert templar.template(values["registry_uri"]) == uri
