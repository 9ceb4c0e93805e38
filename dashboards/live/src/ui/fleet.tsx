/** All devices of the five families: one row a unit, one a device behind it. */
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Alert, Device, UnitState } from "../feed/types";
import { filter, follow, go, query, unitPath } from "../router";
import { devices, followDevices, unread } from "../state/care";
import { watched } from "../state/live";
import { link, now, openAlerts, unit as unitOf, unitIds } from "../state/store";
import { age, clockTime, count, t, tCode } from "../text/text";
import { isCatchingUp } from "./card";
import { Choice, Tick } from "./choice";
import { PriorityShape } from "./icons";
import { useKeys } from "./keys";
import { Provenance } from "./marks";
import { newestAt, UNKNOWN } from "./reading";
import { byDevice, Value } from "./values";

const STALE = 60_000_000; // us without a word of any device
const LOW_BATTERY = 20; // %
const OURS: ReadonlySet<string> = new Set(["agent", "gateway"]); // what the program says itself is no device
const copied = signal<string | null>(null);

interface Group {
  unit: UnitState;
  devices: readonly Device[];
  alerts: readonly Alert[];
}

const matches = (text: string, group: Group): boolean =>
  [group.unit.id, group.unit.name, ...group.devices.flatMap((d) => [d.id, d.kind ?? "", d.serial ?? ""])].some((word) =>
    word.toLowerCase().includes(text.toLowerCase()),
  );

export function hasTrouble(group: Group, at: number): boolean {
  const { unit } = group;
  const newest = newestAt(unit);
  return (
    group.alerts.length > 0 ||
    unit.link !== "online" ||
    unit.gaps_open > 0 ||
    isCatchingUp(unit) ||
    newest === null ||
    at - newest > STALE ||
    group.devices.some(
      (device) => device.service !== null || device.link === "silent" || (device.battery ?? 100) < LOW_BATTERY,
    )
  );
}

const groups = computed((): Group[] =>
  unitIds.value
    .flatMap((id): Group[] => {
      const unit = unitOf(id);
      if (!unit) return [];
      const mine = devices.value.filter((device) => device.unit === id);
      return [{ unit, devices: mine, alerts: openAlerts.value.filter((alert) => alert.unit === id) }];
    })
    .sort((a, b) => a.unit.kind.localeCompare(b.unit.kind) || a.unit.id.localeCompare(b.unit.id)),
);

const shown = computed(() => {
  const wanted = query.value;
  const [kind, site, text] = [wanted.get("kind"), wanted.get("site"), wanted.get("q")];
  return groups.value.filter(
    (group) =>
      (!kind || group.unit.kind === kind) &&
      (!site || group.unit.site === site) &&
      (!text || matches(text, group)) &&
      (!wanted.has("trouble") || hasTrouble(group, now.value)),
  );
});

const distinct = (values: string[]): string[] => [...new Set(values)].sort();

function Filters() {
  const search = useRef<HTMLInputElement>(null);
  useKeys({
    "/": (event) => {
      event.preventDefault(); // the key itself is not searched for
      search.current?.focus();
    },
    Escape: () => (query.peek().size ? [...query.peek().keys()].forEach((name) => filter(name, "")) : go("/")),
  });
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()}>
      <input
        ref={search}
        type="search"
        placeholder={t("fleet.search")}
        aria-label={t("fleet.search")}
        value={query.value.get("q") ?? ""}
        onInput={(event) => filter("q", event.currentTarget.value)}
      />
      <Choice
        name="kind"
        label={t("fleet.kind")}
        all={t("fleet.all")}
        values={distinct(groups.value.map((group) => group.unit.kind))}
        say={(kind) => tCode("kind", kind)}
      />
      <Choice
        name="site"
        label={t("fleet.site")}
        all={t("fleet.all")}
        values={distinct(groups.value.map((group) => group.unit.site))}
        say={(site) => site}
      />
      <Tick name="trouble" label={t("fleet.trouble")} />
    </form>
  );
}

function CopyId(props: { id: string }) {
  const copy = (): void => {
    void navigator.clipboard?.writeText(props.id).then(() => (copied.value = props.id));
  };
  return (
    <button type="button" class="id" onClick={copy} aria-label={t("fleet.copy", { id: props.id })}>
      {props.id}
      {copied.value === props.id && <span class="quiet"> {t("fleet.copied")}</span>}
    </button>
  );
}

const percent = (value: number | null): string => (value === null ? UNKNOWN : `${Math.round(value)} %`);

function Alerts(props: { alerts: readonly Alert[] }) {
  return (
    <>
      {props.alerts.map((alert) => (
        <span key={alert.id} class="row-alert">
          <PriorityShape priority={alert.priority} calling={false} size={14} /> {t(`priority.${alert.priority}`)}{" "}
          {tCode("rule", alert.rule)}
        </span>
      ))}
    </>
  );
}

