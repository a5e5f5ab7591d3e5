terraform {
  required_version = ">= 1.8"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

variable "region" {
  description = "AWS region of the stack."
  type        = string
  default     = "eu-west-2"
}

provider "aws" {
  region = var.region
}

provider "refit" {
  region = var.region
}
