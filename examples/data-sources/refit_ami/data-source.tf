# The image that a new launch template starts with.
data "refit_ami" "first" {
  instance_type = "t3.micro"

  source = {
    owners  = ["self"]
    name    = "golden-web-*"
    min_age = "3d"
  }
}

# What a launch template has, and what there is for it.
data "refit_ami" "web" {
  launch_template_id = "lt-0123456789abcdef0"

  source = {
    owners = ["self"]
    name   = "golden-web-*"
  }
}

output "patch_facts" {
  value = {
    image            = data.refit_ami.web.in_use.image_name
    age_days         = data.refit_ami.web.in_use.age_days
    superseded_since = data.refit_ami.web.in_use.superseded_since
    commit           = lookup(data.refit_ami.web.in_use.tags, "Commit", null)
  }
}
