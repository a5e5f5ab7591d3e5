package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// launchTemplate finds the id of the scenario's launch template, as a user
// would look it up.
func launchTemplate(ctx context.Context, url string) (string, error) {
	client := ec2.New(ec2.Options{
		Region: "eu-west-2", BaseEndpoint: aws.String(url),
		Credentials: credentials.NewStaticCredentialsProvider("demo", "demo", ""),
	})
	out, err := client.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"web"}})
	if err != nil {
		return "", err
	}
	if len(out.LaunchTemplates) == 0 {
		return "", errors.New("the scenario has no launch template")
	}
	return aws.ToString(out.LaunchTemplates[0].LaunchTemplateId), nil
}

// tail prints lines as they are appended to a file, until ctx ends, and then
// what is left.
func tail(ctx context.Context, path string) {
	f, err := os.Open(path) //nolint:gosec // the demo's own file
	if err != nil {
		fmt.Println("  (no progress:", err, ")")
		return
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewReader(f)
	rest := ""
	for {
		line, err := lines.ReadString('\n')
		rest += line
		if err == nil {
			fmt.Println("  " + strings.TrimSpace(rest))
			rest = ""
			continue
		}
		if !errors.Is(err, io.EOF) || ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// show prints what a reader looks for in Terraform's output: what is planned,
// and what Terraform and the provider say about it.
func show(out string) {
	inside := false
	for line := range strings.Lines(out) {
		text := strings.TrimSpace(line)
		for _, begin := range []string{"# refit_", "Plan:", "No changes.", "Warning:", "Error:", "Apply complete"} {
			inside = inside || strings.HasPrefix(text, begin)
		}
		if strings.HasPrefix(text, "───") {
			inside = false // what follows is a hint on saving plans
		}
		if inside {
			fmt.Print("  ", line)
		}
		if strings.HasPrefix(text, "Plan:") {
			fmt.Println()
		}
	}
}

// showEnd prints how an apply ended.
func showEnd(out string) {
	for _, begin := range []string{"\nError:", "\nApply complete"} {
		if at := strings.Index(out, begin); at >= 0 {
			fmt.Println()
			show(out[at:])
			return
		}
	}
}
