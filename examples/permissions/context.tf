# Not shown in the documentation: what the example refers to.
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "account" {
  description = "Number of the AWS account."
  type        = string
}
