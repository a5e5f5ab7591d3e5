terraform {
  required_providers {
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

provider "refit" {
  region = "eu-west-2"
}

# Finds the newest golden image and makes a launch template version of it.
resource "refit_ami_refresh" "web" {
  launch_template_id = "lt-0123456789abcdef0"

  source = {
    owners = ["self"]
    name   = "golden-web-*"
  }
}

# Replaces the members of the group that do not run it yet: a fifth of them first, then the rest, at most half as many
# again at a time, never fewer healthy ones than the group wants. Goes back by itself when new members fail.
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id

  min_healthy_percentage = 100
  max_healthy_percentage = 150
  checkpoints            = [{ percentage = 20, bake = "2m" }]
  health                 = { load_balancer = true, min_healthy_time = "30s" }
  on_failure             = "rollback"
}
