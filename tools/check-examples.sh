#!/usr/bin/env bash
# Checks everything in examples/: HCL is formatted, every configuration initialises and validates offline against the
# provider in this tree, and every scenario loads in the simulator. Configurations that need hashicorp/aws are skipped,
# loudly, where the machine does not have it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/terraform.sh
source tools/terraform.sh

terraform=$(terraform_path) || {
  terraform_missing
  exit 1
}
terraform_environment
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0 passed=0 skipped=0

result() { # result WORD NAME: prints and counts
  printf '  %-8s %s\n' "$1" "$2"
  case $1 in
    ok) passed=$((passed + 1)) ;;
    skipped) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
}

if "$terraform" fmt -check -diff -recursive examples >"$scratch/fmt.log" 2>&1; then
  result ok 'examples are formatted'
else
  cat "$scratch/fmt.log"
  result FAILED 'examples are formatted (make fmt)'
fi

provider_mirror "$scratch"
cp -R examples "$scratch/examples" # init writes beside the configuration
while IFS= read -r dir; do
  name=${dir#"$scratch/"}
  if [[ -z ${REFIT_TEST_PROVIDER_MIRROR:-} ]] && grep -qs 'hashicorp/aws' "$dir"/*.tf; then
    result skipped "$name: needs hashicorp/aws, which is not on this machine"
  elif "$terraform" -chdir="$dir" init -backend=false -no-color >"$scratch/log" 2>&1 &&
    "$terraform" -chdir="$dir" validate -no-color >"$scratch/log" 2>&1; then
    result ok "$name"
  else
    cat "$scratch/log"
    result FAILED "$name"
  fi
done < <(find "$scratch/examples" -name '*.tf' -exec dirname {} \; | sort -u)

# A scenario is fine when the simulator says that it listens.
go build -o "$scratch/refit-runner" ./runner/cmd/refit-runner
scenario_loads() {
  local simulator loaded=1 i
  : >"$scratch/log" # or the line of the scenario before would be taken for this one's
  "$scratch/refit-runner" sim --listen 127.0.0.1:0 --scenario "$1" >"$scratch/log" 2>&1 &
  simulator=$!
  for ((i = 0; i < 300; i++)); do
    if grep -q '^listening on ' "$scratch/log"; then
      loaded=0
      break
    fi
    kill -0 "$simulator" 2>/dev/null || break
    sleep 0.1
  done
  kill "$simulator" 2>/dev/null
  wait "$simulator" 2>/dev/null
  return "$loaded"
}
for scenario in examples/scenarios/*; do
  if scenario_loads "$scenario"; then
    result ok "$scenario"
  else
    cat "$scratch/log"
    result FAILED "$scenario"
  fi
done

printf '%d fine, %d skipped, %d wrong\n' "$passed" "$skipped" "$failed"
((failed == 0))
