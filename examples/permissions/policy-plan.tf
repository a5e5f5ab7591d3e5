# For planning, and for refit-runner watch: reads only. AWS takes no resource for most of these.

data "aws_iam_policy_document" "refit_plan" {
  statement {
    sid       = "Look"
    resources = ["*"]
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeInstanceRefreshes",
      "autoscaling:DescribeScalingActivities",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "elasticloadbalancing:DescribeTargetHealth",
    ]
  }

  # The journal, in Parameter Store.
  statement {
    sid       = "JournalRead"
    resources = ["arn:aws:ssm:*:${var.account}:parameter/refit", "arn:aws:ssm:*:${var.account}:parameter/refit/*"]
    actions = [
      "ssm:GetParameter",
      "ssm:GetParametersByPath",
    ]
  }
}
