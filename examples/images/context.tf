# Not shown in the documentation: what the examples refer to.
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
  for_each = toset(["search", "channel", "amazon", "pinned", "told", "copied"])

  name          = each.key
  image_id      = "ami-0123456789abcdef0"
  instance_type = "t3.micro"

  lifecycle {
    ignore_changes = [image_id]
  }
}
