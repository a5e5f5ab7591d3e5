#!/usr/bin/env bash
# Puts the built provider into the folder that Terraform and OpenTofu search for local providers, so that a
# configuration with `source = "fleetrefit/refit"` installs it by a plain `init`; and refit-runner beside Go's programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${1:?usage: tools/install.sh VERSION}

platform=$(go env GOOS)_$(go env GOARCH)
for host in registry.terraform.io registry.opentofu.org; do
  folder=$HOME/.terraform.d/plugins/$host/fleetrefit/refit/$version/$platform
  mkdir -p "$folder"
  install -m 0755 bin/terraform-provider-refit "$folder/terraform-provider-refit_v$version"
  printf 'provider  %s\n' "$folder"
done

programs=$(go env GOBIN)
[[ -n $programs ]] || programs=$(go env GOPATH)/bin
mkdir -p "$programs"
install -m 0755 bin/refit-runner "$programs/refit-runner"
printf 'runner    %s\n' "$programs/refit-runner"
printf '\nRun "terraform init -upgrade" (or "tofu init -upgrade") in stacks that already locked another build.\n'
