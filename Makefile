# Every target does all the set-up it needs. PYTHON: a CPython 3.10 to 3.13.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
CXX_FILES := $(shell git ls-files '*.cpp' '*.cu' '*.h' 2>/dev/null)
# Stamps of what pip installed, named by what was asked for: an edit of any other line of pyproject.toml leaves them valid.
ASKED := $(shell (echo '$(TORCH)'; sed -n '/^\[build-system\]/,/^\[tool/p' pyproject.toml) | cksum | cut -d' ' -f1)
DEPS := $(VENV)/.deps-$(ASKED)
DEV_DEPS := $(VENV)/.dev-deps-$(ASKED)
# CUDA kernels for this machine's GPUs. Where it has none they are left out, tests/kernels compiles them by itself;
# LFDEBLUR_CUDA=1 builds them there too, for one architecture.
GPUS := $(shell nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | grep -x '[0-9.]*' | sort -u | paste -sd';')
export LFDEBLUR_CUDA ?= $(if $(GPUS),,0)
export TORCH_CUDA_ARCH_LIST ?= $(or $(GPUS),8.0)

.PHONY: install build debug demo picture test test-web test-slow test-asan check-oldest hub-kernel docs docs-links sdist wheels check-dist check-wheels check-wheel release bench bench-full results lint format gpu-kit clean

install: build $(DEV_DEPS)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$@ -m pip install --quiet --upgrade pip

# The package in place, without its extension: `build` compiles that.
$(DEPS): | $(BIN)/python
	$(BIN)/python -m pip install $(TORCH) 'setuptools>=77' wheel ninja
	LFDEBLUR_EXTENSION=0 $(BIN)/python -m pip install --no-build-isolation --editable .
	touch $@

$(DEV_DEPS): | $(DEPS)
	LFDEBLUR_EXTENSION=0 $(BIN)/python -m pip install --no-build-isolation --editable '.[test,bench,dev,docs]'
	touch $@

# Compiles what has changed. LFDEBLUR_CUDA=0 leaves the CUDA kernels out.
build: $(DEPS)
	$(BIN)/python setup.py -q build_ext --inplace

# The extension with symbols and AddressSanitizer, in place of the fast one until the next `make build`.
debug: $(DEPS)
	LFDEBLUR_CUDA=0 $(BIN)/python setup.py -q build_ext --inplace --debug --build-temp build/debug --build-lib build/debug

demo: build
	$(BIN)/lfdeblur demo --out demo

# The README's picture.
picture: demo
	$(BIN)/python -c "import pyvips; pyvips.Image.new_from_file('demo/demo.png').jpegsave('docs/demo.jpg', Q=85, keep='none')"

PYTEST := $(BIN)/python -m pytest -n 2
test: install
	$(PYTEST) -m "not slow and not web"

# The page of `lfdeblur view` in Debian's Chromium, which is installed where that is allowed. Without one all are skipped.
test-web: install
	command -v chromium >/dev/null || (test "$$(id -u)" = 0 && apt-get update -q && apt-get install -y -q chromium) || true
	$(BIN)/python -m pytest -n 0 -m web tests/viewer

# What `make test` leaves out: the same checks on more kinds, moments and machines.
test-slow: install
	$(PYTEST) -m "slow and not web"

# Python was not compiled with AddressSanitizer: its runtime comes first, with the library whose exceptions it watches.
# Leaks are not looked for: Python's own would drown ours. -s: what it finds ends pytest, and what pytest had captured.
# Left out: the references and what compiles or registers an op, which run no kernel of ours that another test does not.
NO_KERNELS := [reference or -reference or compile or opcheck
test-asan: debug $(DEV_DEPS)
	LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libstdc++.so.6)" \
	  ASAN_OPTIONS=detect_leaks=0 $(BIN)/python -m pytest -s tests/ops -k 'not ($(NO_KERNELS))'

# The site, in build/docs/html; build/docs/executed keeps what its tutorials printed and drew. Nothing is fetched.
SITE := -m sphinx -W --keep-going -q -d build/docs/doctrees docs
docs: install
	$(BIN)/python $(SITE) build/docs/html -b html
	$(BIN)/python docs/_ext/built_links.py build/docs/html

# Links to other sites, which come and go without us: not in CI.
docs-links: docs
	$(BIN)/python $(SITE) build/docs/external -b linkcheck

bench: install
	$(BIN)/python -m benchmarks --json build/bench.json

bench-full: install
	$(BIN)/python -m benchmarks --full --json build/bench-full.json

