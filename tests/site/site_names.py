# SPDX-License-Identifier: GPL-3.0-or-later
CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
