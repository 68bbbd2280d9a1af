# Everything that a checkout needs, in virtual environments of its own. `make help` lists the targets.
#
# A stamp file in each environment remembers what was installed, so that it is only touched again when
# pyproject.toml or the constraints change. PYTHON=... chooses the interpreter.

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
VENV := .venv
RUN := $(VENV)/bin/python -m
TORCH := torch==2.13.0
EXTRAS_torchrl := ,benchmarl,skrl

# One thread each: the networks are small, and the default thread counts slow them down many times over.
export OMP_NUM_THREADS := 1
export PYTHONHASHSEED := 0
# Compiled once: the tests start hundreds of processes, and each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1

.PHONY: help train test test-plugins lint bench docs clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

train: $(VENV)/train.stamp  ## set up and run the main job: learn a mechanism for the public investment game
	$(RUN) lawgiver train public_investment

test: $(VENV)/dev.stamp  ## set up and run the tests
	$(RUN) pytest -n 2 --nbmake --ignore-glob='*/test_plugins_*' tests examples/quickstart.ipynb

test-plugins: $(VENV)/dev.stamp .venv-sb3/stamp .venv-torchrl/stamp .venv-pref_voting/stamp  ## test third parties' libraries
	$(RUN) pytest tests/test_plugins_ippo.py tests/test_plugins_open_spiel.py tests/test_plugins_open_spiel_voting.py \
		tests/test_plugins_rllib.py
	.venv-sb3/bin/python -m pytest --noconftest tests/test_plugins_sb3.py tests/test_plugins_sb3_vec.py
	.venv-torchrl/bin/python -m pytest --noconftest tests/test_plugins_torchrl.py
	.venv-pref_voting/bin/python -m pytest --noconftest tests/test_plugins_pref_voting.py

lint: $(VENV)/dev.stamp  ## ruff, mypy and the import rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/dev.stamp  ## measure the throughput of every view and trainer on this machine
	$(RUN) lawgiver bench

docs: $(VENV)/dev.stamp  ## write the generated pages, and build the documentation site into site/
	$(VENV)/bin/python docs/generate.py
	$(RUN) mkdocs build --quiet
	@echo "show it: $(RUN) http.server -d site"

clean:  ## remove the virtual environments and caches; runs/ stays
	rm -rf $(VENV) .venv-sb3 .venv-torchrl .venv-pref_voting .mypy_cache .ruff_cache .pytest_cache .hypothesis build site src/*.egg-info

.PRECIOUS: %/bin/python

# pip comes from outside, because some systems ship a venv module that cannot install it.
%/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "lawgiver needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	"$(PYTHON)" -m venv --without-pip $*
	"$(PYTHON)" -m pip --python $@ install --quiet -c constraints.txt pip setuptools

$(VENV)/train.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing lawgiver with RLlib into $(VENV): a few minutes, once."
	$(RUN) pip install --quiet -c constraints.txt -e '.[rllib,solve,plot,data]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing lawgiver for development into $(VENV): a few minutes, once."
	$(RUN) pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(VENV)/train.stamp $@

# Their dependencies clash with RLlib's, hence environments of their own. torch is named in the same command,
# because pip would otherwise replace it by another build.
.venv-%/stamp: pyproject.toml examples/constraints-%.txt | .venv-%/bin/python
	@echo "Installing lawgiver with $* into .venv-$*: a minute or two, once."
	.venv-$*/bin/python -m pip install --quiet -c examples/constraints-$*.txt $(TORCH) -e '.[$*$(EXTRAS_$*)]' pytest
	@touch $@

# pref_voting asks for an older nashpy and NumPy; it needs no torch.
.venv-pref_voting/stamp: pyproject.toml examples/constraints-pref_voting.txt | .venv-pref_voting/bin/python
	@echo "Installing lawgiver with pref_voting into .venv-pref_voting: half a minute, once."
	.venv-pref_voting/bin/python -m pip install --quiet -c examples/constraints-pref_voting.txt -e . pref_voting pytest
	@touch $@
