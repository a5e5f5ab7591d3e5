# For applying, to groups and templates that carry the tag refit = "yes". It includes the policy for planning.

data "aws_iam_policy_document" "refit" {
  source_policy_documents = [data.aws_iam_policy_document.refit_plan.json]

  # Rolling: members come and go, the pointer moves, AZRebalance pauses.
  statement {
    sid       = "Roll"
    resources = ["arn:aws:autoscaling:*:${var.account}:autoScalingGroup:*:autoScalingGroupName/*"]
    actions = [
      "autoscaling:CancelInstanceRefresh", # this, Rollback… and Start… only with engine = "instance_refresh"
      "autoscaling:LaunchInstances",
      "autoscaling:ResumeProcesses",
      "autoscaling:RollbackInstanceRefresh",
      "autoscaling:SetDesiredCapacity", # only where LaunchInstances is refused
      "autoscaling:StartInstanceRefresh",
      "autoscaling:SuspendProcesses",
      "autoscaling:TerminateInstanceInAutoScalingGroup",
      "autoscaling:UpdateAutoScalingGroup",
    ]

    condition {
      test     = "StringEquals"
      variable = "autoscaling:ResourceTag/refit"
      values   = ["yes"]
    }
  }

  # Versions: one for each new image, one for each rollback, withdrawn when it came out other than its source, deleted
  # by keep_versions; the default for groups on $Default and by set_default.
  statement {
    sid       = "Template"
    resources = ["arn:aws:ec2:*:${var.account}:launch-template/*"]
    actions = [
      "ec2:CreateLaunchTemplateVersion",
      "ec2:DeleteLaunchTemplateVersions",
      "ec2:ModifyLaunchTemplate",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/refit"
      values   = ["yes"]
    }
  }

  # Only for terminate_warm_instances. A group's tag is on its instances where it is propagated at launch.
  statement {
    sid       = "WarmPools"
    resources = ["arn:aws:ec2:*:${var.account}:instance/*"]
    actions   = ["ec2:TerminateInstances"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/refit"
      values   = ["yes"]
    }
  }

  # Only with copy: copying images to this region, and following how far copies are. ec2:CreateTags is below.
  statement {
    sid       = "Copy"
    resources = ["*"]
    actions = [
      "ec2:CopyImage",
      "ec2:DescribeImageReferences", # only with copy.keep
    ]
  }

  # Only with copy.keep: what AWS reads for the caller to find out whether a copy is in use.
  statement {
    sid       = "CopiesInUse"
    resources = ["*"]
    actions = [
      "ec2:DescribeLaunchTemplates",
      "imagebuilder:GetContainerRecipe",
      "imagebuilder:ListContainerRecipes",
      "imagebuilder:ListImageRecipes",
      "ssm:DescribeParameters",
      "ssm:GetParameters",
    ]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "aws:CalledVia"
      values   = ["ec2-images.amazonaws.com"]
    }
  }

  # Only with copy: deleting copies that AWS gave up, and old ones by copy.keep. Refit's copies have this tag.
  statement {
    sid       = "OldCopies"
    resources = ["arn:aws:ec2:*::image/*", "arn:aws:ec2:*::snapshot/*"]
    actions   = ["ec2:DeleteSnapshot", "ec2:DeregisterImage"]

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/refit:copy"
      values   = ["?*"]
    }
  }

  # AWS checks these against the caller when a group's template changes and when members are launched.
  statement {
    sid       = "Launch"
    resources = ["*"]
    actions = [
      "ec2:CreateFleet",
      "ec2:CreateTags",
      "ec2:RunInstances",
    ]
  }

  # Only if the template names an instance profile.
  statement {
    sid       = "InstanceProfile"
    resources = ["arn:aws:iam::${var.account}:role/web"]
    actions   = ["iam:PassRole"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }

  # Only for checks by a function.
  statement {
    sid       = "Check"
    resources = ["arn:aws:lambda:*:${var.account}:function:web-smoke"]
    actions   = ["lambda:InvokeFunction"]
  }

  # Only for target.ssm_parameter.
  statement {
    sid       = "MoveImageParameter"
    resources = ["arn:aws:ssm:*:${var.account}:parameter/golden/*"]
    actions   = ["ssm:PutParameter"]
  }

  # Only with notify.
  statement {
    sid       = "TellTopic"
    resources = ["arn:aws:sns:*:${var.account}:images"]
    actions   = ["sns:Publish"]
  }

  statement {
    sid       = "TellBus"
    resources = ["arn:aws:events:*:${var.account}:event-bus/*"]
    actions   = ["events:DescribeEventBus", "events:PutEvents"]
  }

  # The journal, in Parameter Store.
  statement {
    sid       = "JournalWrite"
    resources = ["arn:aws:ssm:*:${var.account}:parameter/refit", "arn:aws:ssm:*:${var.account}:parameter/refit/*"]
    actions = [
      "ssm:DeleteParameters",
      "ssm:PutParameter",
    ]
  }
}
