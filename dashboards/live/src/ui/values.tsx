/** Every device of a unit with its newest values: what a unit shows that is no ambulance. */
import type { Latest, UnitState } from "../feed/types";
import { QUANTITIES, type Quantity } from "../quantities";
import { now } from "../state/store";
import { freshness } from "../state/staleness";
import { age, fixed, t, tCode } from "../text/text";
import { UNKNOWN } from "./reading";

export const rowOf = (quantity: string): Quantity =>
  (QUANTITIES as Record<string, Quantity>)[quantity] ?? { unit: "", shown: "", decimals: 1, expectedInterval: 0 };

/** Newest values by the device they come from. */
export const byDevice = (unit: UnitState): Map<string, [string, Latest][]> =>
  new Map(Object.entries(unit.by_device ?? {}).map(([device, values]) => [device, Object.entries(values)]));

/** "HR 72 /min", hatched when it is too old to stand for now. */
export function Value(props: { quantity: string; latest: Latest }) {
  const { quantity, latest } = props;
  const row = rowOf(quantity);
  const state = freshness(latest, row.expectedInterval, now.value);
  const old = state === "fresh" || state === "unmeasured" ? "" : age(now.value - latest.at);
  return (
    <span class={`value ${state}`} data-quantity={quantity}>
      <span class="quiet">{tCode("q", quantity)}</span>{" "}
      <b class="number tabular">{latest.value === null ? UNKNOWN : fixed(latest.value, row.decimals)}</b>{" "}
      <span class="quiet">{[row.shown, old].filter(Boolean).join(" · ")}</span>
    </span>
  );
}

export function DeviceValues(props: { unit: UnitState }) {
  const groups = [...byDevice(props.unit)].sort(([a], [b]) => a.localeCompare(b));
  return (
    <section class="device-values" aria-label={t("unit.devices")}>
      <h2>{t("unit.devices")}</h2>
      {groups.length === 0 && <p class="quiet">{t("vital.never")}</p>}
      <dl>
        {groups.map(([device, values]) => (
          <div key={device}>
            <dt>{device}</dt>
            <dd>
              {values.map(([quantity, latest]) => (
                <Value key={quantity} quantity={quantity} latest={latest} />
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
