# Evenkeel: everything a person or a pipeline runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet
# The lock files are complete, so pip resolves nothing: it takes exactly what they list, and nothing else.
INSTALL_LOCKED := $(PIP) install --no-deps --require-hashes

# Tests start the service many times: without compiled modules each start takes a second longer.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo serve test coverage check format bench evals thorough crash crash-all duplicates erp simulate screenshots lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Evenkeel needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL_LOCKED) -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	$(INSTALL_LOCKED) -r requirements-dev.lock
	@touch $@

demo: $(VENV)/installed ## the sample network, scanned and served on http://127.0.0.1:8000
	$(RUN) -m app demo

serve: $(VENV)/installed ## the service alone
	$(RUN) -m app serve

test: $(VENV)/installed-dev ## all tests, in parallel
	$(RUN) -m pytest -n 3 --dist worksteal

coverage: $(VENV)/installed-dev ## the branch coverage of tools/ and policies/ by their own tests
	$(RUN) -m pytest -n 2 --dist worksteal --cov --cov-report=term tests/tools tests/policies tests/graphs

check: $(VENV)/installed-dev ## ruff, mypy strict, import contracts, lock files without addresses, the rules of authorisation against their schema
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports --no-cache
	$(RUN) -m pytest -q --no-header tests/test_repository.py tests/app/auth/test_rules.py

format: $(VENV)/installed-dev ## let ruff format and repair what it can
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

bench: $(VENV)/installed-dev ## benchmarks: ours against a named alternative in the same run
	$(RUN) -m benchmarks

evals: $(VENV)/installed ## the eval gate: scenarios judged by the ledger
	$(RUN) -m evals --gate

thorough: $(VENV)/installed-dev ## every property with a thousand examples (an hour)
	EXAMPLES=1000 $(RUN) -m pytest -n 2 --dist worksteal --timeout 3600 tests

crash: $(VENV)/installed-dev ## kill the service at every single point between decision and close, with both ERPs (an hour)
	EVENKEEL_CRASH_EVERYWHERE=1 $(RUN) -m pytest -n 2 --dist worksteal --timeout 3600 tests/crash

crash-all: $(VENV)/installed-dev ## pairs of kills, 2,500 of them; goes on where it was stopped (hours)
	$(RUN) -W ignore -m tests.crash.pairs --pairs 2500 --seed 0 --lanes 2

duplicates: $(VENV)/installed-dev ## 10,000 deliveries of a handful of things, each of which has its one effect (minutes)
	EVENKEEL_DUPLICATES=10000 $(RUN) -m pytest -n 0 --timeout 3600 tests/app/test_duplicates.py

erp: $(VENV)/installed-dev ## 30 transfers in a real Tryton, which is killed 10 times, and the service 20 times (half an hour)
	EVENKEEL_ERP_LONG=1 $(RUN) -m pytest -n 0 --timeout 3600 tests/app/erp/test_tryton_kills.py

simulate: $(VENV)/installed-dev ## 200,000 seeds of the simulated world of execution (an hour)
	$(RUN) -W ignore -m evals.simulation --seeds 200000

screenshots: $(VENV)/installed-dev ## every page at three widths, light and dark, into build/screenshots, each looked at by axe (needs a Chromium)
	$(RUN) -W ignore -m tests.browser.screenshots

lock: ## resolve the pinned requirements again (needs uv)
	uv lock --quiet --upgrade
	uv export --quiet --frozen --no-annotate --no-emit-project --no-dev --group build --no-header --format requirements-txt -o requirements.lock
	uv export --quiet --frozen --no-annotate --no-emit-project --only-group dev --no-header --format requirements-txt -o requirements-dev.lock

clean: ## forget the environment and the demo's data
	rm -rf $(VENV) .evenkeel build
