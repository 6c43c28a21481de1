# Every target sets up what it needs in .venv, from the lock.
VENV := .venv
CACHE := $(CURDIR)/$(VENV)/cache
RUN := $(VENV)/bin

# An absent or read-only HOME must not matter.
export NUMBA_CACHE_DIR ?= $(CACHE)/numba
export MPLCONFIGDIR ?= $(CACHE)/matplotlib
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CACHE)/home
endif

STUDY := runs/quickstart

.PHONY: help search test test-all lint coverage wheel lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

search: $(VENV)/installed  ## the main job: co-search a network and its accelerator
	$(RUN)/nahas search --folder $(STUDY)

test: $(VENV)/installed  ## the tests, without the slow ones
	$(RUN)/python -m pytest --doctest-modules --pyargs nahas -q
	$(RUN)/python -m pytest -m "not slow" -q -rs --durations=10

test-all: $(VENV)/installed-dev  ## all tests, the slow ones too
	$(RUN)/python -m pytest --doctest-modules --pyargs nahas -q
	$(RUN)/python -m pytest -rs --durations=25

lint: $(VENV)/installed-dev  ## style, types and import rules
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

coverage: $(VENV)/installed  ## coverage of each folder by the tests
	$(RUN)/python -m pytest -m "not slow" -q --cov --cov-report=
	@for folder in accelerator search_space controller train; do \
		printf '%-14s' $$folder; $(RUN)/coverage report --include="$$folder/*,src/nahas/$$folder/*" | tail -1; done
	@printf '%-14s' nahas; $(RUN)/coverage report --include="src/nahas/*.py" | tail -1

wheel: $(VENV)/installed-dev  ## builds the wheel into dist/
	$(RUN)/python -m build --wheel --no-isolation

lock: $(VENV)/installed-dev  ## resolves the locks anew; needs uv on the PATH
	uv pip compile -q --universal --generate-hashes --no-strip-extras --no-header \
		--extra test pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-strip-extras --no-header \
		--all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock

$(VENV)/installed: pyproject.toml requirements.lock .ci/environment
	sh .ci/environment $(VENV) requirements.lock
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	sh .ci/environment $(VENV) requirements-dev.lock
	touch $@

clean:  ## removes what was built, not the studies
	rm -rf $(VENV) build dist src/*.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
