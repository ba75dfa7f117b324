# Two commands: `make site` does the main job on the embedded endpoint, `make test` runs every test. `make` lists all.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
CONFIRM ?=
INVENTORY ?= inventories/local
# Several are laid over each other, the later one wins: INVENTORY='inventories/local inventories/fargate'.
PLAY = $(BIN)/ansible-playbook $(addprefix -i ,$(INVENTORY))
ENDPOINT = $(BIN)/python roles/local_endpoint/files/embedded_endpoint
# The endpoint with containers is another one, with a folder of its own; inventories/containers says the same path.
CONTAINERS_STATE = $(or $(HANDSON_STATE_DIR),$(CURDIR)/.handson)/containers
CONTAINERS = $(BIN)/python roles/local_endpoint/files/container_endpoint
# The embedded endpoint is nobody's account, so a profile that the shell exports is not for it.
ifeq ($(firstword $(INVENTORY)),inventories/local)
unexport AWS_PROFILE AWS_DEFAULT_PROFILE
endif
# Works where a venv was made with another layout of the shell's environment, too.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help site check teardown report test unit lint molecule bench env endpoint endpoint-stop clean
.PHONY: containers containers-down

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS='…' is passed on to ansible-playbook, pytest or the bench; INVENTORY=inventories/aws runs on a real account."

site: $(VENV)/.run ## from an empty account to a running service
	$(PLAY) site.yml $(ARGS)

check: $(VENV)/.run ## show what `make site` would change, and change nothing
	$(PLAY) site.yml --check --diff $(ARGS)

teardown: $(VENV)/.run ## take everything of ours away again; asks first, CONFIRM=true doesn't
	$(PLAY) teardown.yml $(if $(filter true,$(CONFIRM)),-e teardown_confirm=true) $(ARGS)

# Not another one: a teardown that does not ask is for these two only.
containers containers-down: override INVENTORY = inventories/local inventories/containers

containers: $(VENV)/.run ## as `make site`, with real containers in this machine's Docker
	$(PLAY) site.yml $(ARGS)

# What teardown.yml doesn't reach goes with the endpoint, so that is stopped in any case.
containers-down: $(VENV)/.run ## take them and all that belongs to them away again
	@status=0; $(PLAY) teardown.yml -e teardown_confirm=true $(ARGS) || status=$$?; \
	$(CONTAINERS) stop --state-dir '$(CONTAINERS_STATE)' || status=$$?; exit $$status

report: $(VENV)/.report ## draw what runs, its charts and its costs as an HTML page
	$(PLAY) playbooks/report.yml $(ARGS)

env: $(VENV)/.run ## print the exports that point any AWS client at the embedded endpoint
	@$(ENDPOINT) env

endpoint: $(VENV)/.run ## start the embedded endpoint (`make site` does that by itself)
	@$(ENDPOINT) start

endpoint-stop: $(VENV)/.run ## stop the embedded endpoint and forget what is in it
	@$(ENDPOINT) stop

test: $(VENV)/.dev ## run every test
	$(BIN)/python tests/run.py

unit: $(VENV)/.dev ## run the tests of functions and modules
	$(BIN)/pytest -n 2 $(ARGS)

molecule: $(VENV)/.dev ## run the Molecule scenarios
	$(BIN)/python tests/run.py molecule

lint: $(VENV)/.dev ## check style
	$(BIN)/python tests/run.py lint

bench: $(VENV)/.run ## measure first run, second run, check and teardown on a warm endpoint
	$(BIN)/python tests/bench.py $(ARGS)

clean: ## stop the endpoint, remove what was installed and made here (not the keys of a real account)
	@if [ -x $(BIN)/python ]; then $(ENDPOINT) stop; fi
	@if [ -x $(BIN)/python ] && [ -d '$(CONTAINERS_STATE)' ]; then $(CONTAINERS) stop --state-dir '$(CONTAINERS_STATE)'; fi
	rm -rf $(VENV) .ansible .pytest_cache .handson/endpoint.log .handson/requests.jsonl .handson/report.html .handson/rehearsal
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp, since a venv that was cut short has its python before its pip.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Say which: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# A stamp is newer than its requirements only after pip ended well, so a cut-short install is made good.
$(VENV)/.run: requirements.txt | $(VENV)/.made
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.report: requirements-report.txt requirements.txt | $(VENV)/.made
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-report.txt
	@touch $@ $(VENV)/.run

$(VENV)/.dev: requirements-dev.txt requirements-report.txt requirements.txt | $(VENV)/.made
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run $(VENV)/.report
