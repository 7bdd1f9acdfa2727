import { useCallback, useState } from "react";

/**
 * The width inside an element, in CSS pixels. It is known in the first frame already, so that
 * nothing jumps: observers alone tell it a frame later.
 */
export function useWidth<T extends HTMLElement = HTMLDivElement>() {
  const [width, setWidth] = useState(0);
  const ref = useCallback((el: T | null) => {
    if (!el) return;
    const measure = () => {
      const { paddingLeft, paddingRight } = getComputedStyle(el);
      const padding = (parseFloat(paddingLeft) || 0) + (parseFloat(paddingRight) || 0);
      setWidth(Math.max(0, el.clientWidth - padding));
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(el);
    return () => watch.disconnect();
  }, []);
  return { ref, width };
}
