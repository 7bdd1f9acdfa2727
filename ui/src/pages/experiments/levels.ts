// The rows of a table of runs as they stand below each other: those of the first level, and
// below each that is open its own. Only what is in sight is ever loaded, so a row is found
// by its place.

/** Rows that are read together: the first level, or what is below a run or a group. */
export interface Level {
  key: string;
  depth: number;
  total: number;
  /** The run whose rows they are; empty for a first level. */
  under: string;
  /** What the runs have in common whose rows they are. */
  group?: (string | null)[];
}

/** A row of a level that is open. */
export interface Open {
  /** Its place in its level, from 0. */
  at: number;
  child: Level;
}

/** Consecutive rows of a level. */
export interface Segment {
  /** The place of the first one in the table. */
  start: number;
  level: Level;
  offset: number;
  length: number;
}

/** What is open, by the key of the level in which it stands. */
export type Opened = Record<string, Open[]>;

/** Lays a level out, with what is open in it. */
export function lay(root: Level, opened: Opened): { segments: Segment[]; total: number } {
  const segments: Segment[] = [];
  let start = 0;
  const put = (level: Level, offset: number, length: number) => {
    if (length <= 0) return;
    segments.push({ start, level, offset, length });
    start += length;
  };
  const walk = (level: Level) => {
    let offset = 0;
    const open = (opened[level.key] ?? []).filter((o) => o.at < level.total);
    for (const o of open.sort((a, b) => a.at - b.at)) {
      put(level, offset, o.at + 1 - offset);
      walk(o.child);
      offset = o.at + 1;
    }
    put(level, offset, level.total - offset);
  };
  walk(root);
  return { segments, total: start };
}

/** The segment of a row, and its place in its level. */
export function find(
  segments: readonly Segment[],
  row: number,
): { level: Level; at: number } | undefined {
  let [low, high] = [0, segments.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const s = segments[middle];
    if (!s) return undefined;
    if (row < s.start) high = middle - 1;
    else if (row >= s.start + s.length) low = middle + 1;
    else return { level: s.level, at: s.offset + row - s.start };
  }
  return undefined;
}

/** Opens a row, or closes it. */
export function toggle(opened: Opened, parent: Level, open: Open): Opened {
  const here = opened[parent.key] ?? [];
  const rest = here.filter((o) => o.at !== open.at);
  return { ...opened, [parent.key]: rest.length < here.length ? rest : [...here, open] };
}

/**
 * What is open in a list that was made anew: where each row is now, or nothing when it is
 * gone. It is the same object when nothing has moved.
 */
export function mend(
  root: Level,
  opened: Opened,
  now: (level: Level, open: Open) => Open | undefined,
): Opened {
  const out: Opened = {};
  let same = true;
  const walk = (level: Level) => {
    const here = opened[level.key]?.flatMap((o) => {
      const next = now(level, o);
      same &&= next === o;
      return next ?? [];
    });
    if (!here) return;
    out[level.key] = here;
    for (const o of here) walk(o.child);
  };
  walk(root);
  return same ? opened : out;
}
