package awssim_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// awsStack runs terraform with hashicorp/aws on a world of its own.
type awsStack struct {
	t     *testing.T
	world *awssim.World
	dir   string
	env   []string
}

// The stacks name the provider's registry, so that OpenTofu, whose own is
// another, finds it in the same mirror.

// newAWSStack serves a world that runs two hundred times as fast as the wall
// clock and makes terraform ready to use it.
func newAWSStack(t *testing.T) *awsStack {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: runs terraform for about two minutes")
	}
	tftest.Terraform(t)
	mirror := tftest.AWSMirror(t)
	w := awssim.New(awssim.Options{Speed: 200})
	t.Cleanup(w.Close)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	s := &awsStack{t: t, world: w, dir: t.TempDir(), env: []string{
		"TF_CLI_CONFIG_FILE=" + tftest.CLIConfig(t, mirror), "AWS_ENDPOINT_URL=" + server.URL,
		"AWS_ACCESS_KEY_ID=AKIAREFITSIMULATOR00", "AWS_SECRET_ACCESS_KEY=simulated", "AWS_REGION=" + w.Region(),
	}}
	if log := os.Getenv("REFIT_TEST_TF_LOG"); log != "" { // for whoever looks into a failure
		s.env = append(s.env, "TF_LOG=debug", "TF_LOG_PATH="+log)
	}
	return s
}

// write sets the stack's configuration.
func (s *awsStack) write(hcl string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "main.tf"), []byte(hcl), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs terraform and fails the test when it fails.
func (s *awsStack) run(args ...string) {
	s.t.Helper()
	if r := tftest.Run(s.t, s.dir, s.env, args...); r.Code != 0 {
		s.t.Fatalf("terraform %v: got exit code %d, want 0\n%s", args, r.Code, r.Output)
	}
}

// converge applies a configuration. The plan after it must be empty, which
// terraform tells by its exit code: 2 is a plan that changes something.
func (s *awsStack) converge(hcl string) {
	s.t.Helper()
	s.write(hcl)
	s.run("apply", "-auto-approve")
	s.run("plan", "-detailed-exitcode")
}

// exampleStack is the stack most teams have. The image and the description of
// the security group's rule are what the tests change.
const exampleStack = `
terraform {
  required_providers {
    aws = { source = "registry.terraform.io/hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_caller_identity" "me" {}

data "aws_availability_zones" "all" {
  state = "available"
}

data "aws_ami" "base" {
  owners      = ["self"]
  most_recent = true
  filter {
    name   = "name"
    values = ["golden-*"]
  }
}

resource "aws_vpc" "web" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "web" }
}

resource "aws_subnet" "web" {
  count                   = 3
  vpc_id                  = aws_vpc.web.id
  cidr_block              = cidrsubnet(aws_vpc.web.cidr_block, 8, count.index)
  availability_zone       = data.aws_availability_zones.all.names[count.index]
  map_public_ip_on_launch = true
  tags                    = { Name = "web-${count.index}" }
}

resource "aws_internet_gateway" "web" {
  vpc_id = aws_vpc.web.id
}

resource "aws_route_table" "web" {
  vpc_id = aws_vpc.web.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.web.id
  }
}

resource "aws_route_table_association" "web" {
  count          = 3
  subnet_id      = aws_subnet.web[count.index].id
  route_table_id = aws_route_table.web.id
}

resource "aws_security_group" "web" {
  name        = "web"
  description = "web servers"
  vpc_id      = aws_vpc.web.id
  ingress {
    description = "INGRESS"
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/16"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_launch_template" "web" {
  name                   = "web"
  image_id               = data.aws_ami.base.id
  instance_type          = "t3.micro"
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.web.id]
  user_data              = base64encode("#!/bin/sh\necho hello\n")
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 20
      volume_type = "gp3"
      encrypted   = true
    }
  }
  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }
  monitoring {
    enabled = true
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Team = "web" }
  }
  tags = { Team = "web" }
}

resource "aws_lb_target_group" "web" {
  name                 = "web"
  port                 = 80
  protocol             = "HTTP"
  vpc_id               = aws_vpc.web.id
  deregistration_delay = 30
  health_check {
    path                = "/healthz"
    healthy_threshold   = 2
    unhealthy_threshold = 2
    interval            = 10
  }
  tags = { Team = "web" }
}

resource "aws_lb" "web" {
  name            = "web"
  internal        = true
  security_groups = [aws_security_group.web.id]
  subnets         = aws_subnet.web[*].id
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_autoscaling_group" "web" {
  name                      = "web"
  min_size                  = 1
  max_size                  = 4
  desired_capacity          = 2
  min_elb_capacity          = 2
  vpc_zone_identifier       = aws_subnet.web[*].id
  target_group_arns         = [aws_lb_target_group.web.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 120
  termination_policies      = ["OldestInstance"]
  depends_on                = [aws_lb_listener.web]
  launch_template {
    id      = aws_launch_template.web.id
    version = aws_launch_template.web.latest_version
  }
  tag {
    key                 = "Name"
    value               = "web"
    propagate_at_launch = true
  }
  tag {
    key                 = "refit:schedule"
    value               = "team-web"
    propagate_at_launch = false
  }
}

output "account" {
  value = data.aws_caller_identity.me.account_id
}

output "group" {
  value = aws_autoscaling_group.web.name
}
`

