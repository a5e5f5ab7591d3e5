# The template names a parameter in place of an image, and Refit moves the parameter to each new image. The roll brings
# the group's members to what the parameter holds.

resource "aws_launch_template" "web" {
  name                   = "web"
  image_id               = "resolve:ssm:/golden/web/stable"
  instance_type          = "t3.micro"
  vpc_security_group_ids = [aws_security_group.web.id]
}

resource "refit_ami_refresh" "web" {
  launch_template_id = aws_launch_template.web.id
  source_version     = aws_launch_template.web.latest_version # what fits is judged by it

  source = {
    owners  = ["self"]
    name    = "golden-web-*"
    filters = { architecture = ["x86_64"] }
  }

  target = { ssm_parameter = "/golden/web/stable" }
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
    version = refit_ami_refresh.web.launch_template_version # and so not before the parameter holds an image
  }

  tag {
    key                 = "Name"
    value               = "web"
    propagate_at_launch = true
  }

  lifecycle {
    ignore_changes = [desired_capacity, launch_template[0].version]
  }

  depends_on = [aws_lb_listener.web]
}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = aws_autoscaling_group.web.name
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id # needed: the version stays the same when the parameter moves

  min_healthy_percentage = 100
  max_healthy_percentage = 150
  checkpoints            = [{ percentage = 20, bake = "2m" }]
  health                 = { load_balancer = true, min_healthy_time = "30s" }
  instance_timeout       = "10m"
  on_failure             = "rollback"
}
