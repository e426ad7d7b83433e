# kubepy: `make up` makes a cluster of this machine; `make help` tells the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

VENV := .venv
PYTHON ?= $(shell for p in /usr/bin/python3.1{1,2,3,4} /usr/bin/python3 python3; do command -v $$p && break; done)
BIN := $(CURDIR)/$(VENV)/bin
RUN := env PATH="$(BIN):$$PATH"
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
PLAY := $(RUN) ansible-playbook
PYTEST ?= $(BIN)/python -m pytest

.PHONY: help up down sandbox sandbox-down venv deps lint test clean

help: ## tell what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

up: $(VENV)/.controller ## make this machine a cluster: control plane, etcd and node
	@echo "Making this machine a cluster; the first time takes a few minutes."
	$(PLAY) site.yml

down: $(VENV)/.controller ## take everything off this machine that `make up` made
	@$(PLAY) playbooks/reset.yml

sandbox: $(VENV)/.controller deps ## the same on three machines in Docker, over SSH
	@$(PLAY) playbooks/sandbox.yml
	$(PLAY) -i inventory/sandbox site.yml

sandbox-down: $(VENV)/.controller ## remove those machines
	@$(PLAY) playbooks/sandbox.yml -e sandbox_state=absent

venv: $(VENV)/.all ## make .venv with all that development and tests need

deps: $(VENV)/.controller ## install and start what tests and the sandbox need: Docker, etcd's programs, image tools
	@$(PLAY) playbooks/deps.yml

lint: $(VENV)/.all ## ruff, mypy, the layers, ansible-lint
	@$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(RUN) ansible-lint --offline -q

test: $(VENV)/.all deps ## all tests: unit, contract, API, roles, one whole cluster
	@$(PYTEST)

clean: ## remove .venv and what tests leave here
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .ansible

# The environment. Markers, not folders: a broken installation is repeated.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Installing python3-venv"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.controller: requirements/all.lock pyproject.toml | $(VENV)/bin/python
	@test -e $(VENV)/.all && test ! requirements/all.lock -nt $(VENV)/.all && { touch $@; exit 0; }
	echo "Installing Ansible and kubepy's command in $(VENV)"
	$(PIP) install --constraint requirements/all.lock setuptools wheel
	$(PIP) install --constraint requirements/all.lock --no-build-isolation --editable '.[controller]'
	touch $@

$(VENV)/.all: requirements/all.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing all that development and tests need in $(VENV)"
	$(PIP) install --requirement requirements/all.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@