// The real provider applies the example stack, finds nothing to do afterwards,
// updates it, finds nothing to do again, and destroys it.
func TestAccHashicorpAWS_exampleStack(t *testing.T) {
	t.Parallel()
	s := newAWSStack(t)
	first := s.world.AddImage(awssim.Image{Name: "golden-1"})
	s.write(exampleStack)
	s.run("init")
	s.converge(exampleStack)

	g, found := s.world.Group("web")
	if !found || g.Healthy() != 2 {
		t.Errorf("group web: got %+v, want two healthy members", g)
	}
	for _, m := range g.Members {
		if m.Image != first {
			t.Errorf("member %s: got image %s, want %s", m.ID, m.Image, first)
		}
	}

	s.world.AddImage(awssim.Image{Name: "golden-2"}) // made later, so it is the most recent one
	changed := regexp.MustCompile("INGRESS").ReplaceAllString(exampleStack, "from the network")
	changed = regexp.MustCompile("desired_capacity +=.*").ReplaceAllString(changed, "desired_capacity = 3")
	changed = regexp.MustCompile("interval +=.*").ReplaceAllString(changed, "interval = 15")
	s.converge(changed)
	if g, _ := s.world.Group("web"); g.Desired != 3 || g.Version != "2" {
		t.Errorf("group web after the update: got desired %d and version %s, want 3 and 2", g.Desired, g.Version)
	}

	s.run("destroy", "-auto-approve")
	if groups := s.world.Groups(); len(groups) != 0 {
		t.Errorf("groups after destroy: got %v, want none", groups)
	}
}

// widerStack touches what the example stack leaves out: the default network,
// rules on their own, a network load balancer, targets by address, and the
// data sources that stacks look things up with.
const widerStack = `
terraform {
  required_providers {
    aws = { source = "registry.terraform.io/hashicorp/aws" }
  }
}

provider "aws" {
  default_tags {
    tags = { Owner = "web" }
  }
}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_subnet" "one" {
  for_each = toset(data.aws_subnets.default.ids)
  id       = each.value
}

data "aws_security_group" "default" {
  name   = "default"
  vpc_id = data.aws_vpc.default.id
}

data "aws_ec2_instance_type" "small" {
  instance_type = "t4g.small"
}

data "aws_regions" "all" {}

resource "aws_security_group" "api" {
  name_prefix = "api-"
  vpc_id      = data.aws_vpc.default.id
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  security_group_id            = aws_security_group.api.id
  referenced_security_group_id = data.aws_security_group.default.id
  from_port                    = 443
  to_port                      = 443
  ip_protocol                  = "tcp"
  description                  = "from the rest"
}

resource "aws_vpc_security_group_egress_rule" "api" {
  security_group_id = aws_security_group.api.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_launch_template" "api" {
  name_prefix   = "api-"
  description   = "first"
  instance_type = "t4g.small"
  ebs_optimized = true
  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [aws_security_group.api.id]
  }
  credit_specification {
    cpu_credits = "standard"
  }
  tag_specifications {
    resource_type = "volume"
    tags          = { Team = "api" }
  }
}

data "aws_launch_template" "api" {
  id = aws_launch_template.api.id
}

resource "aws_lb_target_group" "api" {
  name                 = "api"
  port                 = 443
  protocol             = "TCP"
  target_type          = "ip"
  vpc_id               = data.aws_vpc.default.id
  deregistration_delay = 60
}

resource "aws_lb_target_group_attachment" "api" {
  target_group_arn = aws_lb_target_group.api.arn
  target_id        = cidrhost(values(data.aws_subnet.one)[0].cidr_block, 20)
}

resource "aws_lb" "api" {
  name               = "api"
  internal           = true
  load_balancer_type = "network"
  subnets            = data.aws_subnets.default.ids
}

resource "aws_lb_listener" "api" {
  load_balancer_arn = aws_lb.api.arn
  port              = 443
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

data "aws_lb" "api" {
  arn = aws_lb_listener.api.load_balancer_arn
}
`

// What stacks use beside the example's resources works as well.
func TestAccHashicorpAWS_widerStack(t *testing.T) {
	t.Parallel()
	s := newAWSStack(t)
	s.write(widerStack)
	s.run("init")
	s.converge(widerStack)
	s.converge(strings.ReplaceAll(widerStack, `"first"`, `"second"`))
	s.run("destroy", "-auto-approve")
}
