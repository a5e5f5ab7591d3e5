# Microsoft publishes on the second Tuesday of the month. Development follows on the day after, production three days
# later, in the night to Saturday.

resource "refit_patch_schedule" "windows" {
  name     = "windows-servers"
  timezone = "America/New_York"
  defaults = { duration = "5h", cutoff = "1h" }

  environments = {
    dev  = { day = "2nd tue +1d", time = "20:00" }
    prod = { day = "2nd tue +3d", time = "22:00" }
  }

  waves = [
    { environment = "dev", bake = "40h" },
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

  schedule    = refit_patch_schedule.windows.name
  environment = "prod"
}

# Rolls the group inside the window, and nothing outside of it.
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id
  max_healthy_percentage  = 150

  schedule    = refit_patch_schedule.windows.name
  environment = "prod"
}

output "next" {
  description = "The next three windows of production."
  value       = provider::refit::next_windows("2nd tue +3d", "22:00", "America/New_York", "5h", plantimestamp(), 3)
}
