// Package stages draws an image as a graph: each stage takes the same [Input] and returns
// parts, and the image is a merge of them.
//
//	base ─┬─▶ builder ──▶ wheels ─┐
//	      └─▶ runtime ────────────┼──▶ image ──▶ smoke lets it out
//	                     model ───┤
//	                       app ───┘
//
// All of it is pure. The input has been fetched, packed and checked before; the output is an
// LLB state and an image config.
package stages
