package awssim

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// internetGateway is a network's way out; vpcID is empty while detached.
type internetGateway struct{ id, vpcID string }

// routeTable is a network's routes. Only those through an internet gateway are
// modelled beside the local one.
type routeTable struct {
	id, vpcID       string
	mainAssociation string // set for the network's main table
	local           string // the network's own block
	routes          []route
	associations    map[string]string // subnet id → association id
}

type route struct{ destination, gateway string }

func gatewayNotFound(id string) error {
	return ec2Err("InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist", id)
}

func routeTableNotFound(id string) error {
	return ec2Err("InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", id)
}

func ec2RouteOperations() map[string]operation {
	return map[string]operation{
		"CreateInternetGateway":    ec2Op(createInternetGateway),
		"AttachInternetGateway":    ec2Op(attachInternetGateway),
		"DetachInternetGateway":    ec2Op(detachInternetGateway),
		"DeleteInternetGateway":    ec2Op(deleteInternetGateway),
		"DescribeInternetGateways": ec2Op(describeInternetGateways),
		"CreateRouteTable":         ec2Op(createRouteTable),
		"DeleteRouteTable":         ec2Op(deleteRouteTable),
		"DescribeRouteTables":      ec2Op(describeRouteTables),
		"CreateRoute":              ec2Op(createRoute),
		"DeleteRoute":              ec2Op(deleteRoute),
		"AssociateRouteTable":      ec2Op(associateRouteTable),
		"DisassociateRouteTable":   ec2Op(disassociateRouteTable),
	}
}

func (w *World) addRouteTable(v *vpc) *routeTable {
	rt := &routeTable{id: w.newID("rtb"), vpcID: v.id, local: v.cidr.String(), associations: map[string]string{}}
	w.ec2.routeTables[rt.id] = rt
	return rt
}

func (w *World) mainRouteTable(vpcID string) *routeTable {
	for _, rt := range byID(w.ec2.routeTables) {
		if rt.vpcID == vpcID && rt.mainAssociation != "" {
			return rt
		}
	}
	return nil
}

func createInternetGateway(w *World, in *ec2.CreateInternetGatewayInput) (*ec2.CreateInternetGatewayOutput, error) {
	g := &internetGateway{id: w.newID("igw")}
	if err := w.tagNew(g.id, "internet-gateway", in.TagSpecifications); err != nil {
		return nil, err
	}
	w.ec2.gateways[g.id] = g
	return &ec2.CreateInternetGatewayOutput{InternetGateway: ptr(w.gatewayAnswer(g))}, nil
}

