/** Which page is shown: the path of the address. */
import { batch, computed, signal } from "@preact/signals";

const path = signal(location.pathname);
/** What the address asks for behind "?": filters of the fleet page. */
export const query = signal(new URLSearchParams(location.search));
window.addEventListener("popstate", () => {
  path.value = location.pathname;
  query.value = new URLSearchParams(location.search);
});

export type Page =
  | { at: "board" | "ward" | "fleet" | "alerts" | "roster" }
  | { at: "unit"; unit: string }
  | { at: "alert"; alert: string };

export function pageOf(pathname: string): Page {
  const [first, second] = pathname.split("/").filter(Boolean);
  if (first === "alerts" && second) return { at: "alert", alert: decodeURIComponent(second) };
  if (first === "alerts" || first === "ward" || first === "fleet" || first === "roster") return { at: first };
  if (first === "units" && second) return { at: "unit", unit: decodeURIComponent(second) };
  return { at: "board" };
}

export const page = computed<Page>(() => pageOf(path.value));
export const unitPath = (id: string): string => `/units/${encodeURIComponent(id)}`;
export const alertPath = (id: string): string => `/alerts/${encodeURIComponent(id)}`;

/** Goes to a path of this page, with what stands behind its "?". */
export function go(to: string): void {
  if (to === location.pathname + location.search) return;
  history.pushState(null, "", to);
  const [pathname = "/", search = ""] = to.split("?");
  batch(() => {
    path.value = pathname;
    query.value = new URLSearchParams(search);
  });
}

/** Changes one filter of the address in place; "" takes it out. */
export function filter(name: string, value: string): void {
  const next = new URLSearchParams(query.peek());
  if (value) next.set(name, value);
  else next.delete(name);
  query.value = next;
  history.replaceState(null, "", next.size ? `?${next}` : location.pathname);
}

/** For links: follows them in the page unless the person asked for a new tab. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const link = event.currentTarget as HTMLAnchorElement;
  go(link.pathname + link.search);
}
