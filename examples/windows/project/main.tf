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

variable "launch_template_id" {
  description = "Template of the production group, such as aws_launch_template.web.id."
  type        = string
}

# Holds image and version until the window opens.
resource "refit_ami_refresh" "web" {
  launch_template_id = var.launch_template_id
  source             = { owners = ["self"], name = "golden-web-*" }

  schedule    = refit_patch_schedule.web.name
  environment = "prod"
}

# Rolls the group inside the window, and nothing outside of it.
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id
  max_healthy_percentage  = 150

  schedule    = refit_patch_schedule.web.name
  environment = "prod"
}

output "tags" {
  description = "For the groups of production: tags = … of a module, or a dynamic \"tag\" block with asg_tag_blocks."
  value       = refit_patch_schedule.web.asg_tags["prod"]
}
