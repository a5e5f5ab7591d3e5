# The group follows the template's default version. During a roll Refit pins the group to a number; when every member
# is current it moves the default and gives the group its "$Default" back. A scale-out before that moment still
# launches the proven image.
#
# Leave `default_version` and `update_default_version` out of the template: either would move the default back, or
# forward before anything was proven.

data "aws_ami" "first" {
  owners      = ["self"]
  name_regex  = "^golden-web-"
  most_recent = true
}

resource "aws_launch_template" "web" {
  name                   = "web"
  image_id               = data.aws_ami.first.id # the first image; Refit's from then on
  instance_type          = "t3.micro"
  vpc_security_group_ids = [aws_security_group.web.id]

  lifecycle {
    ignore_changes = [image_id]
  }
}

resource "refit_ami_refresh" "web" {
  launch_template_id = aws_launch_template.web.id
  source_version     = aws_launch_template.web.latest_version

  source = {
    owners = ["self"]
    name   = "golden-web-*"
  }
}

resource "aws_autoscaling_group" "web" {
  name                      = "web"
  min_size                  = 2
  desired_capacity          = 4
  max_size                  = 8
  vpc_zone_identifier       = [for subnet in aws_subnet.web : subnet.id]
  target_group_arns         = [aws_lb_target_group.web.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 60

  launch_template {
    id      = aws_launch_template.web.id
    version = "$Default"
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }

  depends_on = [aws_lb_listener.web]
}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = aws_autoscaling_group.web.name
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id

  min_healthy_percentage = 90
  max_healthy_percentage = 100 # end first, then launch: for groups that cannot grow
  health                 = { load_balancer = true, min_healthy_time = "30s" }
}
