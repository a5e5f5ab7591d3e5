resource "refit_ami_refresh" "web" {
  launch_template_id = aws_launch_template.web.id
  source_version     = aws_launch_template.web.latest_version

  source = {
    owners  = ["self"]
    name    = "golden-web-*"
    filters = { architecture = ["x86_64"] }
  }
}
