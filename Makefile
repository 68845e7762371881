# Everything runs from this folder with `.venv/bin/python -m ...`; the project itself is not installed.

PYTHONS ?= python3 python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin
# What takes minutes; `make test` has all other tests. Faults wait most of their time, two of them side by side.
FAULTS := tests/faults
ALONE := tests/upgrade tests/benchmarks
# A file of tests is run by one process; tests/conftest.py says by which, and how many `auto` are.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
PACKAGES := distillery kd_engine jobs api worker standalone benchmarks deploy

.PHONY: help demo serve test promises coverage check docs bench chaos compose-test lock sbom clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed  ## one real job, end to end, in under a minute; leaves the student in demo-output/
	@$(BIN)/python -m standalone demo

serve: .venv/.installed  ## the whole service on 127.0.0.1:8000 (KD_PORT), kept in ./var (KD_HOME), until Ctrl-C
	@exec $(BIN)/python -m distillery serve

test: check  ## check, then the tests, on all cores; PYTEST_ARGS="-k resume" for some of them
	$(BIN)/python -m pytest $(PARALLEL) $(addprefix --ignore=,$(FAULTS) $(ALONE)) $(PYTEST_ARGS)

promises: .venv/.installed  ## faults two at a time, then an upgrade and benchmarks, one after another: what takes minutes
	$(BIN)/python -m pytest -n 2 --dist worksteal $(FAULTS) $(PYTEST_ARGS)
	$(BIN)/python -m pytest $(ALONE) $(PYTEST_ARGS)

coverage: .venv/.installed  ## how many lines the tests reach that start no service; half as slow again as without
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not service" --cov --cov-report=term $(PYTEST_ARGS)

check: .venv/.installed  ## linter, formatter, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(PACKAGES)
	$(BIN)/lint-imports

docs: .venv/.installed  ## write what the docs take from the code: the table of settings
	$(BIN)/python -m docs.settings_table
	$(BIN)/python -m docs.document_tables

bench: .venv/.installed  ## the benchmarks, each as a ratio in one run
	$(BIN)/python -m benchmarks

compose-test: .venv/.installed  ## the compose file on the Docker engine of this machine: images, faults, a restart in the middle
	$(BIN)/python -m tests.compose $(COMPOSE_ARGS)

chaos: .venv/.installed  ## every fault in full, on both databases, and the soak; writes its table into docs/reliability.md
	$(BIN)/python -m tests.faults --write $(CHAOS_ARGS)

# The versions in requirements.lock are kept where pyproject.toml still allows them; to raise one, edit or delete its
# lines first. That of torch is in requirements-torch.lock, without a hash, and what only its CUDA builds need is left to
# torch: docs/decisions/032. The hashes are those of every file that the registry has, for all systems.
lock: .venv/.installed  ## write requirements.lock again after a change of the dependencies in pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --all-extras --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		--constraint requirements-torch.lock --output-file requirements.lock pyproject.toml
	@sed -E -e '/^#/d' -e '/^(torch==|triton==|cuda-|nvidia-)/,/[^\\]$$/d' requirements.lock > requirements.lock.new
	@{ echo '# All packages of every extra but torch, pinned, with hashes. Made from pyproject.toml by `make lock`.'; \
		cat requirements.lock.new; } > requirements.lock
	@rm requirements.lock.new

sbom: .venv/.installed  ## what this environment, and each image of IMAGES="NAME ..." on the Docker engine, is made of, in sbom/
	$(BIN)/python -m deploy.sbom $(IMAGES)

clean:  ## remove .venv, caches and demo-output; ./var, which holds jobs, stays
	rm -rf .venv demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.lock requirements-torch.lock
	@test -x $(BIN)/python || { \
		for python in $(PYTHONS); do \
			$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
			echo "making .venv with $$python"; \
			exec $$python -m venv .venv; \
		done; \
		echo "no Python 3.11 or newer with the venv module was found; tried: $(PYTHONS)." >&2; \
		echo "Install one (on Debian and Ubuntu: python3 and python3-venv), or name it: make PYTHONS=/path/to/python" >&2; \
		exit 1; }
	@echo "installing the packages of requirements.lock into .venv (once; a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-torch.lock
	@$(BIN)/python -m pip check
	@touch $@
