// The shape of the loop: a closed track with eight stations, four on the way out and four
// on the way back. All lengths are CSS pixels.

/** The stations in the order of the loop, as the server names them. */
export const stations = [
  { id: "data", name: "Data", about: "collected as of now" },
  { id: "training", name: "Training", about: "the pipeline runs" },
  { id: "packaging", name: "Packaging", about: "made to be served" },
  { id: "gate", name: "Gate", about: "judged on the holdout" },
  { id: "release", name: "Release", about: "canary or shadow" },
  { id: "live", name: "Live", about: "answers requests" },
  { id: "watched", name: "Watched", about: "windows are judged" },
  { id: "incident", name: "Incident", about: "drift or decay" },
] as const;

/** The place of a station on the track; −1 for what stands beside the loop. */
export function placeOf(station: string): number {
  return stations.findIndex((s) => s.id === station);
}

export interface Point {
  x: number;
  y: number;
  /** How far it is along the track from the first station. */
  at: number;
}

export interface Track {
  width: number;
  height: number;
  /** Stations in columns, as there is room for on a phone, and not in rows. */
  tall: boolean;
  /** SVG path data; it begins at the first station and ends there. */
  path: string;
  length: number;
  points: Point[];
}

/**
 * The track for a width: lying where there is room, standing on a phone. `rows` is how many
 * lines of marks stand above a lying one, and below it.
 */
export function trackFor(width: number, rows: { above: number; below: number }): Track {
  return width < 640 ? standing(width) : lying(width, rows);
}

const LYING = { between: 138, name: 60, row: 27 };

function lying(width: number, rows: { above: number; below: number }): Track {
  const room = (n: number) => LYING.name + Math.max(0, n - 1) * LYING.row;
  const top = room(rows.above);
  const bottom = top + LYING.between;
  const height = bottom + room(rows.below) + 6;
  const r = (bottom - top) / 2;
  const left = r + 30;
  const right = width - r - 30;
  const side = right - left;
  const turn = Math.PI * r;
  const points = stations.map((_, i): Point => {
    const along = ((i % 4) * side) / 3;
    return i < 4
      ? { x: left + along, y: top, at: along }
      : { x: right - along, y: bottom, at: side + turn + along };
  });
  const path =
    `M ${left} ${top} L ${right} ${top} A ${r} ${r} 0 0 1 ${right} ${bottom} ` +
    `L ${left} ${bottom} A ${r} ${r} 0 0 1 ${left} ${top} Z`;
  return { width, height, tall: false, path, length: 2 * side + 2 * turn, points };
}

const STANDING = { row: 88, corner: 42, edge: 14, end: 8 };

/** Down at the left, up at the right, so that it reads from the top left. */
function standing(width: number): Track {
  const { row, corner, edge, end } = STANDING;
  const top = corner + end;
  const bottom = top + 3 * row;
  const left = edge;
  const right = width - edge;
  const side = bottom - top;
  const across = right - left - 2 * corner;
  const turn = (Math.PI / 2) * corner;
  const half = 2 * turn + across;
  const points = stations.map((_, i): Point => {
    const along = (i % 4) * row;
    return i < 4
      ? { x: left, y: top + along, at: along }
      : { x: right, y: bottom - along, at: side + half + along };
  });
  const c = corner;
  const path =
    `M ${left} ${top} L ${left} ${bottom} A ${c} ${c} 0 0 0 ${left + c} ${bottom + c} ` +
    `L ${right - c} ${bottom + c} A ${c} ${c} 0 0 0 ${right} ${bottom} L ${right} ${top} ` +
    `A ${c} ${c} 0 0 0 ${right - c} ${top - c} L ${left + c} ${top - c} ` +
    `A ${c} ${c} 0 0 0 ${left} ${top} Z`;
  return {
    width,
    height: bottom + c + end,
    tall: true,
    path,
    length: 2 * side + 2 * half,
    points,
  };
}
