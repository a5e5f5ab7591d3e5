package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// patchScheduleModel is refit_patch_schedule in configuration, plan and state.
type patchScheduleModel struct {
	Name         string                        `tfsdk:"name"`
	Timezone     *string                       `tfsdk:"timezone"`
	Defaults     map[string]*string            `tfsdk:"defaults"`
	Environments map[string]map[string]*string `tfsdk:"environments"`
	Selector     *selectorModel                `tfsdk:"selector"`
	Waves        []waveModel                   `tfsdk:"waves"`
	Budget       *int64                        `tfsdk:"budget"`
	Lock         *string                       `tfsdk:"lock"`
	RollingUpd   *patchRoll                    `tfsdk:"rolling_update"`
	Source       *patchSource                  `tfsdk:"source"`
	OnClose      *string                       `tfsdk:"on_close"`
	Overrun      *string                       `tfsdk:"overrun"`
	CatchUp      *bool                         `tfsdk:"catch_up"`
	Splay        *string                       `tfsdk:"splay"`
	Suspended    *bool                         `tfsdk:"suspended"`
	TagKeys      *tagKeysModel                 `tfsdk:"tag_keys"`
	Publish      *bool                         `tfsdk:"publish"`
	Document     types.String                  `tfsdk:"document"`
	ASGTags      types.Map                     `tfsdk:"asg_tags"`
	ASGTagBlocks types.Map                     `tfsdk:"asg_tag_blocks"`
}

type waveModel struct {
	Environment *string        `tfsdk:"environment"`
	Selector    *selectorModel `tfsdk:"selector"`
	Bake        *string        `tfsdk:"bake"`
	Gate        *string        `tfsdk:"gate"`
	Canary      *int64         `tfsdk:"canary_percentage"`
}

type tagKeysModel struct {
	Day         *string `tfsdk:"day"`
	Time        *string `tfsdk:"time"`
	Timezone    *string `tfsdk:"timezone"`
	Schedule    *string `tfsdk:"schedule"`
	Environment *string `tfsdk:"environment"`
}

// patchRoll are the settings of rolls that a schedule carries for the runner,
// in configuration and in the document alike.
type patchRoll struct {
	MinHealthy      *int64            `tfsdk:"min_healthy_percentage" json:"min_healthy_percentage,omitempty"`
	MaxHealthy      *int64            `tfsdk:"max_healthy_percentage" json:"max_healthy_percentage,omitempty"`
	MaxRunning      *int64            `tfsdk:"max_running_percentage" json:"max_running_percentage,omitempty"`
	Checkpoints     []patchCheckpoint `tfsdk:"checkpoints"            json:"checkpoints,omitempty"`
	FinalBake       *string           `tfsdk:"final_bake"             json:"final_bake,omitempty"`
	MinHealthyTime  *string           `tfsdk:"min_healthy_time"       json:"min_healthy_time,omitempty"`
	InstanceTimeout *string           `tfsdk:"instance_timeout"       json:"instance_timeout,omitempty"`
	OnFailure       *string           `tfsdk:"on_failure"             json:"on_failure,omitempty"`
	FailureLimit    *int64            `tfsdk:"failure_limit"          json:"failure_limit,omitempty"`
}

type patchCheckpoint struct {
	Percentage int64  `tfsdk:"percentage" json:"percentage"`
	Bake       string `tfsdk:"bake"       json:"bake"`
}

// patchSource is the image source that a schedule carries for the runner, in
// configuration and in the document alike.
type patchSource struct {
	Owners  []string            `tfsdk:"owners"  json:"owners"`
	Name    *string             `tfsdk:"name"    json:"name,omitempty"`
	Filters map[string][]string `tfsdk:"filters" json:"filters,omitempty"`
}

func newPatchSchedule() resource.Resource {
	return &patchResource[patchScheduleModel, *patchScheduleModel]{kind: patchKind{
		suffix: "patch_schedule", noun: "schedule", root: calendar.ScheduleRoot, schema: patchScheduleSchema,
		unknown: map[string]any{
			"document": types.StringUnknown(), "asg_tags": types.MapUnknown(tagsType), "asg_tag_blocks": types.MapUnknown(tagBlocksType),
		},
	}}
}

