# As in the recommended stack, for a group with a mixed instances policy: the pointer is in the policy, and so is the path
# to ignore. Half of what is above one On-Demand member is Spot.

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
  source_version     = aws_launch_template.web.latest_version # your own edits travel in the same apply

  source = {
    owners  = ["self"]
    name    = "golden-web-*"
    filters = { architecture = ["x86_64"] }
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

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = 1
      on_demand_percentage_above_base_capacity = 50
      spot_allocation_strategy                 = "price-capacity-optimized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.web.id
        version            = refit_ami_refresh.web.launch_template_version # right from the first member on; moved by the roll afterwards
      }

      override {
        instance_type = "t3.micro"
      }

      override {
        instance_type = "t3.small"
      }
    }
  }

  tag {
    key                 = "Name"
    value               = "web"
    propagate_at_launch = true
  }

  lifecycle {
    ignore_changes = [
      desired_capacity,
      mixed_instances_policy[0].launch_template[0].launch_template_specification[0].version,
    ]
  }

  depends_on = [aws_lb_listener.web]
}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = aws_autoscaling_group.web.name
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id # lets the plan show image from → to and the forecast

  min_healthy_percentage = 100
  max_healthy_percentage = 150
  checkpoints            = [{ percentage = 20, bake = "2m" }]
  health                 = { load_balancer = true, min_healthy_time = "30s" }
  instance_timeout       = "10m"
  on_failure             = "rollback"
}
