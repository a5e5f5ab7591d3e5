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
