# Everything happens in .venv, which the first command that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests that a transport has a part in: they run on both, side by side, since much of them is waiting.
OVER_HTTP := $(patsubst %,tests/test_%.py,client conformance crowd daemon deadlines door edge feed follow following idempotency \
	issuer limits mcp hooks guard page_files recorded routes server strangers stream stream_turns token_command waiting)
# Those that look at the page with a browser, which waits much, too: they run after the ones above.
IN_BROWSER := $(patsubst %,tests/test_page%.py,_room _acts _faults _hostile _long _looks _timeline)
# Those of several daemons over PostgreSQL, beside the conformance matrix: they run after the browser's. And what of them
# runs once more on the system's server, where there is one.
OVER_POSTGRES := $(patsubst %,tests/test_%.py,conformance_postgres between_daemons failover log_clock moving postgres postgres_away recorded_postgres several_daemons storm)
# What takes minutes by itself, and runs beside the rest.
AT_LENGTH := $(patsubst %,tests/test_%.py,ledger_histories claim_histories)
ON_ITS_OWN := --postgres=system --storm=10 --failovers=1 $(filter-out %conformance_postgres.py %recorded_postgres.py %between_daemons.py,$(OVER_POSTGRES))

.PHONY: help run demo cluster test test-oldest check bench clean

help:
	@echo "make run     start a backbone on http://127.0.0.1:4317 and print how to use it"
	@echo "make demo    play the war-room story against a backbone; exit 0 if all of it happened"
	@echo "make cluster   start a PostgreSQL and two daemons over it, and play the story across both"
	@echo "make test    run every test, those over HTTP on both transports, with branch coverage"
	@echo "make test-oldest   run those of HTTP on the oldest Twisted that is allowed"
	@echo "make check   lint, format, types, import direction"
	@echo "make bench   measure the daemon against its plain path; takes about fifteen minutes"
	@echo "make clean   remove the environment and what the tools left"

run: $(VENV)/.installed
	@exec $(BIN)/python scripts/run.py

demo: $(VENV)/.installed
	@$(BIN)/python scripts/demo.py

cluster: $(VENV)/.installed-dev
	@$(BIN)/python -m scripts.cluster

test: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory $(VENV)/npm/.installed || echo "what is on npm could not be installed: its tests are skipped"
	@$(MAKE) --no-print-directory $(VENV)/.browser || echo "there is no Chromium: the tests of the page are skipped"
	@$(MAKE) --no-print-directory $(VENV)/.postgres || echo "there is no PostgreSQL of the system: only the wheel's is tested"
	@$(MAKE) --no-print-directory $(VENV)/harnesses/.installed || echo "the harnesses could not be installed: their tests are skipped"
	$(BIN)/coverage erase
	( $(BIN)/coverage run -m pytest --http=twisted $(OVER_HTTP); twisted=$$?; \
		$(BIN)/coverage run -m pytest $(IN_BROWSER); page=$$?; \
		$(BIN)/coverage run -m pytest $(OVER_POSTGRES) $(AT_LENGTH); postgres=$$?; \
		$(BIN)/coverage run -m pytest $(ON_ITS_OWN); exit $$((twisted + page + postgres + $$?)) ) > .beside.log 2>&1 & other=$$!; \
		$(BIN)/coverage run -m pytest $(patsubst %,--ignore=%,$(IN_BROWSER) $(OVER_POSTGRES) $(AT_LENGTH)); mine=$$?; \
		wait $$other; others=$$?; cat .beside.log; \
		exit $$((mine + others))
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# The oldest Twisted that pyproject.toml allows; the newest is the one that everything else runs on.
OLDEST := $(shell sed -n 's/^    "twisted>=\([0-9.]*\)",$$/\1/p' pyproject.toml | head -n 1)
ITS_TESTS := $(patsubst %,tests/test_%.py,client client_away deadlines edge feed follow leaving llhttp server strangers stream \
	stream_turns transports)

test-oldest: $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/oldest
	$(VENV)/oldest/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' 'twisted[tls]==$(OLDEST).*'
	$(VENV)/oldest/bin/python -m pytest -p no:cacheprovider $(ITS_TESTS)
	$(VENV)/oldest/bin/python -m pytest -p no:cacheprovider --http=twisted $(ITS_TESTS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_rooms.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Caucus needs Python 3.11 or later, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

# What speaks to the daemon in tests and is not Python; and the harnesses that agents live in, of more than a gigabyte.
$(VENV)/npm/.installed: tests/npm/package.json | $(VENV)/bin/python
	mkdir -p $(VENV)/npm && cp $< $(VENV)/npm/
	cd $(VENV)/npm && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

$(VENV)/harnesses/.installed: tests/harnesses/package.json | $(VENV)/bin/python
	mkdir -p $(VENV)/harnesses && cp $< $(VENV)/harnesses/
	cd $(VENV)/harnesses && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

# A browser for the tests of the page: the machine's own, or Debian's where that can be installed.
$(VENV)/.browser: | $(VENV)/bin/python
	@command -v chromium > /dev/null || command -v google-chrome > /dev/null || { apt-get update --quiet --quiet && \
		DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends \
		chromium fonts-dejavu-core > /dev/null; }
	@touch $@

# The system's PostgreSQL, beside the one that comes as a wheel.
$(VENV)/.postgres: | $(VENV)/bin/python
	@ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || { apt-get update --quiet --quiet && \
		DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends \
		postgresql > /dev/null; }
	@touch $@

bench: $(VENV)/.installed
	$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf $(VENV) dist build .beside.log .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
