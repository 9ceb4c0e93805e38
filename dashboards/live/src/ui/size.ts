import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export const px = (value: number): string => `${value}px`;

export interface Size {
  width: number;
  height: number;
}

/** The element's inner size in whole CSS pixels, kept up to date. */
export function useSize(ref: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const next = { width: element.clientWidth, height: element.clientHeight };
      setSize((old) => (old.width === next.width && old.height === next.height ? old : next));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return size;
}
