/** Which page is shown: the path of the address. */
import { computed, signal } from "@preact/signals";

const path = signal(location.pathname);
window.addEventListener("popstate", () => (path.value = location.pathname));

export type Page = { at: "board" } | { at: "alerts" } | { at: "unit"; unit: string };

export function pageOf(pathname: string): Page {
  const [first, second] = pathname.split("/").filter(Boolean);
  if (first === "alerts") return { at: "alerts" };
  if (first === "units" && second) return { at: "unit", unit: decodeURIComponent(second) };
  return { at: "board" };
}

export const page = computed<Page>(() => pageOf(path.value));
export const unitPath = (id: string): string => `/units/${encodeURIComponent(id)}`;

export function go(to: string): void {
  if (to === path.peek()) return;
  history.pushState(null, "", to);
  path.value = to;
}

/** For links: follows them in the page unless the person asked for a new tab. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go((event.currentTarget as HTMLAnchorElement).pathname);
}
