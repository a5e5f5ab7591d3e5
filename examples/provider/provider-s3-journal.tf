# For many rolls at once, and for several runners: the journal in a bucket.
provider "refit" {
  alias         = "ci"
  region        = "eu-west-2"
  journal       = { s3_bucket = "example-terraform-state", prefix = "refit/" }
  poll_interval = "10s"

  assume_role = {
    role_arn = "arn:aws:iam::111122223333:role/refit"
  }
}
