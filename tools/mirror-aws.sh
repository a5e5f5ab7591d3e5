#!/usr/bin/env bash
# Downloads hashicorp/aws into DIR, laid out so that REFIT_TEST_PROVIDER_MIRROR=DIR lets the stack tests and the examples use
# it. The one script here that needs the Internet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/terraform.sh
source tools/terraform.sh
dir=${1:?usage: tools/mirror-aws.sh DIR [VERSION]}
version=${2:-5.100.0}

terraform=$(terraform_path) || {
  terraform_missing
  exit 1
}
terraform_environment
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
cat >"$scratch/main.tf" <<HCL
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "$version"
    }
  }
}
HCL
"$terraform" -chdir="$scratch" providers mirror "$dir"
