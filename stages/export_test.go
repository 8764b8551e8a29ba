package stages

import "lamina.build/lock"

// PlanWheels returns the plan of wheels by their names.
func PlanWheels(wheels []lock.Distribution, limit int) (groups [][]lock.Distribution, joined int) {
	plan, joined := planWheels(wheels, limit)
	for _, g := range plan {
		groups = append(groups, g.wheels)
	}
	return groups, joined
}
