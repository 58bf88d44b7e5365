# Duokua: every target sets up first what it needs. `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN    := .venv/bin
LOCKS  := requirements.lock requirements-jdk.lock adapters/kafka/embedded/jars.lock pyproject.toml deploy/setup.sh
KEY    := $(shell { cat $(LOCKS); pwd; } | cksum | tr ' ' '-')
STAMP  := .venv/.set-up-$(KEY)-$(shell echo "$$DUOKUA_JAVA" | cksum | tr ' ' '-')
PEERS  := .venv-bench/.set-up-$(shell cksum < bench/requirements-bench.lock | tr ' ' '-')
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup unit test check format docs demo run simulate chaos soak bench bench-rules verify lock clean

help: ## these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## 安装一切 / environment, Java where there is none, Kafka's jars

$(STAMP):
	@sh deploy/setup.sh
	@find .venv -maxdepth 1 -name '.set-up-*' ! -name '.set-up-$(KEY)-*' -delete && touch $@

unit: setup ## 单元测试 / unit tests: no network, no broker
	$(PYTEST) tests/unit

test: setup ## 全部测试（真实 Kafka）/ all tests, on a real Kafka
	$(PYTEST)

check: setup ## 格式、类型、依赖方向 / format, lint, types, import contract, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m workflows.drawing | diff -q docs/states.md -  # stale? make docs
	$(BIN)/python -m router.operate.reference topics | diff -q docs/topics.md -
	$(BIN)/python -m router.operate.reference metrics | diff -q docs/metrics.md -
	$(BIN)/duokua catalog check

format: setup ## 整理格式 / format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## 重新生成文档 / draw the generated pages anew
	$(BIN)/python -m workflows.drawing > docs/states.md
	$(BIN)/python -m router.operate.reference topics > docs/topics.md
	$(BIN)/python -m router.operate.reference metrics > docs/metrics.md

demo: setup ## 演示 / a day on a real Kafka, and its ledger
	$(BIN)/duokua demo

run: setup ## 启动 Kafka 与全部角色 / Kafka and all roles, until Ctrl-C
	test -n "$$DUOKUA_BOOTSTRAP" || $(BIN)/duokua kafka status >/dev/null 2>&1 || $(BIN)/duokua kafka start
	$(BIN)/duokua topics apply
	$(BIN)/duokua catalog publish --to-begin --reason "make run"
	$(BIN)/duokua run all

simulate: setup ## 模拟 / the engine in virtual time, run after run: N= FROM=
	$(BIN)/python -m tests.simulation --n $(or $(N),1000) --from $(or $(FROM),0)

chaos: setup ## 混沌 / faults on a real Kafka, and the verdict: DURATION= SEED= BROKERS=
	$(BIN)/python -m tests.chaos --duration $(or $(DURATION),300) --brokers $(or $(BROKERS),1) $(if $(SEED),--seed $(SEED))

soak: setup ## 长跑 / twenty minutes of faults at half the rate, and how memory grows
	$(BIN)/python -m tests.chaos --soak $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED))

bench: setup $(PEERS) ## 性能 / figures, on this machine, next to peers in the same run
	$(BIN)/python -m bench

bench-rules: setup $(PEERS) ## 规则匹配 / rules beside event-ruler and zen-engine, in the same run
	$(BIN)/python -m bench.rules

verify: setup $(PEERS) ## 耗时的核对 / what takes long: locks read by pip anew, the bundled Java, all benches
	sh deploy/verify.sh

$(PEERS): bench/requirements-bench.lock
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements-bench.lock
	@rm -f .venv-bench/.set-up-* && touch $@

lock: ## 重新生成锁文件（需要 uv）/ make the lock files anew (needs uv)
	uv pip compile pyproject.toml --group dev --generate-hashes --universal --python-version 3.11 -o requirements.lock
	uv pip compile pyproject.toml -c requirements.lock --generate-hashes --universal --python-version 3.11 -o deploy/requirements-run.lock
	uv pip compile requirements-jdk.in --generate-hashes --universal --python-version 3.11 --no-annotate -o requirements-jdk.lock
	uv pip compile bench/requirements-bench.in --generate-hashes --universal --python-version 3.11 -o bench/requirements-bench.lock

clean: ## 删除环境与运行数据（不删下载缓存）/ environments and run-time data; downloads stay
	-$(BIN)/duokua kafka stop
	rm -rf .venv .venv-bench var .pytest_cache .mypy_cache .ruff_cache .hypothesis
