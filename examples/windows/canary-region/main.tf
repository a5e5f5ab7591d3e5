# Production goes out in two steps of one window: first the groups of a small region, then, when they were good for an
# hour, all the others, not more than five at a time.

resource "refit_patch_schedule" "shop" {
  name         = "shop"
  timezone     = "UTC"
  environments = { prod = { day = "tue-thu", time = "02:00", duration = "5h" } }
  budget       = 5

  waves = [
    { environment = "prod", selector = { all = { Region = ["eu-west-3"] } }, bake = "1h" },
    { environment = "prod", selector = { none = { Region = ["eu-west-3"] } } },
  ]

  on_close = "finish_group"
  overrun  = "30m"
}

variable "launch_template_id" {
  description = "Template of the group in this region, such as aws_launch_template.web.id."
  type        = string
}

# Holds image and version until the window opens.
resource "refit_ami_refresh" "web" {
  launch_template_id = var.launch_template_id
  source             = { owners = ["self"], name = "golden-web-*" }

  schedule    = refit_patch_schedule.shop.name
  environment = "prod"
}

# Rolls the group inside the window, and nothing outside of it.
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id
  max_healthy_percentage  = 150

  schedule    = refit_patch_schedule.shop.name
  environment = "prod"
}
