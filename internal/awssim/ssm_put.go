package awssim

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func putParameter(w *World, in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	name, value := strings.TrimSpace(deref(in.Name)), deref(in.Value)
	if err := w.checkName(name); err != nil {
		return nil, err
	}
	if err := checkPut(in, value); err != nil {
		return nil, err
	}
	old := w.ssm.parameters[normalName(name)]
	if err := w.checkExisting(in, name, old); err != nil {
		return nil, err
	}
	v := paramVersion{
		value: value, kind: in.Type, pattern: deref(in.AllowedPattern), description: deref(in.Description),
		keyID: deref(in.KeyId), dataType: deref(in.DataType), at: w.now,
	}
	if old != nil && v.kind == "" {
		v.kind = old.latest().kind
	}
	if v.dataType == "" {
		v.dataType = "text"
		if old != nil {
			v.dataType = old.latest().dataType
		}
	}
	if v.dataType == "aws:ec2:image" && !amiID.MatchString(value) {
		return nil, notValid("Invalid parameter value " + value + " for the data type aws:ec2:image: it must be an image ID such as ami-12345abcdeEXAMPLE.")
	}
	tier, err := putTier(in, old, value)
	if err != nil {
		return nil, err
	}
	if old == nil && len(w.ssm.parameters) >= maxStandard {
		return nil, paramError("ParameterLimitExceeded", "You have exceeded the number of parameters for this Amazon Web Services account.")
	}
	if v.dataType == "aws:ec2:image" {
		return w.putImageParameter(in, name, tier, v, old), nil
	}
	return &ssm.PutParameterOutput{Version: w.store(in, name, tier, v), Tier: tier}, nil
}

// putImageParameter stores a parameter of the data type aws:ec2:image. AWS
// answers at once and looks for the image later; when that is not there,
// nothing is stored, and only an event tells.
func (w *World) putImageParameter(in *ssm.PutParameterInput, name string, tier types.ParameterTier, v paramVersion, old *parameter) *ssm.PutParameterOutput {
	w.after(imageCheckTime, func() {
		if i := w.ec2.images[v.value]; i == nil || !w.imageVisible(i) || i.State != "available" {
			w.event("", "parameter %s not stored: image %s not found, or not available", name, v.value)
			return
		}
		v.at = w.now
		w.store(in, name, tier, v)
	})
	next := int64(1)
	if old != nil {
		next = old.latest().number + 1
	}
	return &ssm.PutParameterOutput{Version: next, Tier: tier}
}

// store adds a version and gives its number.
func (w *World) store(in *ssm.PutParameterInput, name string, tier types.ParameterTier, v paramVersion) int64 {
	p := w.ssm.parameters[normalName(name)]
	if p == nil {
		p = &parameter{name: name, tags: map[string]string{}}
		w.ssm.parameters[normalName(name)] = p
		for _, t := range in.Tags {
			p.tags[deref(t.Key)] = deref(t.Value)
		}
	}
	p.tier = tier
	return p.add(v)
}

// checkPut checks what does not depend on what is stored.
func checkPut(in *ssm.PutParameterInput, value string) *Error {
	switch {
	case value == "":
		return ssmConstraint("", "value", "Member must have length greater than or equal to 1")
	case in.Type != "" && !oneOf(in.Type, in.Type.Values()):
		return ssmConstraint(string(in.Type), "type", "Member must satisfy enum value set: [SecureString, StringList, String]")
	case in.Tier != "" && !oneOf(in.Tier, in.Tier.Values()):
		return ssmConstraint(string(in.Tier), "tier", "Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]")
	case strings.Contains(value, "{{"):
		return notValid(`Parameter value can't nest another parameter. Do not use "{{}}" in the value.`)
	case in.Policies != nil:
		return notValid("The simulator does not model parameter policies.")
	case len(in.Tags) > 0 && deref(in.Overwrite):
		return notValid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. " +
			"To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case len(deref(in.Description)) > 1024:
		return ssmConstraint(*in.Description, "description", "Member must have length less than or equal to 1024")
	case in.KeyId != nil && in.Type != types.ParameterTypeSecureString:
		return notValid("KeyId is required for SecureString type parameter only.")
	}
	switch dataType := deref(in.DataType); dataType {
	case "", "text":
	case "aws:ec2:image":
		if in.Type == types.ParameterTypeStringList || in.Type == types.ParameterTypeSecureString {
			return notValid("The data type aws:ec2:image is only supported for the parameter type String.")
		}
	default:
		return notValid("The following data type is not supported: " + dataType + " (Data type names are all lowercase.)")
	}
	if p := deref(in.AllowedPattern); p != "" {
		re, err := regexp.Compile("^(?:" + p + ")$")
		if err != nil {
			return paramError("InvalidAllowedPatternException", "The request does not meet the regular expression requirement.")
		}
		if !re.MatchString(value) {
			return paramError("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: "+p)
		}
	}
	return nil
}

