# A project that takes the department's windows, but refreshes its sandbox on Monday morning, and gives production
# two hours more. What an override leaves out keeps the default.

module "config" {
  source = "../../modules/project-config"
}

locals {
  override = {
    sandbox = { day = "mon", time = "10:00" }
    prod    = { duration = "6h" }
  }

  windows = {
    for name, window in module.config.tags.refresh : name => merge(window, lookup(local.override, name, {}))
  }
}

resource "refit_patch_schedule" "web" {
  name         = "web"
  timezone     = module.config.timezone
  defaults     = module.config.defaults
  environments = local.windows

  waves = [
    { environment = "dev", bake = "18h" },
    { environment = "stage", bake = "18h", gate = "approval" },
    { environment = "prod" },
  ]
}

output "tags" {
  description = "For the groups of production: tags = … of a module, or a dynamic \"tag\" block with asg_tag_blocks."
  value       = refit_patch_schedule.web.asg_tags["prod"]
}