// The types of asg_tags and asg_tag_blocks, for one environment.
var (
	tagsType      = types.MapType{ElemType: types.StringType}
	tagBlock      = map[string]attr.Type{"key": types.StringType, "value": types.StringType, "propagate_at_launch": types.BoolType}
	tagBlocksType = types.ListType{ElemType: types.ObjectType{AttrTypes: tagBlock}}
)

func (m *patchScheduleModel) key() string     { return m.Name }
func (m *patchScheduleModel) published() bool { return m.Publish == nil || *m.Publish }
func (m *patchScheduleModel) imported() bool  { return m.Publish == nil }

// spec maps the model to a schedule.
func (m *patchScheduleModel) spec() (calendar.ScheduleSpec, error) {
	s := calendar.ScheduleSpec{
		Name: m.Name, Timezone: text(m.Timezone), Defaults: present(m.Defaults), Environments: map[string]map[string]string{},
		Selector: m.Selector.selector(), Lock: text(m.Lock), OnClose: text(m.OnClose), Overrun: text(m.Overrun), Splay: text(m.Splay),
		CatchUp: m.CatchUp != nil && *m.CatchUp, Suspended: m.Suspended != nil && *m.Suspended,
	}
	for e, w := range m.Environments {
		s.Environments[e] = present(w)
	}
	for _, w := range m.Waves {
		s.Waves = append(s.Waves, calendar.WaveSpec{
			Environment: text(w.Environment), Selector: w.Selector.selector(), Bake: text(w.Bake), Gate: text(w.Gate), Canary: number(w.Canary),
		})
	}
	s.Budget = number(m.Budget)
	if k := m.TagKeys; k != nil {
		s.Keys = calendar.TagKeys{Day: text(k.Day), Time: text(k.Time), Timezone: text(k.Timezone), Schedule: text(k.Schedule), Environment: text(k.Environment)}
	}
	var err1, err2 error
	if m.RollingUpd != nil {
		s.Roll, err1 = json.Marshal(m.RollingUpd)
	}
	if m.Source != nil {
		source := *m.Source
		source.Owners = slices.Sorted(slices.Values(source.Owners))
		s.Source, err2 = json.Marshal(source)
	}
	return s, firstOf(err1, err2)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func number(n *int64) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

func (m *patchScheduleModel) draw() drawing {
	spec, err := m.spec()
	if err != nil {
		return drawing{problems: []calendar.Problem{{Code: calendar.Invalid, Text: err.Error()}}}
	}
	s, problems := spec.Parse()
	d := drawing{problems: append(problems, m.RollingUpd.problems()...), computed: s}
	d.publish(s.Spec())
	d.lint = s.Lint
	return d
}

// problems finds what no roll could be made with.
func (r *patchRoll) problems() []calendar.Problem {
	if r == nil {
		return nil
	}
	var out []calendar.Problem
	s := rollout.Defaults()
	s.Poll = time.Second
	for to, from := range map[*int]*int64{&s.MinHealthy: r.MinHealthy, &s.MaxHealthy: r.MaxHealthy, &s.MaxRunning: r.MaxRunning, &s.FailureLimit: r.FailureLimit} {
		if from != nil {
			*to = int(*from)
		}
	}
	span := func(name string, from *string, to *time.Duration) {
		if from == nil {
			return
		}
		d, err := time.ParseDuration(*from)
		if err != nil {
			out = append(out, calendar.Problem{Path: []string{"rolling_update", name}, Code: calendar.Invalid, Text: fmt.Sprintf("%s is %q; give a duration, such as \"5m\".", name, *from)})
			return
		}
		*to = d
	}
	span("final_bake", r.FinalBake, &s.FinalBake)
	span("min_healthy_time", r.MinHealthyTime, &s.MinHealthyTime)
	span("instance_timeout", r.InstanceTimeout, &s.InstanceTimeout)
	for _, c := range r.Checkpoints {
		point := rollout.Checkpoint{Percentage: int(c.Percentage)}
		span("checkpoints", &c.Bake, &point.Bake)
		s.Checkpoints = append(s.Checkpoints, point)
	}
	if r.OnFailure != nil {
		s.OnFailure = rollout.OnFailure(*r.OnFailure)
	}
	if len(out) > 0 {
		return out
	}
	for _, p := range s.Validate() {
		out = append(out, calendar.Problem{Path: []string{"rolling_update"}, Code: calendar.Invalid, Text: fmt.Sprintf("%s %s", p.Field, p.Text)})
	}
	return out
}

func (m *patchScheduleModel) keep(prior patchScheduleModel) {
	m.Timezone, m.OnClose = spelling(m.Timezone, prior.Timezone), spelling(m.OnClose, prior.OnClose)
	m.Overrun, m.Splay = spelling(m.Overrun, prior.Overrun), spelling(m.Splay, prior.Splay)
	m.Environments = prior.Environments
	if m.Defaults != nil && prior.Defaults != nil {
		m.Defaults = prior.Defaults
	}
	for n := range min(len(m.Waves), len(prior.Waves)) {
		m.Waves[n].Bake, m.Waves[n].Gate = spelling(m.Waves[n].Bake, prior.Waves[n].Bake), spelling(m.Waves[n].Gate, prior.Waves[n].Gate)
	}
}

func (m *patchScheduleModel) fill(d drawing) {
	m.Document = types.StringNull()
	if m.published() {
		m.Document = types.StringValue(d.document)
	}
	s, ok := d.computed.(calendar.Schedule)
	if !ok {
		return
	}
	tags, blocks := map[string]attr.Value{}, map[string]attr.Value{}
	for _, e := range s.Environments() {
		one, list := map[string]attr.Value{}, []attr.Value(nil)
		all := s.Tags(e)
		for _, key := range slices.Sorted(maps.Keys(all)) {
			value := types.StringValue(all[key])
			one[key] = value
			list = append(list, types.ObjectValueMust(tagBlock, map[string]attr.Value{
				"key": types.StringValue(key), "value": value, "propagate_at_launch": types.BoolValue(false),
			}))
		}
		tags[e] = types.MapValueMust(types.StringType, one)
		blocks[e] = types.ListValueMust(types.ObjectType{AttrTypes: tagBlock}, list)
	}
	m.ASGTags, m.ASGTagBlocks = types.MapValueMust(tagsType, tags), types.MapValueMust(tagBlocksType, blocks)
}

func (m *patchScheduleModel) found(document string) { m.Document = types.StringValue(document) }

func (m *patchScheduleModel) load(document []byte) error {
	parsed, err := calendar.DecodeSchedule(document)
	if err != nil {
		return err
	}
	s, publish := parsed.Spec(), true
	*m = patchScheduleModel{
		Name: s.Name, Timezone: optionalText(s.Timezone), Defaults: pointers(s.Defaults), Environments: map[string]map[string]*string{},
		Selector: newSelectorModel(s.Selector), Lock: optionalText(s.Lock), OnClose: optionalText(s.OnClose), Overrun: optionalText(s.Overrun),
		Splay: optionalText(s.Splay), CatchUp: &s.CatchUp, Suspended: &s.Suspended, Publish: &publish, Budget: optionalNumber(s.Budget),
	}
	if m.OnClose == nil {
		m.OnClose = optionalText(calendar.FinishBatch)
	}
	for e, w := range s.Environments {
		m.Environments[e] = pointers(w)
	}
	for _, w := range s.Waves {
		m.Waves = append(m.Waves, waveModel{
			Environment: optionalText(w.Environment), Selector: newSelectorModel(w.Selector), Bake: optionalText(w.Bake),
			Gate: optionalText(w.Gate), Canary: optionalNumber(w.Canary),
		})
	}
	if k := s.Keys; k != (calendar.TagKeys{}) {
		m.TagKeys = &tagKeysModel{
			Day: optionalText(k.Day), Time: optionalText(k.Time), Timezone: optionalText(k.Timezone), Schedule: optionalText(k.Schedule),
			Environment: optionalText(k.Environment),
		}
	}
	if s.Roll != nil {
		if err := json.Unmarshal(s.Roll, &m.RollingUpd); err != nil {
			return fmt.Errorf("its rolling_update cannot be read: %w", err)
		}
	}
	if s.Source != nil {
		if err := json.Unmarshal(s.Source, &m.Source); err != nil {
			return fmt.Errorf("its source cannot be read: %w", err)
		}
	}
	return nil
}

func pointers(m map[string]string) map[string]*string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]*string, len(m))
	for key, value := range m {
		out[key] = &value
	}
	return out
}

func optionalNumber(n int) *int64 {
	if n == 0 {
		return nil
	}
	out := int64(n)
	return &out
}
