#!/usr/bin/env bash
# Writes docs/ from the provider's schemas and templates/, formats the examples, and copies the README's example from
# its file. Needs no network: the schemas come from the provider in this tree, installed from a throw-away mirror.
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

# tfplugindocs empties docs/guides before it writes; a page that was written there by hand would be lost.
for page in docs/guides/*.md; do
  name=${page##*/}
  [[ -e $page && ! -e templates/guides/$name && ! -e templates/guides/$name.tmpl ]] || continue
  printf '%s has no source. Move it to templates/guides/%s.tmpl, or delete it.\n' "$page" "$name" >&2
  exit 1
done

"$terraform" fmt -recursive examples

provider_mirror "$scratch"
mkdir "$scratch/schema"
cat >"$scratch/schema/main.tf" <<'HCL'
terraform {
  required_providers {
    refit = {
      source = "registry.terraform.io/fleetrefit/refit"
    }
  }
}
HCL
"$terraform" -chdir="$scratch/schema" init -no-color >"$scratch/init.log" || {
  cat "$scratch/init.log"
  exit 1
}
# tfplugindocs looks its provider up under the hashicorp namespace only.
"$terraform" -chdir="$scratch/schema" providers schema -json |
  sed 's#registry.terraform.io/fleetrefit/refit#registry.terraform.io/hashicorp/refit#' >"$scratch/schema.json"

go tool -modfile=tools/go.mod tfplugindocs generate \
  --provider-name terraform-provider-refit \
  --rendered-provider-name Refit \
  --providers-schema "$scratch/schema.json" >"$scratch/docs.log" || {
  cat "$scratch/docs.log"
  exit 1
}

# The README shows the file that its marker names: `<!-- example FILE -->`, a fenced block, `<!-- end -->`.
awk '
  /^<!-- end -->$/ { showing = 0 }
  !showing { print }
  /^<!-- example [^ ]+ -->$/ {
    showing = 1
    print "```hcl"
    while ((getline line < $3) > 0) print line
    close($3)
    print "```"
  }
' README.md >"$scratch/README.md"
cmp -s README.md "$scratch/README.md" || cp "$scratch/README.md" README.md
