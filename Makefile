# Needs make and Python 3.11 or newer; everything else is installed into .venv.
#
#   make up                        start the whole system; Ctrl-C stops it
#   make up ARGS="--port 8123"     with options (see: .venv/bin/python manage.py up --help)
#   make test                      all tests but those of the next ones, in two processes; one file at once:
#                                  make test ARGS=tests/unit/test_docs.py
#   make slow                      the tests that wait for minutes, as CI runs them too
#   make ground                    the pool on hard ground: two releases side by side, fail-overs, clusters, poolers, frozen
#                                  servers, a long history; what make test and make slow have of these, in one command
#   make crms                      every sync command against its CRM's sandbox, on both warehouses,
#                                  with a table at the end (kept in test-results/crms.txt); WAREHOUSE_KIND=mariadb, or
#                                  duckdb: on that one alone
#   make delta, make duckdb, make mariadb   the load path's tests on such a warehouse; the last needs a server (TEST_MARIADB_URL)
#   make clients                   clients made by others (HubSpot's SDK, singer's tap, gspread, PyAthena, ...) read the sandbox,
#                                  from an environment of their own, .venv-clients; with a table
#   make dbt                       dbt-core reads the sources that manage_data writes, from an environment of its
#                                  own, .venv-dbt; needs a PostgreSQL server (TEST_POSTGRES_URL)
#   make crowd                     half an hour of all schedules against slow CRMs, in six minutes
#   make deployment                whole sites in production mode under load: every part restarted, a host lost, RabbitMQ,
#                                  an upgrade, a backup, two hosts under all schedules; README on a new Debian; as root,
#                                  in half an hour; one of them: ARGS="-k upgrade"
#   make machine                   random histories of every store, for ten minutes
#   make chaos                     real processes killed at random; SEED= TASKS= FAULTS= ARGS=
#   make histories SECONDS=60      sources that change while they are read: is nothing lost? SEED=
#   make fuzz SECONDS=60           random batches against a warehouse; SEED= WAREHOUSE= BATCHES=
#   make mutants SCOPE=pool        small faults in a copy of the code: do the tests notice? SEED= EACH=10
#   make sync-mutants AREA=paging  small faults in paging, deletions, watermark, converter: does verify_warehouse
#                                  notice the wrong table? SEED= EACH=10
#   make bench-sync                how fast syncs are, beside COPY, executemany, dlt and ingestr, with 10,000 to
#                                  1,000,000 rows, and the targets' table; ARGS="--rows N --only NAME"
#   make bench                     how fast all is, in half an hour: the pool beside raw Celery, RQ, procrastinate,
#                                  huey and dramatiq, then the syncs; shown in README
#   make bench-quick               the pool in one short round, in three minutes
#   make bench-pool                how fast tasks are submitted and run, beside raw Celery; ARGS="--rounds 1 --sqlite"
#   make check                     format, lint, types, imports, migrations, generated files
#   make requirements              compile the pins again, with their hashes (ARGS=--upgrade raises them)
#   make sbom                      what an installation consists of: var/sbom.json (CycloneDX), and docs/licenses.md
#   make clean                     remove .venv and caches; data (var/) and logs/ stay

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=

# The user's own packages and pip options must neither leak in nor be written to.
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
# The tests start hundreds of processes; without kept bytecode each compiles the project again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up test slow delta duckdb mariadb documents ground crms clients dbt crowd machine chaos fuzz histories mutants \
	sync-mutants bench bench-quick bench-pool bench-sync site check requirements clean
.DEFAULT_GOAL := up

up: $(VENV)/.runtime
	@exec $(PY) manage.py up $(ARGS)

# Files are shared out among so many processes; to start these takes longer than one file does.
TEST_WORKERS ?= 2
SHARED_OUT = $(if $(findstring .py,$(ARGS)),,-n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder)

test: $(VENV)/.development
	$(PY) -m pytest $(SHARED_OUT) $(ARGS)

