# Everybody who subscribes to the topic, and every rule on the account's default bus, learns of each new version.
resource "refit_ami_refresh" "told" {
  launch_template_id = aws_launch_template.web["told"].id

  source = {
    owners = ["self"]
    name   = "golden-web-*"
  }

  notify = {
    sns_topic_arn  = aws_sns_topic.images.arn
    event_bus_name = "default"
  }
}

resource "aws_sns_topic" "images" {
  name = "images"
}

# A rule that starts something of yours for the templates of production.
resource "aws_cloudwatch_event_rule" "images" {
  name = "new-images-in-production"

  event_pattern = jsonencode({
    source        = ["refit"]
    "detail-type" = ["launch_template_version_made"]
    detail        = { environment = ["prod"] }
  })
}
