package awssim_test

import (
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// classicStack is a group behind a classic load balancer, with an alarm.
const classicStack = `
terraform {
  required_providers {
    aws = { source = "registry.terraform.io/hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_ami" "base" {
  owners = ["self"]
  filter {
    name   = "name"
    values = ["golden-1"]
  }
}

resource "aws_launch_template" "api" {
  name          = "api"
  image_id      = data.aws_ami.base.id
  instance_type = "t3.micro"
}

resource "aws_elb" "api" {
  name                        = "api"
  subnets                     = data.aws_subnets.default.ids
  internal                    = true
  cross_zone_load_balancing   = CROSS
  connection_draining         = true
  connection_draining_timeout = 60
  idle_timeout                = 30
  listener {
    instance_port     = 80
    instance_protocol = "http"
    lb_port           = 80
    lb_protocol       = "http"
  }
  health_check {
    target              = "HTTP:80/healthz"
    healthy_threshold   = 2
    unhealthy_threshold = 2
    interval            = 10
    timeout             = 5
  }
  tags = { Team = "api" }
}

resource "aws_autoscaling_group" "api" {
  name                = "api"
  min_size            = 1
  max_size            = 4
  desired_capacity    = 2
  min_elb_capacity    = 2
  vpc_zone_identifier = data.aws_subnets.default.ids
  load_balancers      = [aws_elb.api.name]
  health_check_type   = "ELB"
  launch_template {
    id      = aws_launch_template.api.id
    version = aws_launch_template.api.latest_version
  }
}

resource "aws_cloudwatch_metric_alarm" "api" {
  alarm_name          = "api-5xx"
  namespace           = "AWS/ELB"
  metric_name         = "HTTPCode_Backend_5XX"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 2
  threshold           = 10
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  dimensions          = { LoadBalancerName = aws_elb.api.name }
  tags                = { Team = "api" }
}
`

func TestAccHashicorpAWS_classicLoadBalancerAndAlarm(t *testing.T) {
	t.Parallel()
	s := newAWSStack(t)
	s.world.AddImage(awssim.Image{Name: "golden-1"})
	first, second := strings.Replace(classicStack, "CROSS", "true", 1), strings.Replace(classicStack, "CROSS", "false", 1)
	s.write(first)
	s.run("init")
	s.converge(first)
	g, _ := s.world.Group("api")
	if g.Healthy() != 2 || g.Members[0].Targets["api"] != "healthy" {
		t.Errorf("group api: got %+v, want two members healthy in the load balancer", g)
	}
	if state, known := s.world.AlarmState("api-5xx"); state != "INSUFFICIENT_DATA" || !known {
		t.Errorf("alarm api-5xx: got %q, %t; want INSUFFICIENT_DATA", state, known)
	}
	s.converge(second)
	s.run("destroy", "-auto-approve")
	if _, known := s.world.AlarmState("api-5xx"); known || len(s.world.Groups()) != 0 {
		t.Errorf("after destroy: alarm is there: %t, groups %v; want nothing", known, s.world.Groups())
	}
}