slow: $(VENV)/.development
	$(PY) -m pytest -m "slow and not delta and not duckdb and not mariadb" $(SHARED_OUT) $(ARGS)

delta: $(VENV)/.development
	$(PY) -m pytest -m delta tests/integration tests/crms $(SHARED_OUT) $(ARGS)

duckdb: $(VENV)/.development
	$(PY) -m pytest -m duckdb tests/integration $(SHARED_OUT) $(ARGS)

mariadb: $(VENV)/.development
	$(PY) -m pytest -m mariadb tests/integration $(SHARED_OUT) $(ARGS)

GROUND := tests/unit/schedules/test_clock_changes.py tests/e2e/test_slow_clients.py \
	$(addprefix tests/integration/test_,$(addsuffix .py, \
	celery_pools database_errors ledger_clock long_history long_life older_release one_key_lost outages redis_cluster \
	redis_load redis_sentinel rolling_update time_bounds transaction_pooling two_installations worker_shutdown))

ground: $(VENV)/.development
	LONG_HISTORY_ROWS=1000000 $(PY) -m pytest -m "not crms and not crowd" -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(GROUND) $(ARGS)

crms: $(VENV)/.development
	$(PY) -m pytest -m "crms and $(or $(WAREHOUSE_KIND),not delta and not duckdb and not mariadb)" tests/crms -n $(TEST_WORKERS) $(ARGS)

CLIENTS := .venv-clients

documents: $(VENV)/.development
	$(PY) -m pytest -m documents tests/documents $(ARGS)

clients: $(VENV)/.development $(CLIENTS)/.installed
	@DJANGO_SETTINGS_MODULE=tests.settings $(PY) -m tests.clients --python $(CLIENTS)/bin/python $(ARGS)

# One that cannot be installed is named in the table. Beside what singer's tap asks for nothing else can be installed.
$(CLIENTS)/.installed: tests/clients/requirements.txt tests/clients/singer.txt $(VENV)/.development
	$(PY) -m uv venv --quiet --clear --python $(PY) $(CLIENTS)
	$(PY) -m uv pip install --quiet --python $(CLIENTS)/bin/python --requirements $< || \
		for name in $$(cat tests/clients/requirements.in); do \
			$(PY) -m uv pip install --quiet --python $(CLIENTS)/bin/python $$name --constraints $< || true; \
		done
	$(PY) -m uv venv --quiet --clear --python $(PY) $(CLIENTS)/singer
	$(PY) -m uv pip install --quiet --python $(CLIENTS)/singer/bin/python --requirement tests/clients/singer.txt || true
	@touch $@

DBT := .venv-dbt

dbt: $(VENV)/.development $(DBT)/bin/dbt
	DBT=$(CURDIR)/$(DBT)/bin/dbt $(PY) -m pytest -m slow tests/integration/test_dbt.py $(ARGS)

# From 1.12 on its parser is downloaded from GitHub while it is installed.
$(DBT)/bin/dbt: $(VENV)/.development
	$(PY) -m uv venv --quiet --clear --python $(PY) $(DBT)
	$(PY) -m uv pip install --quiet --python $(DBT)/bin/python "dbt-core>=1.10,<1.12" dbt-postgres

crowd: $(VENV)/.development
	$(PY) -m pytest -m crowd tests/e2e $(ARGS)

.PHONY: deployment
deployment: $(VENV)/.development
	$(PY) -m pytest -m deployment tests/deployment $(ARGS)

MACHINE_SECONDS ?= 600

machine: $(VENV)/.development
	MACHINE_SECONDS=$(MACHINE_SECONDS) $(PY) -m pytest tests/contract/test_store_stateful.py $(ARGS)

chaos: $(VENV)/.development
	@$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(TASKS),--tasks $(TASKS)) \
		$(if $(FAULTS),--faults $(FAULTS)) $(ARGS)

SECONDS ?= 60
WAREHOUSE ?= sqlite:////tmp/fuzz.sqlite3