// checkExisting checks a put against what is, or just was, under the name.
func (w *World) checkExisting(in *ssm.PutParameterInput, name string, old *parameter) *Error {
	if old == nil {
		if in.Type == "" {
			return notValid("A parameter type is required when you create a parameter.")
		}
		if gone, ok := w.ssm.deleted[normalName(name)]; ok && w.now.Sub(gone) < recreateWindow {
			// AWS only says to wait thirty seconds (API_DeleteParameter). What
			// happens otherwise is not documented; assume the worse.
			return paramError("TooManyUpdates", "There are concurrent updates for a resource that supports one update at a time.")
		}
		return nil
	}
	switch {
	case !deref(in.Overwrite):
		return paramError("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case in.Type != "" && in.Type != old.latest().kind:
		return paramError("HierarchyTypeMismatchException",
			"Parameter Store does not support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type.")
	}
	if is, was := deref(in.DataType), old.latest().dataType; is != "" && is != was {
		// No text has aws:ec2:image turned into another data type or the other way:
		// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-data-types.html
		return notValid("The data type of parameter " + old.name + " can't be changed from " + was + " to " + is + ".")
	}
	return nil
}

// putTier decides the tier that a put ends in.
func putTier(in *ssm.PutParameterInput, old *parameter, value string) (types.ParameterTier, *Error) {
	tier := in.Tier
	if tier == types.ParameterTierIntelligentTiering || tier == "" {
		switch {
		case old != nil && old.tier == types.ParameterTierAdvanced,
			tier == types.ParameterTierIntelligentTiering && len(value) > standardSize:
			tier = types.ParameterTierAdvanced
		default:
			tier = types.ParameterTierStandard
		}
	}
	switch {
	case tier == types.ParameterTierStandard && old != nil && old.tier == types.ParameterTierAdvanced:
		return "", notValid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. " +
			"If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case tier == types.ParameterTierStandard && len(value) > standardSize:
		return "", notValid("Standard tier parameters support a maximum parameter value of " + strconv.Itoa(standardSize) +
			" characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. " +
			"For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
	case len(value) > advancedSize:
		return "", notValid("Advanced tier parameters support a maximum parameter value of " + strconv.Itoa(advancedSize) + " characters.")
	}
	return tier, nil
}

// oneOf reports whether v is among the values of an enum.
func oneOf[T comparable](v T, values []T) bool {
	for _, x := range values {
		if x == v {
			return true
		}
	}
	return false
}

func deleteParameter(w *World, in *ssm.DeleteParameterInput) (*ssm.DeleteParameterOutput, error) {
	if !w.deleteName(deref(in.Name)) {
		return nil, paramError("ParameterNotFound", "")
	}
	return &ssm.DeleteParameterOutput{}, nil
}

func deleteParameters(w *World, in *ssm.DeleteParametersInput) (*ssm.DeleteParametersOutput, error) {
	if n := len(in.Names); n < 1 || n > 10 {
		return nil, ssmConstraint("["+strings.Join(in.Names, ", ")+"]", "names", "Member must have length between 1 and 10")
	}
	out := &ssm.DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		if w.deleteName(name) {
			out.DeletedParameters = append(out.DeletedParameters, name)
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

// deleteName deletes a parameter, if there is one. A public one is not ours.
func (w *World) deleteName(name string) bool {
	key := normalName(name)
	if w.ssm.parameters[key] == nil || strings.HasPrefix(key, "/aws/") {
		return false
	}
	delete(w.ssm.parameters, key)
	w.ssm.deleted[key] = w.now
	return true
}