func attachInternetGateway(w *World, in *ec2.AttachInternetGatewayInput) (*ec2.AttachInternetGatewayOutput, error) {
	g, v := w.ec2.gateways[deref(in.InternetGatewayId)], w.ec2.vpcs[deref(in.VpcId)]
	switch {
	case g == nil:
		return nil, gatewayNotFound(deref(in.InternetGatewayId))
	case v == nil:
		return nil, vpcNotFound(deref(in.VpcId))
	case g.vpcID != "" || slices.ContainsFunc(byID(w.ec2.gateways), func(o *internetGateway) bool { return o.vpcID == v.id }):
		return nil, ec2Err("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.id, v.id)
	}
	g.vpcID = v.id
	return &ec2.AttachInternetGatewayOutput{}, nil
}

func detachInternetGateway(w *World, in *ec2.DetachInternetGatewayInput) (*ec2.DetachInternetGatewayOutput, error) {
	g := w.ec2.gateways[deref(in.InternetGatewayId)]
	switch {
	case g == nil:
		return nil, gatewayNotFound(deref(in.InternetGatewayId))
	case g.vpcID != deref(in.VpcId):
		return nil, ec2Err("Gateway.NotAttached", "resource %s is not attached to network %s", g.id, deref(in.VpcId))
	}
	g.vpcID = ""
	return &ec2.DetachInternetGatewayOutput{}, nil
}

func deleteInternetGateway(w *World, in *ec2.DeleteInternetGatewayInput) (*ec2.DeleteInternetGatewayOutput, error) {
	g := w.ec2.gateways[deref(in.InternetGatewayId)]
	switch {
	case g == nil:
		return nil, gatewayNotFound(deref(in.InternetGatewayId))
	case g.vpcID != "":
		return nil, ec2Err("DependencyViolation", "The internetGateway '%s' has dependencies and cannot be deleted.", g.id)
	}
	delete(w.ec2.gateways, g.id)
	delete(w.ec2.tags, g.id)
	return &ec2.DeleteInternetGatewayOutput{}, nil
}

func describeInternetGateways(w *World, in *ec2.DescribeInternetGatewaysInput) (*ec2.DescribeInternetGatewaysOutput, error) {
	all, err := chosen(w.ec2.gateways, in.InternetGatewayIds, gatewayNotFound)
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(g *internetGateway) string { return g.id }, resourceFilters[*internetGateway]{
		"internet-gateway-id": func(g *internetGateway) []string { return one(g.id) },
		"attachment.vpc-id":   func(g *internetGateway) []string { return one(g.vpcID) },
		"attachment.state": func(g *internetGateway) []string {
			if g.vpcID == "" {
				return nil
			}
			return one("available")
		},
		"owner-id": func(*internetGateway) []string { return one(w.account) },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInternetGatewaysOutput{InternetGateways: []types.InternetGateway{}}
	for _, g := range all {
		out.InternetGateways = append(out.InternetGateways, w.gatewayAnswer(g))
	}
	return out, nil
}

func (w *World) gatewayAnswer(g *internetGateway) types.InternetGateway {
	out := types.InternetGateway{InternetGatewayId: &g.id, OwnerId: &w.account, Attachments: []types.InternetGatewayAttachment{}, Tags: w.tagsOf(g.id)}
	if g.vpcID != "" {
		// "available" is what the service says of a gateway; the SDK has no name for it.
		out.Attachments = append(out.Attachments, types.InternetGatewayAttachment{State: "available", VpcId: &g.vpcID})
	}
	return out
}

func createRouteTable(w *World, in *ec2.CreateRouteTableInput) (*ec2.CreateRouteTableOutput, error) {
	v := w.ec2.vpcs[deref(in.VpcId)]
	if v == nil {
		return nil, vpcNotFound(deref(in.VpcId))
	}
	rt := w.addRouteTable(v)
	if err := w.tagNew(rt.id, "route-table", in.TagSpecifications); err != nil {
		delete(w.ec2.routeTables, rt.id)
		return nil, err
	}
	return &ec2.CreateRouteTableOutput{RouteTable: ptr(w.routeTableAnswer(rt)), ClientToken: in.ClientToken}, nil
}

func deleteRouteTable(w *World, in *ec2.DeleteRouteTableInput) (*ec2.DeleteRouteTableOutput, error) {
	rt := w.ec2.routeTables[deref(in.RouteTableId)]
	switch {
	case rt == nil:
		return nil, routeTableNotFound(deref(in.RouteTableId))
	case rt.mainAssociation != "" || len(rt.associations) > 0:
		return nil, ec2Err("DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", rt.id)
	}
	delete(w.ec2.routeTables, rt.id)
	delete(w.ec2.tags, rt.id)
	return &ec2.DeleteRouteTableOutput{}, nil
}

func createRoute(w *World, in *ec2.CreateRouteInput) (*ec2.CreateRouteOutput, error) {
	rt, to := w.ec2.routeTables[deref(in.RouteTableId)], deref(in.DestinationCidrBlock)
	switch {
	case rt == nil:
		return nil, routeTableNotFound(deref(in.RouteTableId))
	case in.GatewayId == nil || to == "":
		return nil, notModelled("routes other than of an IPv4 block through an internet gateway")
	case w.ec2.gateways[*in.GatewayId] == nil:
		return nil, gatewayNotFound(*in.GatewayId)
	case slices.ContainsFunc(rt.routes, func(r route) bool { return r.destination == to }):
		return nil, ec2Err("RouteAlreadyExists", "The route identified by %s already exists.", to)
	}
	rt.routes = append(rt.routes, route{destination: to, gateway: *in.GatewayId})
	return &ec2.CreateRouteOutput{Return: ptr(true)}, nil
}

func deleteRoute(w *World, in *ec2.DeleteRouteInput) (*ec2.DeleteRouteOutput, error) {
	rt, to := w.ec2.routeTables[deref(in.RouteTableId)], deref(in.DestinationCidrBlock)
	if rt == nil {
		return nil, routeTableNotFound(deref(in.RouteTableId))
	}
	i := slices.IndexFunc(rt.routes, func(r route) bool { return r.destination == to })
	if i < 0 {
		return nil, ec2Err("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", to, rt.id)
	}
	rt.routes = slices.Delete(rt.routes, i, i+1)
	return &ec2.DeleteRouteOutput{}, nil
}

func associateRouteTable(w *World, in *ec2.AssociateRouteTableInput) (*ec2.AssociateRouteTableOutput, error) {
	rt, s := w.ec2.routeTables[deref(in.RouteTableId)], w.ec2.subnets[deref(in.SubnetId)]
	switch {
	case rt == nil:
		return nil, routeTableNotFound(deref(in.RouteTableId))
	case s == nil:
		return nil, subnetNotFound(deref(in.SubnetId))
	}
	for _, other := range w.ec2.routeTables {
		if other.associations[s.id] != "" {
			return nil, ec2Err("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", rt.id)
		}
	}
	id := w.newID("rtbassoc")
	rt.associations[s.id] = id
	return &ec2.AssociateRouteTableOutput{
		AssociationId: &id, AssociationState: &types.RouteTableAssociationState{State: types.RouteTableAssociationStateCodeAssociated},
	}, nil
}

func disassociateRouteTable(w *World, in *ec2.DisassociateRouteTableInput) (*ec2.DisassociateRouteTableOutput, error) {
	for _, rt := range w.ec2.routeTables {
		for subnetID, id := range rt.associations {
			if id == deref(in.AssociationId) {
				delete(rt.associations, subnetID)
				return &ec2.DisassociateRouteTableOutput{}, nil
			}
		}
	}
	return nil, ec2Err("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", deref(in.AssociationId))
}

func describeRouteTables(w *World, in *ec2.DescribeRouteTablesInput) (*ec2.DescribeRouteTablesOutput, error) {
	all, err := chosen(w.ec2.routeTables, in.RouteTableIds, routeTableNotFound)
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(rt *routeTable) string { return rt.id }, resourceFilters[*routeTable]{
		"route-table-id":             func(rt *routeTable) []string { return one(rt.id) },
		"vpc-id":                     func(rt *routeTable) []string { return one(rt.vpcID) },
		"owner-id":                   func(*routeTable) []string { return one(w.account) },
		"association.main":           func(rt *routeTable) []string { return yes(rt.mainAssociation != "") },
		"association.subnet-id":      func(rt *routeTable) []string { return slices.Collect(maps.Keys(rt.associations)) },
		"association.route-table-id": func(rt *routeTable) []string { return one(rt.id) },
		"association.route-table-association-id": func(rt *routeTable) []string {
			return append(one(rt.mainAssociation), slices.Collect(maps.Values(rt.associations))...)
		},
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 100})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeRouteTablesOutput{RouteTables: []types.RouteTable{}, NextToken: next}
	for _, rt := range all {
		out.RouteTables = append(out.RouteTables, w.routeTableAnswer(rt))
	}
	return out, nil
}

func (w *World) routeTableAnswer(rt *routeTable) types.RouteTable {
	out := types.RouteTable{
		RouteTableId: &rt.id, VpcId: &rt.vpcID, OwnerId: &w.account, PropagatingVgws: []types.PropagatingVgw{},
		Associations: []types.RouteTableAssociation{}, Tags: w.tagsOf(rt.id),
		Routes: []types.Route{{
			DestinationCidrBlock: &rt.local, GatewayId: ptr("local"), Origin: types.RouteOriginCreateRouteTable, State: types.RouteStateActive,
		}},
	}
	for _, r := range rt.routes {
		state := types.RouteStateActive
		if g := w.ec2.gateways[r.gateway]; g == nil || g.vpcID != rt.vpcID {
			state = types.RouteStateBlackhole
		}
		out.Routes = append(out.Routes, types.Route{DestinationCidrBlock: &r.destination, GatewayId: &r.gateway, Origin: types.RouteOriginCreateRoute, State: state})
	}
	associated := &types.RouteTableAssociationState{State: types.RouteTableAssociationStateCodeAssociated}
	if rt.mainAssociation != "" {
		out.Associations = append(out.Associations, types.RouteTableAssociation{
			Main: ptr(true), RouteTableAssociationId: &rt.mainAssociation, RouteTableId: &rt.id, AssociationState: associated,
		})
	}
	for _, s := range slices.Sorted(maps.Keys(rt.associations)) {
		out.Associations = append(out.Associations, types.RouteTableAssociation{
			Main: ptr(false), RouteTableAssociationId: ptr(rt.associations[s]), RouteTableId: &rt.id, SubnetId: &s, AssociationState: associated,
		})
	}
	return out
}