fuzz: $(VENV)/.development
	@$(PY) -m tests.load_fuzz $(WAREHOUSE) $(if $(BATCHES),--batches $(BATCHES),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED))

histories: $(VENV)/.development
	@DJANGO_SETTINGS_MODULE=tests.settings $(PY) -m tests.truth.histories --seconds $(SECONDS) \
		$(if $(SEED),--seed $(SEED)) $(ARGS)

SCOPE ?=
EACH ?= 10

mutants: $(VENV)/.development
	@$(PY) -m tests.mutants $(SCOPE) --each $(EACH) $(if $(SEED),--seed $(SEED)) $(ARGS)

AREA ?=

sync-mutants: $(VENV)/.development
	@$(PY) -m tests.mutants.syncs $(AREA) --each $(EACH) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench-pool: $(VENV)/.development
	@$(PY) -m benchmarks.pool $(ARGS)

# Both show what they have found in README, and keep it in benchmarks/results.json.
bench: $(VENV)/.development
	@$(PY) -m benchmarks.pool --peers --write "make bench" $(ARGS)
	@$(PY) -m benchmarks.sync --rows 10000 100000

bench-quick: $(VENV)/.development
	@$(PY) -m benchmarks.pool --quick --peers --write "make bench-quick" $(ARGS)

bench-sync: $(VENV)/.development
	@$(PY) -m benchmarks.sync $(ARGS)

# Material tells of its successor on every run.
site: $(VENV)/.development
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet

check: $(VENV)/.development
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy data_warehouse ingestion sandbox
	$(PY) -m mypy --strict ingestion/pool ingestion/services ingestion/sync sandbox
	$(VENV)/bin/lint-imports
	$(PY) -m tests.architecture --check
	$(PY) -m tests.words
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py makecommands --check
	$(PY) manage.py makedatasets --check
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet
	$(PY) -m deptry .
	$(PY) -m vulture
	$(PY) -m bandit --quiet --recursive --configfile pyproject.toml data_warehouse ingestion sandbox manage.py
	@echo "All checks passed."

# With hashes pip and uv install nothing but the very files that were there when the pins were compiled.
COMPILE = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" $(ARGS)

requirements: $(VENV)/.development
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) pyproject.toml --extra dev --constraints requirements.txt --output-file requirements-dev.txt
	$(COMPILE) tests/clients/requirements.in --output-file tests/clients/requirements.txt
	$(COMPILE) tests/clients/singer.in --output-file tests/clients/singer.txt

SBOM := .venv-sbom

.PHONY: sbom
sbom: $(VENV)/.development
	$(PY) -m uv venv --quiet --clear --python $(PY) $(SBOM)
	$(PY) -m uv pip install --quiet --python $(SBOM)/bin/python --requirement requirements.txt
	@mkdir -p var
	$(PY) -m uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py environment $(SBOM)/bin/python \
		--pyproject pyproject.toml --output-reproducible --output-file var/sbom.json
	@printf '%s\n\n' '# Licenses' 'The packages that an installation consists of, by `make sbom`; words are explained in the [glossary](glossary.md).' > docs/licenses.md
	$(PY) -m uv tool run --quiet --from pip-licenses==5.5.5 pip-licenses --python $(SBOM)/bin/python --with-system \
		--format markdown >> docs/licenses.md

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "This Python cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

# The stamps say which pins are installed, so that the second time costs nothing.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/pip
	$(PY) -m pip install --quiet --requirement $<
	@touch $@

$(VENV)/.development: requirements-dev.txt requirements.txt | $(VENV)/bin/pip
	$(PY) -m pip install --quiet --requirement $<
	@touch $(VENV)/.runtime $@

clean:
	@if $(PY) manage.py up --status >/dev/null 2>&1; then \
		echo "The system is running; stop it first (Ctrl-C)." >&2; exit 1; fi
	rm -rf $(VENV) $(CLIENTS) $(DBT) $(SBOM) static_collected .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
