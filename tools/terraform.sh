# shellcheck shell=bash
# Sourced by the scripts beside it. Finds Terraform or OpenTofu, and lays out a throw-away provider mirror, so that
# `init` installs the provider just built without a network and without development overrides.

# terraform_path prints the engine to use, or fails.
terraform_path() {
  if [[ -n ${TF_ACC_TERRAFORM_PATH:-} ]]; then
    [[ -x $TF_ACC_TERRAFORM_PATH ]] && printf '%s\n' "$TF_ACC_TERRAFORM_PATH"
    return
  fi
  command -v terraform || command -v tofu
}

# terraform_missing explains, on standard error, how to get one.
terraform_missing() {
  if [[ -n ${TF_ACC_TERRAFORM_PATH:-} ]]; then
    printf 'TF_ACC_TERRAFORM_PATH is "%s", which is not an executable file.\n' "$TF_ACC_TERRAFORM_PATH" >&2
  else
    printf 'Neither terraform nor tofu is on PATH.\n' >&2
  fi
  cat >&2 <<'TEXT'
Get one of them (one binary, nothing else to set up):
  Terraform  https://developer.hashicorp.com/terraform/install
  OpenTofu   https://opentofu.org/docs/intro/install
then put it on PATH, or point TF_ACC_TERRAFORM_PATH at it, and run the same command again.
TEXT
}

# terraform_environment keeps the engine from reading or writing anything of the person who runs this, and says in
# REFIT_TEST_PROVIDER_MIRROR where hashicorp/aws was found, if it was.
terraform_environment() {
  local aws
  if aws=$(aws_packages); then export REFIT_TEST_PROVIDER_MIRROR=${aws%/registry.*}; else unset REFIT_TEST_PROVIDER_MIRROR; fi
  export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0
  unset TF_LOG TF_WORKSPACE TF_DATA_DIR TF_PLUGIN_CACHE_DIR TF_REATTACH_PROVIDERS
  unset "${!TF_CLI_ARGS@}" "${!TF_VAR_@}"
  # A configuration file that is not there makes the engine print a warning with every command.
  if [[ -n ${TF_CLI_CONFIG_FILE:-} && ! -e $TF_CLI_CONFIG_FILE ]]; then unset TF_CLI_CONFIG_FILE; fi
}

# aws_packages prints the folder that holds the versions of hashicorp/aws on this machine, or fails. It looks in
# REFIT_TEST_PROVIDER_MIRROR, then where Terraform itself looks for local providers, then in the usual places for
# software that was unpacked by hand.
aws_packages() {
  local root found
  for root in "${REFIT_TEST_PROVIDER_MIRROR:-}" "${TF_PLUGIN_CACHE_DIR:-}" "$HOME/.terraform.d/plugins" \
    /usr/local/share /usr/share /usr/local/lib /opt /srv; do
    [[ -n $root && -d $root ]] || continue
    found=$(find -L "$root" -maxdepth 5 -type d -path '*/registry.*/hashicorp/aws' -print -quit 2>/dev/null)
    if [[ -n $found ]]; then
      printf '%s\n' "$found"
      return
    fi
  done
  return 1
}

# provider_mirror builds the provider into DIR/mirror, adds hashicorp/aws where the machine has it, and makes the
# engine install from there only.
provider_mirror() {
  local dir=$1 version=0.0.1 platform aws package archive
  platform=$(go env GOOS)_$(go env GOARCH)
  go build -o "$dir/package/terraform-provider-refit_v$version" .
  mirror_package "$dir" fleetrefit/refit "$version" "$platform" "$dir/package"
  if aws=$(aws_packages); then
    for package in "$aws"/*/"$platform"; do
      [[ -d $package ]] || continue
      mirror_package "$dir" hashicorp/aws "$(basename "$(dirname "$package")")" "$platform" "$package"
    done
    for archive in "$aws"/*_"$platform".zip; do # what `terraform providers mirror` writes
      [[ -f $archive ]] || continue
      mkdir -p "$dir"/mirror/registry.{terraform.io,opentofu.org}/hashicorp/aws
      ln -s "$archive" "$dir/mirror/registry.terraform.io/hashicorp/aws/"
      ln -s "$archive" "$dir/mirror/registry.opentofu.org/hashicorp/aws/"
    done
  fi
  printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$dir/mirror" >"$dir/terraform.rc"
  export TF_CLI_CONFIG_FILE=$dir/terraform.rc
}

# mirror_package links one unpacked provider under the host name of either engine's registry.
mirror_package() {
  local dir=$1 name=$2 version=$3 platform=$4 package=$5 host
  for host in registry.terraform.io registry.opentofu.org; do
    mkdir -p "$dir/mirror/$host/$name/$version"
    ln -s "$package" "$dir/mirror/$host/$name/$version/$platform"
  done
}
