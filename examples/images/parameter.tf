# What the platform team has put into its channel.
resource "refit_ami_refresh" "channel" {
  launch_template_id = aws_launch_template.web["channel"].id

  source = {
    owners        = ["222222222222"]
    ssm_parameter = "/golden/web/stable"
  }
}

# Amazon Linux 2023, as soon as Amazon's own parameter names it.
resource "refit_ami_refresh" "amazon" {
  launch_template_id = aws_launch_template.web["amazon"].id

  source = {
    owners        = ["amazon"]
    ssm_parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
  }
}
