# The group follows the template's newest version, so a new version is launched from as soon as it exists. Refit makes it
# inside the roll: the group is put on a number first, and on "$Latest" again when every member is current.
#
# The group's version is ignored: after an interrupted roll the group stays on that number until the roll goes on, and
# hashicorp/aws must not put it back on the new version, which nothing has proven.

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
    version = "$Latest"
  }

  lifecycle {
    ignore_changes = [desired_capacity, launch_template[0].version]
  }

  depends_on = [aws_lb_listener.web]
}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = aws_autoscaling_group.web.name
  launch_template_version = "$Latest"                      # together with image_id: a version with the image is made in the roll
  image_id                = refit_ami_refresh.web.image_id # what refit_ami_refresh has chosen

  min_healthy_percentage = 100
  max_healthy_percentage = 150
  health                 = { load_balancer = true, min_healthy_time = "30s" }
}
