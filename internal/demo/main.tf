terraform {
  required_providers {
    refit = {
      source = "registry.terraform.io/fleetrefit/refit"
    }
  }
}

variable "launch_template_id" {
  type = string
}

provider "refit" {
  region = "eu-west-2"
}

# Finds the newest golden image and makes a launch template version of it.
resource "refit_ami_refresh" "web" {
  launch_template_id = var.launch_template_id

  source = {
    owners = ["self"]
    name   = "golden-web-*"
  }
}

# Replaces the members of the group that do not run it yet.
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id

  min_healthy_percentage = 100
  max_healthy_percentage = 150
  checkpoints            = [{ percentage = 25, bake = "1m" }]
  health                 = { load_balancer = true, min_healthy_time = "30s" }
  instance_timeout       = "5m"
  on_failure             = "rollback"
}
