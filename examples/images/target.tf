# The platform team's own channel: every launch template that names the parameter follows it.
resource "aws_launch_template" "follower" {
  name          = "follower"
  image_id      = "resolve:ssm:/golden/web/stable"
  instance_type = "t3.micro"
}

resource "refit_ami_refresh" "stable" {
  launch_template_id = aws_launch_template.follower.id

  source = {
    owners  = ["self"]
    name    = "golden-web-*"
    min_age = "7d"
  }

  target = { ssm_parameter = "/golden/web/stable" }
}
