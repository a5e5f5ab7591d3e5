# What the build account makes in Ireland, copied to this region and account, encrypted with a key of its own. The build
# account shares the images with this one, and their snapshots too.
resource "refit_ami_refresh" "copied" {
  launch_template_id = aws_launch_template.web["copied"].id
  keep_versions      = 5

  source = {
    owners = ["222222222222"]
    name   = "golden-web-*"
  }

  copy = {
    source_region = "eu-west-1"
    encrypted     = true
    kms_key_id    = "alias/golden-images"
    tags          = { Team = "web" }
    keep          = 3
  }
}
