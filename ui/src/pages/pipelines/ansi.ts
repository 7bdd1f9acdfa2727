// The colours that programs print (ECMA-48, SGR), as far as logs use them. Other control
// sequences are left out.

/** How a stretch of a line looks. Colours are names of the eight that terminals have. */
export interface Style {
  color?: Color;
  back?: Color;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
}

export const colors = [
  "black",
  "red",
  "green",
  "yellow",
  "blue",
  "magenta",
  "cyan",
  "white",
] as const;
export type Color = (typeof colors)[number];

/** A stretch of a line with one look. */
export interface Stretch {
  text: string;
  style: Style;
}

export const PLAIN: Style = {};

// A control sequence, or another escape such as a window's title.

const ESCAPE = /\x1b(?:\[([0-9;:]*)([A-Za-z@`])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])/g;

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** The stretches of a line, and the look that goes on after it. */
export function parse(line: string, from: Style = PLAIN): { stretches: Stretch[]; after: Style } {
  if (!line.includes("\x1b")) {
    const text = line.replace(CONTROL, "");
    return { stretches: text === "" ? [] : [{ text, style: from }], after: from };
  }
  const stretches: Stretch[] = [];
  let style = from;
  let at = 0;
  const add = (text: string) => {
    const shown = text.replace(CONTROL, "");
    if (shown !== "") stretches.push({ text: shown, style });
  };
  for (const found of line.matchAll(ESCAPE)) {
    add(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") style = changed(style, found[1] ?? "");
  }
  add(line.slice(at));
  return { stretches, after: style };
}

/** A line as it reads without its looks. */
export function plain(line: string): string {
  return line.replace(ESCAPE, "").replace(CONTROL, "");
}

/** A look after the codes of one sequence. */
function changed(style: Style, codes: string): Style {
  const list = codes.split(/[;:]/).map(Number);
  let next = { ...style };
  for (let i = 0; i < list.length; i++) {
    const code = list[i] ?? 0;
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) {
      delete next.bold;
      delete next.dim;
    } else if (code === 23) delete next.italic;
    else if (code === 24) delete next.underline;
    else if (code === 39) delete next.color;
    else if (code === 49) delete next.back;
    else if (code === 38 || code === 48) {
      const [color, taken] = extended(list, i + 1);
      i += taken;
      if (color) next[code === 38 ? "color" : "back"] = color;
    } else {
      const color = colors[code % 10];
      const tens = code - (code % 10);
      if (color && (tens === 30 || tens === 90)) next.color = color;
      if (color && (tens === 40 || tens === 100)) next.back = color;
    }
  }
  return next;
}

/** One of 256 colours (5;n) or of all (2;r;g;b), as the nearest of the eight. */
function extended(list: number[], at: number): [Color | undefined, number] {
  if (list[at] === 2) {
    return [nearest(list[at + 1] ?? 0, list[at + 2] ?? 0, list[at + 3] ?? 0), 4];
  }
  const n = list[at + 1] ?? 0;
  if (n < 16) return [colors[n % 8], 2];
  if (n >= 232) return [n < 244 ? "black" : "white", 2];
  const level = (power: number) => (Math.floor((n - 16) / power) % 6) * 51;
  return [nearest(level(36), level(6), level(1)), 2];
}

function nearest(r: number, g: number, b: number): Color | undefined {
  const half = Math.max(r, g, b) / 2;
  const bits = (r > half ? 1 : 0) + (g > half ? 2 : 0) + (b > half ? 4 : 0);
  return Math.max(r, g, b) < 60 ? "black" : colors[bits];
}
