# Not shown in the documentation: what the example refers to.
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

resource "aws_launch_template" "web" {
  name          = "web"
  image_id      = "ami-0123456789abcdef0"
  instance_type = "t3.micro"

  lifecycle {
    ignore_changes = [image_id]
  }
}

resource "refit_ami_refresh" "web" {
  launch_template_id = aws_launch_template.web.id
  source_version     = aws_launch_template.web.latest_version
  source             = { owners = ["self"], name = "golden-web-*" }
}

resource "aws_autoscaling_group" "web" {
  name                = "web"
  min_size            = 2
  max_size            = 8
  vpc_zone_identifier = ["subnet-0123456789abcdef0"]

  launch_template {
    id      = aws_launch_template.web.id
    version = refit_ami_refresh.web.launch_template_version
  }

  lifecycle {
    ignore_changes = [desired_capacity, launch_template[0].version]
  }
}
