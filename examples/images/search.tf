# The highest version of what the build account shares, once it is three days old.
resource "refit_ami_refresh" "search" {
  launch_template_id = aws_launch_template.web["search"].id

  source = {
    owners  = ["222222222222"]
    name    = "golden-web-*"
    sort    = { by = "version", pattern = "-v([0-9]+)\\.([0-9]+)\\.([0-9]+)$" }
    min_age = "3d"
    max_age = "90d"
    exclude = ["golden-web-*-rc*"]
  }
}
