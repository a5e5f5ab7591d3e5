#!/usr/bin/env bash
# Runs Terraform or OpenTofu, whichever is at hand, with the arguments given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/terraform.sh
source tools/terraform.sh

terraform=$(terraform_path) || {
  terraform_missing
  exit 1
}
terraform_environment
exec "$terraform" "$@"
