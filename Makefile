# Two commands do everything, on a machine that has only Python 3.10 to 3.13 and a C++ compiler:
#   make demo    set up, then draw, convert, index, match and measure; leaves build/demo/index.html
#   make test    set up, then the clean-install smoke, the linters and the tests

PYTHON ?= python3
VENV := .venv
HANDHELD := .venv-handheld
BUILD := build
BIN := $(VENV)/bin

# A wheel built with -march=native can die with SIGILL on another processor of the same family.
export HNSWLIB_NO_NATIVE := 1
# Two cores are what the tests and the demo are made for; more threads than that only wait.
export OMP_NUM_THREADS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PIP_INSTALL = -m pip install --quiet --constraint constraints.txt
PACKAGE_FILES = $(shell find edgeseg converters device_bench -type f -not -name '*.pyc')

.PHONY: help demo test lint verify verify-compression verify-match verify-sync verify-bench
.PHONY: verify-pages verify-scale camvid
.PHONY: smoke docs test-long test-pythons test-aarch64 test-armv7 test-runtimes test-constrained clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.convert-installed
	$(BIN)/python -m examples.demo --out $(BUILD)/demo

# What needs an sshd to bench a device through is skipped where there is none. Debian: apt-get install
# openssh-server
test: smoke lint $(VENV)/.dev-installed
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long"

# What takes minutes more: a bench cut off in every way, every scenario with every quality, training runs on several devices.
test-long: $(VENV)/.dev-installed
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every figure that the README promises, measured again; needs the photographs in ../shared/data.
verify: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify --record docs/figures.md

# What the presets' compression promises.
verify-compression: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify compression --record docs/figures.md

# What the match promises, against what a retailer has today.
verify-match: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify match --record docs/figures.md

# What catalogues promise on their way to scanners: bytes, opening, deltas, syncs cut short, attacks,
# a fleet. Debian: apt-get install zstd xdelta3 nginx-light
verify-sync: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify sync --record docs/figures.md

# What the bench and the runtime promise: that its figures are true, on a device from the desk, in a
# browser, on other processors. Debian: apt-get install openssh-server chromium
verify-bench: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify bench --record docs/figures.md

# What the pages promise, in a real browser. Debian: apt-get install chromium
verify-pages: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify pages --record docs/figures.md

# What builds beyond one machine promise, on a Ray cluster of node processes here; an hour, 24 GB.
verify-scale: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify scale --record docs/figures.md

# The Tiramisu paper's table, trained and measured: for a machine with a GPU. Where that has JAX or
# PyTorch and no TensorFlow: KERAS_BACKEND=jax python -m tests.verify.camvid
camvid: $(VENV)/.dev-installed
	$(BIN)/python -m tests.verify.camvid

# The wheel in a clean environment without any extra, as on a handheld.
smoke: $(HANDHELD)/.wheel-installed
	$(HANDHELD)/bin/python tests/handheld/smoke.py

# The page of every command's help; a test fails until it is current.
docs: $(VENV)/.dev-installed
	mkdir -p $(BUILD)
	$(BIN)/python -m tests.commands_page > $(BUILD)/commands.md
	mv $(BUILD)/commands.md docs/commands.md

# The tests under every supported Python that this machine has.
test-pythons:
	sh tests/handheld/every_python.sh

# The wheel on 64-bit ARM: an emulated Debian matches golden photos beside this machine, whose results it
# must give. Debian: apt-get install binutils debootstrap g++-aarch64-linux-gnu qemu-user-static. Run as
# root, which debootstrap needs; the first run takes a quarter of an hour and 1.5 GB.
test-aarch64: $(HANDHELD)/.wheel-installed
	$(HANDHELD)/bin/python -m tests.devices aarch64

# The same on 32-bit ARM, with NumPy and OpenCV of Debian. Debian: g++-arm-linux-gnueabihf beside.
test-armv7: $(HANDHELD)/.wheel-installed
	$(HANDHELD)/bin/python -m tests.devices armv7

# The wheel under every Python of this machine, with each runtime and NumPy that it can have.
test-runtimes: $(HANDHELD)/.wheel-installed
	$(HANDHELD)/bin/python -m tests.devices runtimes

# A match among 100,000 items with 512 MB and one core, and how it ends with less.
test-constrained: $(HANDHELD)/.wheel-installed
	$(HANDHELD)/bin/python -m tests.devices constrained

clean:
	rm -rf $(VENV) $(HANDHELD) $(BUILD) dist

# --- set-up: a stamp file for each installation, so that the second run does nothing ------------

define CHECK_MACHINE
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else "edgeseg needs Python 3.10 to 3.13 and $(PYTHON) is %d.%d; try: make $(MAKECMDGOALS) PYTHON=python3.12" % v)'
	@command -v c++ >/dev/null || command -v g++ >/dev/null || { echo "hnswlib is compiled on installation, and there is no C++ compiler; on Debian or Ubuntu: apt-get install g++ python3-dev" >&2; exit 1; }
endef

$(VENV)/.created:
	$(CHECK_MACHINE)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.convert-installed: $(VENV)/.created pyproject.toml constraints.txt
	$(BIN)/python $(PIP_INSTALL) --editable '.[convert]'
	touch $@

$(VENV)/.dev-installed: $(VENV)/.created pyproject.toml constraints.txt
	$(BIN)/python $(PIP_INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.convert-installed

$(HANDHELD)/.created:
	$(CHECK_MACHINE)
	$(PYTHON) -m venv $(HANDHELD)
	touch $@

# Built by pip in isolation, so that the smoke test needs nothing of the developer's environment.
$(BUILD)/wheel/.built: $(HANDHELD)/.created pyproject.toml README.md $(PACKAGE_FILES)
	rm -rf $(BUILD)/wheel
	$(HANDHELD)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(BUILD)/wheel .
	touch $@

$(HANDHELD)/.wheel-installed: $(HANDHELD)/.created $(BUILD)/wheel/.built constraints.txt
	$(HANDHELD)/bin/python $(PIP_INSTALL) --force-reinstall --no-deps $(BUILD)/wheel/*.whl
	$(HANDHELD)/bin/python $(PIP_INSTALL) $(BUILD)/wheel/*.whl
	touch $@
