const GAP = 6;
const EDGE = 8; // what stays free at the edges of the window

export type Align = "start" | "center" | "end";

/**
 * Puts what floats in the top layer beside an area of the window, in CSS pixels: below or
 * above it as asked, on the other side where there is more room, and never over the edge.
 */
export function place(el: HTMLElement, at: DOMRect, align: Align, above = false): void {
  el.style.maxHeight = "";
  const { clientWidth, clientHeight } = document.documentElement;
  const { width, height } = el.getBoundingClientRect();
  const [over, under] = [at.top - GAP - EDGE, clientHeight - at.bottom - GAP - EDGE];
  const up = above ? over >= height || over > under : under < height && over > under;
  const high = Math.min(height, up ? over : under);
  const left =
    align === "start"
      ? at.left
      : align === "end"
        ? at.right - width
        : (at.left + at.right - width) / 2;
  el.style.maxHeight = `${up ? over : under}px`;
  el.style.left = `${Math.max(EDGE, Math.min(left, clientWidth - width - EDGE))}px`;
  el.style.top = `${up ? at.top - GAP - high : at.bottom + GAP}px`;
}
