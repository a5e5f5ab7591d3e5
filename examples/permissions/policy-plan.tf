# For planning, and for refit-runner watch: reads only. AWS takes no resource for most of these.

data "aws_iam_policy_document" "refit_plan" {
  statement {
    sid       = "Look"
    resources = ["*"]
    actions = [
      "arc-zonal-shift:ListZonalShifts", # only for groups that allow zonal shifts
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeInstanceRefreshes",
      "autoscaling:DescribeLifecycleHooks",
      "autoscaling:DescribePolicies",
      "autoscaling:DescribeScalingActivities",
      "autoscaling:DescribeScheduledActions",
      "autoscaling:DescribeWarmPool", # only for groups with a warm pool
      "cloudwatch:DescribeAlarms",    # only for health.alarms
      "ec2:DescribeImages",
      "ec2:DescribeInstanceStatus", # only for health.ec2_status
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:DescribeSnapshots", # only of images that are encrypted
      "ec2:DescribeSubnets",
      "elasticloadbalancing:DescribeInstanceHealth",         # only behind classic load balancers
      "elasticloadbalancing:DescribeLoadBalancerAttributes", # only behind Network Load Balancers, as the next but one
      "elasticloadbalancing:DescribeTargetGroupAttributes",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeTargetHealth",
      "servicequotas:GetServiceQuota",
    ]
  }

  # Only for images that are encrypted, and with copy.kms_key_id: what is wrong with the key, before anything is copied or
  # launched. A plan goes on without.
  statement {
    sid       = "Keys"
    resources = ["arn:aws:kms:*:*:key/*"]
    actions = [
      "kms:DescribeKey",
      "kms:ListGrants", # only of a key of another account
    ]
  }

  # Only for source.ssm_parameter and target.ssm_parameter: the channels that hold the id of an image, AWS's among them.
  statement {
    sid       = "ImageParameters"
    resources = ["arn:aws:ssm:*:${var.account}:parameter/golden/*", "arn:aws:ssm:*::parameter/aws/service/*"]
    actions   = ["ssm:GetParameter", "ssm:GetParameterHistory"]
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
