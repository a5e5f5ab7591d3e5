# What the group stands on; nothing here is special to Refit.

resource "aws_vpc" "web" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "web" {
  for_each = {
    a = "10.20.1.0/24"
    b = "10.20.2.0/24"
  }

  vpc_id            = aws_vpc.web.id
  availability_zone = "${var.region}${each.key}"
  cidr_block        = each.value
}

resource "aws_security_group" "web" {
  name        = "web"
  description = "Members of the web group"
  vpc_id      = aws_vpc.web.id
}

resource "aws_lb" "web" {
  name               = "web"
  internal           = true
  load_balancer_type = "network"
  subnets            = [for subnet in aws_subnet.web : subnet.id]
}

resource "aws_lb_target_group" "web" {
  name                 = "web"
  port                 = 80
  protocol             = "TCP"
  vpc_id               = aws_vpc.web.id
  deregistration_delay = 30
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}
