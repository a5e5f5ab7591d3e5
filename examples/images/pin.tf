# Back to the image of last month, until the driver is mended.
resource "refit_ami_refresh" "pinned" {
  launch_template_id = aws_launch_template.web["pinned"].id

  source = {
    owners = ["self"]
    name   = "golden-web-*"
  }

  pin = {
    image_id = "ami-0123456789abcdef0"
    reason   = "CASE-1234: the driver of golden-web-42 loses packets"
    until    = "2027-01-31T18:00:00Z"
  }
}
