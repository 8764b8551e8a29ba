// Package stages draws the image as a picture: each stage takes the one [Input]
// and gives parts, and the image is a merge of them.
//
//	base ─┬─▶ builder ──▶ wheels ─┐
//	      └─▶ runtime ────────────┼──▶ image ──▶ smoke lets it out
//	                     model ───┤
//	                       app ───┘
//
// All of it is pure. What comes in was fetched, packed and checked before; what
// goes out is an LLB state and an image config.
package stages
