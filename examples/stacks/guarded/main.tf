# The commonest stack there is: the group takes `latest_version`, and nothing of the group is ignored. Refit works with
# it, and plans stay empty after a roll and after a rollback. But an edit of the template makes hashicorp/aws move the
# group to the new version before Refit has tried it on a single member, so a scale-out in that moment runs it untested.
# Prefer examples/stacks/recommended.

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
    ignore_changes = [image_id] # without this, a rolled-back image would be put into the template again
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
  min_size                  = 4 # no desired_capacity: it is whatever scaling makes of it
  max_size                  = 8
  vpc_zone_identifier       = [for subnet in aws_subnet.web : subnet.id]
  target_group_arns         = [aws_lb_target_group.web.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 60

  launch_template {
    id      = aws_launch_template.web.id
    version = aws_launch_template.web.latest_version
  }

  depends_on = [aws_lb_listener.web]
}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = aws_autoscaling_group.web.name
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id

  min_healthy_percentage = 100
  max_healthy_percentage = 110
  health                 = { load_balancer = true, min_healthy_time = "30s" }
}
