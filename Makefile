# Every target does all the set-up it needs. PYTHON: a CPython 3.10 to 3.13.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := $(shell find csrc -type f 2>/dev/null)
CXX_FILES := $(shell git ls-files '*.cpp' '*.cu' '*.h' 2>/dev/null)

.PHONY: install demo picture test bench bench-full results lint format gpu-kit clean

install: $(STAMP)

$(STAMP): pyproject.toml setup.py $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel ninja
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[test,bench,dev]'
	touch $@

demo: install
	$(BIN)/lfdeblur demo --out demo

# The README's picture.
picture: demo
	$(BIN)/python -c "import pyvips; pyvips.Image.new_from_file('demo/demo.png').jpegsave('docs/demo.jpg', Q=85, keep='none')"

test: install
	$(BIN)/python -m pytest -n 2 --dist loadgroup

bench: install
	$(BIN)/python -m benchmarks --json build/bench.json

bench-full: install
	$(BIN)/python -m benchmarks --full --json build/bench-full.json

# All that is committed of speed: results, their report and README's tables. On a quiet machine, eight minutes.
RESULTS := benchmarks/results
H200 := --name 'NVIDIA H200' --gb-s 4300 --gflop-s float32=67000 bfloat16=790000 float16=790000
results: install
	$(BIN)/python -m benchmarks --json $(RESULTS)/cpu.json
	$(BIN)/python -m benchmarks floors $(H200) --json $(RESULTS)/floors-h200.json
	$(BIN)/python -m benchmarks.gpu.kernel_facts --json $(RESULTS)/kernels.json
	$(BIN)/python -m benchmarks report $(RESULTS)/*.json --out docs/benchmarks
	$(BIN)/python -m benchmarks readme

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

# What travels to a machine with a GPU for benchmarks/gpu_visit.sh: the extension, built against the torch that is there,
# and the wheels that it may lack. GPU_PYTHON and GPU_TORCH: those of that machine.
GPU_PYTHON ?= python3.12
GPU_TORCH ?= torch==2.11.0
GPU_VENV := build/gpu_venv
KIT := build/gpu_kit
KIT_WHEELS := annotated-types cachetools cffi deflate psutil pycparser pydantic pydantic-core pyvips pyvips-binary
gpu-kit:
	test -x $(GPU_VENV)/bin/python || $(GPU_PYTHON) -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet $(GPU_TORCH) numpy setuptools wheel ninja
	TORCH_CUDA_ARCH_LIST=9.0 LFDEBLUR_CUDA=1 $(GPU_VENV)/bin/python setup.py -q build_ext --build-temp build/gpu_objects --build-lib $(KIT)
	$(GPU_VENV)/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(KIT)/wheels $(KIT_WHEELS)
	git describe --always --dirty=+ --abbrev=12 > $(KIT)/COMMIT

clean:
	rm -rf build dist demo *.egg-info lfdeblur_ops/_C*.so
