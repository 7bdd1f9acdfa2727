// Stands in for d3-transition and d3-interpolate, which xyflow's library for panning and
// zooming wants (vite.config.ts): a graph here moves at once, and their animations of
// colours, texts and transforms were 9 KB of what all pages may weigh.
import { selection } from "d3-selection";

selection.prototype.interrupt = function () {
  return this;
};

export function interrupt() {}

/** A way from one view to another that is at its end from the start. */
export const interpolate = (_, end) => () => end;
export const interpolateZoom = interpolate;
