/** The page's own small set of signs. Each priority has its own shape, so it needs no colour. */
import type { ComponentChildren } from "preact";
import type { Priority } from "../feed/types";

function Icon(props: { children: ComponentChildren; size?: number }) {
  const size = props.size ?? 20;
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {props.children}
    </svg>
  );
}

const STROKE = { fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round" } as const;

export const SoundOn = () => (
  <Icon>
    <path d="M3 8v4h3l4 3V5L6 8z" fill="currentColor" />
    <path d="M12.5 7.5a3.5 3.5 0 0 1 0 5M14.5 5.5a6.5 6.5 0 0 1 0 9" {...STROKE} />
  </Icon>
);
export const SoundOff = () => (
  <Icon>
    <path d="M3 8v4h3l4 3V5L6 8z" fill="currentColor" />
    <path d="M13 8l4 4M17 8l-4 4" {...STROKE} />
  </Icon>
);
export const Sun = () => (
  <Icon>
    <circle cx="10" cy="10" r="3.5" {...STROKE} />
    <path
      d="M10 2v2M10 16v2M2 10h2M16 10h2M4.5 4.5l1.4 1.4M14.1 14.1l1.4 1.4M4.5 15.5l1.4-1.4M14.1 5.9l1.4-1.4"
      {...STROKE}
    />
  </Icon>
);
export const Moon = () => (
  <Icon>
    <path d="M16 12a6.5 6.5 0 0 1-8-8 6.5 6.5 0 1 0 8 8z" {...STROKE} />
  </Icon>
);
export const Back = () => (
  <Icon>
    <path d="M12 4l-6 6 6 6" {...STROKE} />
  </Icon>
);
export const Exit = () => (
  <Icon>
    <path d="M8 3H4v14h4M8 10h9M13.5 6.5L17 10l-3.5 3.5" {...STROKE} />
  </Icon>
);

const BED = "M2 5v11M2 13h16v3M18 13v-2a2 2 0 0 0-2-2H8";
export const BedTaken = () => (
  <Icon size={28}>
    <path d={BED} {...STROKE} />
    <circle cx="5" cy="9.5" r="1.8" fill="currentColor" />
    <path d="M7.5 9h8.5a2 2 0 0 1 2 2v2H7.5z" fill="currentColor" />
  </Icon>
);
export const BedEmpty = () => (
  <Icon size={28}>
    <path d="M2 5v11M2 13h16v3" {...STROKE} />
  </Icon>
);
export const BedUnknown = () => (
  <Icon size={28}>
    <path d="M2 5v11M2 13h16v3" {...STROKE} stroke-dasharray="2 2.5" />
    <text x="10" y="10" text-anchor="middle" font-size="9" fill="currentColor">
      ?
    </text>
  </Icon>
);

const SHAPES: Record<Priority, string> = {
  high: "M10 1.5L19 18H1z", // triangle
  medium: "M10 1L19 10L10 19L1 10z", // diamond
  low: "M2 4h16v12H2z", // rectangle
};
const MARKS: Record<Priority, string> = { high: "!!!", medium: "!!", low: "!" };

/** The filled shape of a priority with its mark; `calling` makes it flash. */
export function PriorityShape(props: { priority: Priority; calling: boolean; size?: number }) {
  const size = props.size ?? 24;
  return (
    <svg
      class={`shape ${props.priority} ${props.calling ? "calling" : ""}`}
      width={size}
      height={size}
      viewBox="0 0 20 20"
      aria-hidden="true"
      focusable="false"
    >
      <path class="fill" d={SHAPES[props.priority]} stroke-linejoin="round" />
      <text x="10" y={props.priority === "high" ? 15.5 : 13.5} text-anchor="middle" class="mark">
        {MARKS[props.priority]}
      </text>
    </svg>
  );
}