# All that is committed of speed: results, their report and README's tables. On a quiet machine, eight minutes.
RESULTS := benchmarks/results
H200 := --name 'NVIDIA H200' --gb-s 4300 --gflop-s float32=67000 bfloat16=790000 float16=790000
results: install
	$(BIN)/python -m benchmarks --json $(RESULTS)/cpu.json
	$(BIN)/python -m benchmarks.users --json $(RESULTS)/users.json
	$(BIN)/python -m benchmarks floors $(H200) --json $(RESULTS)/floors-h200.json
	$(BIN)/python -m benchmarks.gpu.kernel_facts --json $(RESULTS)/kernels.json
	$(BIN)/python -m benchmarks report $(RESULTS)/*.json --out docs/benchmarks
	$(BIN)/python -m benchmarks readme
	$(BIN)/python -m benchmarks.users --page

lint: $(DEV_DEPS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	mkdir -p build/typing && ln -sfn ../../models build/typing/lfdeblur_models  # the name that mypy has to find it by
	ln -sfn ../../models/lfdeblur build/typing/lfdeblur
	PYTHONPATH=build/typing $(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV_DEPS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

# What travels to a machine with a GPU for benchmarks/gpu_visit.sh: the extension, built against the torch that is there,
# and the wheels that it may lack. GPU_PYTHON and GPU_TORCH: those of that machine.
GPU_PYTHON ?= python3.12
GPU_TORCH ?= torch==2.11.0
GPU_VENV := build/gpu_venv
KIT := build/gpu_kit
KIT_WHEELS := annotated-types cachetools cffi deflate psutil pycparser pydantic pydantic-core pyvips pyvips-binary typing-inspection
gpu-kit:
	test -x $(GPU_VENV)/bin/python || $(GPU_PYTHON) -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet $(GPU_TORCH) numpy setuptools wheel ninja
	TORCH_CUDA_ARCH_LIST=9.0 LFDEBLUR_CUDA=1 $(GPU_VENV)/bin/python setup.py -q build_ext --build-temp build/gpu_objects --build-lib $(KIT)
	$(GPU_VENV)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(KIT)/wheels $(KIT_WHEELS)
	git describe --always --dirty=+ --abbrev=12 > $(KIT)/COMMIT

# What is committed, built against the oldest torch that is supported, and the tests of the ops on it; in a folder of its
# own. OLDEST_VENV: an environment that is there already, with that torch.
OLDEST := build/oldest
OLDEST_VENV ?= $(OLDEST)/venv
check-oldest:
	rm -rf $(OLDEST)/source && mkdir -p $(OLDEST)/source
	git archive HEAD | tar -x -C $(OLDEST)/source
	test -x $(OLDEST_VENV)/bin/python || $(GPU_PYTHON) -m venv $(OLDEST_VENV)
	$(OLDEST_VENV)/bin/python -m pip install --quiet $(GPU_TORCH) 'setuptools>=77' wheel ninja
	cd $(OLDEST)/source && LFDEBLUR_CUDA=0 $(abspath $(OLDEST_VENV))/bin/python -m pip install --quiet --no-build-isolation -e '.[test]'
	cd $(OLDEST)/source && $(abspath $(OLDEST_VENV))/bin/python -m pytest -q -n 2 -m 'not slow' tests/ops tests/kernels/test_symbols.py

# The ops as Hugging Face's kernel-builder takes them, and all that can be checked of that without Nix: five minutes.
hub-kernel: install
	rm -rf build/hub_kernel
	$(BIN)/python csrc/huggingface/check.py build/hub_kernel --build

# Packages, into DIST (docs/installing.md).
DIST ?= dist
PYTHONS ?= 3.10 3.11 3.12 3.13
PACKAGING := $(BIN)/python csrc/packaging
WHEELS_DEPS := $(VENV)/.wheels-deps-$(ASKED)
$(WHEELS_DEPS): | $(DEPS)
	LFDEBLUR_EXTENSION=0 $(BIN)/python -m pip install --no-build-isolation --editable '.[wheels]'
	touch $@

sdist: $(WHEELS_DEPS)
	LFDEBLUR_EXTENSION=0 $(BIN)/python -m build --sdist --no-isolation --outdir $(DIST) .

# manylinux_2_28, with CUDA kernels for every GPU from Ampere on: 20 minutes of two cores the first time. MACHINE=aarch64
# cross-compiles: CPU kernels alone, in five minutes.
MACHINE ?= $(shell uname -m)
wheels: $(WHEELS_DEPS)
	LFDEBLUR_CUDA=1 TORCH_CUDA_ARCH_LIST='8.0;9.0;10.0+PTX' $(PACKAGING)/wheels.py --out $(DIST) --pythons $(PYTHONS) --machine $(MACHINE)

# Would an index take what is in DIST? And its checksums.
check-dist: $(WHEELS_DEPS)
	$(PACKAGING)/check_dist.py $(DIST)

# Each wheel in DIST, installed with each of TORCHES. CHECK: further options (check_wheels.py --help).
TORCHES ?= 2.11.0 2.13.0 newest
check-wheels: $(WHEELS_DEPS)
	$(PACKAGING)/check_wheels.py --wheels $(DIST) --pythons $(PYTHONS) --torches $(TORCHES) $(CHECK)

# What `make build` made, as a wheel, installed with this torch in a fresh environment: a minute.
check-wheel: build $(DEV_DEPS)
	rm -rf build/check_wheel
	$(BIN)/python setup.py -q build --build-lib build/check_wheel/lib bdist_wheel --bdist-dir build/check_wheel/tree --dist-dir build/check_wheel
	$(BIN)/check-wheel-contents build/check_wheel/*.whl
	$(PACKAGING)/check_wheels.py --few --wheels build/check_wheel --pythons here --torches $(patsubst torch==%,%,$(TORCH))

# VERSION=x.y.z; DRY_RUN=1 only tells the steps. Uploads nothing.
release: $(WHEELS_DEPS)
	$(PACKAGING)/release.py $(VERSION) --out $(abspath $(DIST)) $(if $(DRY_RUN),--dry-run)

clean:
	rm -rf build dist demo *.egg-info lfdeblur_ops/*.so