function UnitRow(props: { group: Group }) {
  const { unit, alerts } = props.group;
  const newest = newestAt(unit);
  const reach = link.value.is === "stale" ? "unknown" : unit.link;
  return (
    <tr class="unit-row" data-unit={unit.id}>
      <th scope="row">
        <a href={unitPath(unit.id)} onClick={follow}>
          {unit.name}
        </a>{" "}
        <CopyId id={unit.id} />{" "}
        <span class="quiet">
          {tCode("kind", unit.kind)} · {unit.site}
        </span>{" "}
        <Provenance unit={unit} />
      </th>
      <td class={reach === "online" ? "" : "trouble"}>{t(`unit.link.${reach}`)}</td>
      <td class="tabular">{newest === null ? UNKNOWN : age(now.value - newest)}</td>
      <td />
      <td class="tabular">{percent(unit.battery)}</td>
      <td class="tabular">{unit.firmware || UNKNOWN}</td>
      <td class={`tabular ${isCatchingUp(unit) ? "trouble" : ""}`}>
        {unit.outbox_records === null ? UNKNOWN : count(unit.outbox_records)}
      </td>
      <td class={`tabular ${unit.gaps_open > 0 ? "trouble" : ""}`}>{count(unit.gaps_open)}</td>
      <td>
        <Alerts alerts={alerts.filter((alert) => alert.device === null)} />
      </td>
    </tr>
  );
}

/** What a device or its agent says; that it is not known is said, too. */
function Told(props: { text: string | null | undefined }) {
  return props.text ? <>{props.text}</> : <span class="quiet">{t("fleet.unknown")}</span>;
}

function DeviceRow(props: { group: Group; id: string; device: Device | undefined }) {
  const { group, id, device } = props;
  const values = byDevice(group.unit).get(id) ?? [];
  const alerts = group.alerts.filter((alert) => alert.device === id);
  const heardAt = values.length > 0 ? Math.max(...values.map(([, latest]) => latest.received_at)) : null;
  // an agent that is away, or a page that hears nothing, cannot say how a device is reached
  const reach = link.value.is !== "stale" && group.unit.link === "online" ? device?.link : null;
  const old = heardAt === null ? (device?.age ?? null) : now.value - heardAt;
  return (
    <tr class="device-row" data-device={`${group.unit.id}/${id}`}>
      <th scope="row">
        {id} <span class="quiet">{[device?.kind, device?.serial].filter(Boolean).join(" · ")}</span>
      </th>
      <td class={reach === "silent" ? "trouble" : ""}>
        <Told text={reach && t(`fleet.link.${reach}`)} />
      </td>
      <td class="tabular">{old === null ? UNKNOWN : age(old)}</td>
      <td class="values">
        {values.map(([quantity, latest]) => (
          <Value key={quantity} quantity={quantity} latest={latest} />
        ))}
      </td>
      <td class={`tabular ${(device?.battery ?? 100) < LOW_BATTERY ? "trouble" : ""}`}>
        {percent(device?.battery ?? null)}
      </td>
      <td class="tabular">
        <Told text={device?.firmware} />
      </td>
      <td colSpan={2} />
      <td>
        {device?.service && (
          <span class="in-service">
            {t("fleet.service", {
              mode: tCode("service", device.service.mode),
              time: clockTime(device.service.expires_at),
            })}
          </span>
        )}
        {device?.calibration_due && (
          <span class="quiet"> {t("fleet.calibration", { date: device.calibration_due })}</span>
        )}
        <Alerts alerts={alerts} />
      </td>
    </tr>
  );
}

function Rows(props: { group: Group }) {
  const { group } = props;
  const named = new Map(group.devices.map((device) => [device.id, device]));
  const ids = distinct([...named.keys(), ...byDevice(group.unit).keys()]).filter((id) => !OURS.has(id));
  return (
    <>
      <UnitRow group={group} />
      {ids.map((id) => (
        <DeviceRow key={id} group={group} id={id} device={named.get(id)} />
      ))}
    </>
  );
}

const COLUMNS = [
  "fleet.unit",
  "fleet.link",
  "fleet.age",
  "fleet.values",
  "fleet.battery",
  "fleet.firmware",
  "fleet.outbox",
  "fleet.gaps",
  "fleet.state",
] as const;

export function Fleet() {
  useEffect(() => {
    watched.value = [];
    return followDevices();
  }, []);
  const list = shown.value;
  return (
    <main class="fleet">
      <div class="board-head">
        <h1>{t("fleet.title")}</h1>
        <span class="quiet">
          {t("fleet.count", {
            n: list.length,
            m: list.reduce((sum, group) => sum + group.devices.filter((device) => !OURS.has(device.id)).length, 0),
          })}
        </span>
        <Filters />
        {unread.value && (
          <span class="card-note" role="status">
            {t("fleet.unread")}
          </span>
        )}
      </div>
      <div class="table-box" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {COLUMNS.map((key) => (
                <th key={key} scope="col">
                  {t(key)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {list.map((group) => (
              <Rows key={group.unit.id} group={group} />
            ))}
          </tbody>
        </table>
        {list.length === 0 && <p class="quiet none">{t("fleet.none")}</p>}
      </div>
    </main>
  );
}
