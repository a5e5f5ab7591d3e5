# In place of the statements "JournalRead" and "JournalWrite", for a journal in a bucket. Planning needs no PutObject and
# no DeleteObject.

data "aws_iam_policy_document" "s3_journal" {
  statement {
    sid       = "Journal"
    resources = ["arn:aws:s3:::example-terraform-state/refit/*"]
    actions = [
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:PutObject",
    ]
  }

  statement {
    sid       = "JournalList"
    resources = ["arn:aws:s3:::example-terraform-state"]
    actions   = ["s3:ListBucket"]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["refit/*"]
    }
  }
}
