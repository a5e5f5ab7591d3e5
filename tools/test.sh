#!/usr/bin/env bash
# Runs the tests: `all` of them, or the `acceptance` tests whose names match an optional pattern. Acceptance tests run
# the real Terraform or OpenTofu against the simulator; where there is neither they are skipped, and this says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/terraform.sh
source tools/terraform.sh
what=${1:?usage: tools/test.sh all | acceptance [PATTERN]}

report=(go tool -modfile=tools/go.mod gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg)
[[ -z ${CI:-} ]] || report+=(--no-color)

if terraform=$(terraform_path); then
  terraform_environment
  export TF_ACC=1 TF_ACC_TERRAFORM_PATH=$terraform
  # The test framework names providers under Terraform's registry; OpenTofu resolves short names under its own.
  engine=$("$terraform" version)
  engine=${engine%%$'\n'*}
  [[ $engine != OpenTofu* ]] || export TF_ACC_PROVIDER_HOST=registry.opentofu.org
  printf 'Acceptance tests use %s (%s).\n' "$engine" "$terraform"
  if [[ -n ${REFIT_TEST_PROVIDER_MIRROR:-} ]]; then
    printf 'Stack tests use hashicorp/aws from %s.\n' "$REFIT_TEST_PROVIDER_MIRROR"
  else
    printf 'NOT RUN: stack tests need hashicorp/aws, which is not on this machine; they count as skipped.\n'
    printf '         Fetch it with "tools/mirror-aws.sh DIR" and set REFIT_TEST_PROVIDER_MIRROR=DIR.\n'
  fi
elif [[ $what == acceptance || -n ${TF_ACC_TERRAFORM_PATH:-} ]]; then
  terraform_missing
  exit 1
else
  unset TF_ACC
  terraform_missing
  printf '\nNOT RUN: the acceptance tests, for want of Terraform; they count as skipped below.\n\n' >&2
fi

case $what in
  all) exec "${report[@]}" -- -timeout 30m ./... ;;
  acceptance) exec "${report[@]}" --format testname -- -count=1 -timeout 30m -run "${2:-^TestAcc}" ./... ;;
  *)
    printf 'unknown: %s\n' "$what" >&2
    exit 2
    ;;
esac
